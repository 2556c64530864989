"""The page: no script, no address outside, no finding of axe, readable from phone to paper."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.support.front_page.browser import SIZES
from tests.support.week.simulated import simulated_week
from tightrope.service.api.letter.page import week_page, week_policy, week_style

AXE_TAGS_OF_WEEK = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
A4_PAGES = 2


def test_page_has_every_sentence_of_the_answer(document: dict[str, Any]) -> None:
    """Sentences of the JSON are those of the page."""
    html = week_page(document)
    for model in document["models"]:
        sentences = [*model["harm"]["says"], *model["saving"]["says"], *model["safety"]["says"], *model["promises"]]
        sentences += [each["says"] for each in (*model["unknown"], *model["harm"]["by_full"])]
        assert [each for each in sentences if each not in html] == []
    assert all(each["says"] in html and each["due"] in html for each in document["decisions"])


def test_page_has_no_script_and_no_address(document: dict[str, Any]) -> None:
    """A letter has no links; the page of a gateway has those to other weeks."""
    html = week_page(document)
    assert not re.search(r"<script|<link|<img|href|src=|https?:|\bon\w+=|style=", html)
    assert html.count("<style>") == 1
    linked = week_page(document, links=True)
    assert re.findall(r'href="([^"]+)"', linked) == [
        "./",
        "week?week=2026-W47",
        "week?week=2026-W49",
        "v1/weeks/2026-W48",
    ]
    assert "2026-W49" not in week_page({**document, "complete": False}, links=True)


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    """Owners, and the reasons of sign-offs."""
    hostile = '<img src=x onerror="alert(1)">'
    with simulated_week(tmp_path, owner=hostile) as week:
        document = week.document()
    document["decisions"][0]["signed"] = {"actor": hostile, "reason": hostile, "at": 0.0}
    assert "<img" not in week_page(document)
    assert "&lt;img" in week_page(document)


def test_policy_names_the_style(document: dict[str, Any]) -> None:
    """It stands in the file, too, which comes without headers."""
    assert week_policy().startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in week_policy()
    assert week_style() in week_page(document)


@pytest.mark.parametrize("size", ["1440", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_breaks_no_rule_of_accessibility(
    browser: Browser, document: dict[str, Any], tmp_path: Path, size: str, scheme: Literal["light", "dark"]
) -> None:
    """No finding of axe-core, nothing is cut at the right, no message on the console."""
    width, height = SIZES[size]
    file = tmp_path / "letter.html"
    file.write_text(week_page(document, links=True))
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page, messages = context.new_page(), list[str]()
    page.on("console", lambda message: messages.append(message.text))
    page.goto(file.as_uri())
    assert messages == []
    page.evaluate(Axe().axe_script)
    options = {"runOnly": {"type": "tag", "values": AXE_TAGS_OF_WEEK}}
    found = page.evaluate("options => axe.run(document, options).then(result => result.violations)", options)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_letter_is_two_pages_of_paper(browser: Browser, document: dict[str, Any], tmp_path: Path) -> None:
    """Printed to PDF, in a dark browser, too."""
    file = tmp_path / "letter.html"
    file.write_text(week_page(document))
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(file.as_uri())
    pdf = page.pdf(format="A4")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    context.close()
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= A4_PAGES
