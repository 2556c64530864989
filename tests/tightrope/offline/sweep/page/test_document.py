import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.support.front_page.browser import playwright_chromium
from tests.support.sweeps import small_sweep
from tightrope.offline.sweep.hotspot import Hotspot
from tightrope.offline.sweep.page.document import sweep_page, write_page
from tightrope.offline.sweep.report import SweepReport
from tightrope.offline.sweep.sizes import ModelSize
from tightrope.offline.sweep.variants import SkippedFile

RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of this file."""
    with playwright_chromium() as started:
        yield started


def resized(report: SweepReport) -> SweepReport:
    """Give all variants half the baseline's size, so that one is recommended."""
    half = ModelSize(report.baseline_size.file_bytes // 2, 100)
    return replace(report, variants=[replace(each, size=half) for each in report.variants])


def test_the_verdict_is_in_words(tmp_path: Path) -> None:
    """The model that can serve, within which limits, who would be harmed, and what was skipped."""
    report = resized(small_sweep(tmp_path))
    page = sweep_page(replace(report, skipped=[SkippedFile("<x>.onnx", "broken")], left_out=["brier"]))
    text = re.sub(r"<style>.*?</style>|<[^>]*>", "", page)
    for words in (
        "good is proved within the limits of disagreement, with 50% less size than baseline",
        "crossed is harmful. Of 1,000 in right (side) about 200 get another answer (at least 154; the limit is 100).",
        "&lt;x&gt;.onnx was skipped: broken.",
        "2 variants: 1 qualified, 1 harmful.",
    ):
        assert words in text
    assert "within every limit" in sweep_page(report)


def test_no_recommendation_is_said_plainly(tmp_path: Path) -> None:
    """None is smaller, or none is proved, with the rows that are missing."""
    report = small_sweep(tmp_path)
    assert "No qualified variant has less size than the baseline" in sweep_page(report)
    few = sweep_page(small_sweep(tmp_path, rows=60))
    assert "No variant is proved to keep the baseline&#x27;s answers" in few
    assert "cannot be told. Disagreement in" in few


def test_the_page_is_a_file_without_references(tmp_path: Path) -> None:
    """No script, no link, no import; its one style is named by its digest."""
    path = tmp_path / "page.html"
    write_page(small_sweep(tmp_path), path)
    page = path.read_text()
    assert re.findall(r"<script|href=|src=|url\(|@import|style=", page) == []
    assert "default-src &#x27;none&#x27;; style-src &#x27;sha256-" in page


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_the_page_is_accessible_and_fits(tmp_path: Path, browser: Browser, width: int, scheme: str) -> None:
    """Opened as a file: axe finds nothing, nothing is cut at the right, no message of the policy, no request."""
    report = resized(small_sweep(tmp_path))
    path = tmp_path / "page.html"
    spots = [Hotspot("weights", "8 bits", 35.0, {"model": 0.01, "side=right": 0.1}, "side=right")]
    write_page(replace(report, skipped=[SkippedFile("x.onnx", "broken")], hotspots=spots), path)
    # The audit itself is a script; the policy is lifted for it alone, and not for the messages and requests below.
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate(Axe().axe_script)
    options = {"runOnly": RULES, "resultTypes": ["violations"], "preload": False}
    found = page.evaluate("options => axe.run(document, options).then(result => result.violations)", options)
    assert [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found] == []
    page.close()
    messages: list[str] = []
    requests: list[str] = []
    strict = browser.new_page()
    strict.on("console", lambda message: messages.append(message.text))
    strict.on("request", lambda request: requests.append(request.url))
    strict.goto(path.as_uri())
    assert strict.evaluate("getComputedStyle(document.querySelector('section')).borderRadius") == "8px"
    assert (messages, requests) == ([], [path.as_uri()])
    strict.close()


def test_paper_shows_every_column(tmp_path: Path, browser: Browser) -> None:
    """On A4 between margins of one centimetre nothing is cut, and colours that tell something are printed."""
    path = tmp_path / "page.html"
    write_page(resized(small_sweep(tmp_path)), path)
    page = browser.new_page(viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print")
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wide = "[...document.querySelectorAll('table')].filter(each => each.getBoundingClientRect().right > innerWidth)"
    assert page.evaluate(f"{wide}.length") == 0
    assert page.evaluate("getComputedStyle(document.querySelector('section')).printColorAdjust") == "exact"
    assert page.pdf(format="A4").startswith(b"%PDF-")
    page.close()
