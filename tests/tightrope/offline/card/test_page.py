"""The page in a real Chromium, opened as a file."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.support.front_page.browser import SIZES, Window, playwright_chromium
from tests.support.statement_files import StatementFiles
from tests.support.statements import NOW
from tightrope.offline.card.blocks import CardSection, Sentence
from tightrope.offline.card.content import build_card
from tightrope.offline.card.page import card_page
from tightrope.offline.card.sources import CardSources
from tightrope.offline.card.write import write_card
from tightrope.offline.statements.opinion import new_opinion, write_opinion
from tightrope.service.config.loader import load

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAPER_PIXELS = 718
"""The width of A4 between margins of one centimetre, at 96 pixels an inch."""

HOSTILE = "<script>alert(1)</script><img src=http://a/b onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for this file."""
    with playwright_chromium() as running:
        yield running


def test_page_is_accessible_silent_and_fits_its_window(files: StatementFiles, browser: Browser) -> None:
    """Light and dark, on a desk and on a phone; a note that is markup stays a text."""
    dissent = new_opinion("owner", HOSTILE, NOW, dissents=True, serve=False)
    write_opinion(files.bundle, files.keys["cy"], dissent, [])
    path = write_card(load(files.config), None, NOW)[1]
    for size in SIZES:
        window = Window(browser, size)
        page = window.page
        page.goto(path.as_uri())
        assert HOSTILE in page.inner_text("main")
        page.evaluate(Axe().axe_script)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found = page.evaluate("axe.run(document, {preload: false}).then(result => result.violations)")
            assert [each["id"] for each in found] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("getComputedStyle(document.querySelector('section')).borderRadius") == "8px"
        cut = "[...document.querySelectorAll('.table')].filter(each => each.scrollWidth > each.clientWidth).length"
        assert page.evaluate(cut) == 0
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.querySelector('h2')).color") == "rgb(0, 0, 0)"
        assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--card')") == "#fff"
        assert window.messages == []
        assert window.requests == [path.as_uri()]
        window.close()


def test_figures_stand_beside_their_names_on_a_phone(files: StatementFiles, browser: Browser) -> None:
    """No column is hidden at the right; to a screen reader it is a table all the same."""
    path = write_card(load(files.config), None, NOW)[1]
    window = Window(browser, "phone")
    page = window.page
    page.goto(path.as_uri())
    row = page.get_by_role("table", name="Groups, those with harm first").get_by_role("row").nth(2)
    assert row.get_by_role("rowheader").inner_text() == "▲ group quarters (residence)"
    cells = row.get_by_role("cell")
    names = [cells.nth(index).evaluate("each => getComputedStyle(each, '::before').content") for index in (3, 5)]
    assert names == ['"seen "', '"limit "']
    for index in range(cells.count()):
        box = cells.nth(index).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 360
    window.close()


def test_paper_shows_every_column(files: StatementFiles, browser: Browser) -> None:
    """Printed on A4: no column is cut, and a table's head is on each of its pages."""
    path = write_card(load(files.config), None, NOW)[1]
    window = Window(browser)
    page = window.page
    page.set_viewport_size({"width": PAPER_PIXELS, "height": 1000})
    page.emulate_media(media="print")
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wide = (
        "[...document.querySelectorAll('table')].filter(each => each.getBoundingClientRect().right > innerWidth).length"
    )
    assert page.evaluate(wide) == 0
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", printed)) >= 2
    window.close()


def test_policy_forbids_scripts_and_addresses(files: StatementFiles, browser: Browser, tmp_path: Path) -> None:
    """A page that was altered to load something is stopped by its own policy."""
    text = write_card(load(files.config), None, NOW)[1].read_text()
    path = tmp_path / "altered.html"
    path.write_text(text.replace("<main>", "<main><script>document.title = 'run'</script><img src='data:,'>", 1))
    window = Window(browser)
    window.page.goto(path.as_uri())
    assert window.page.title() != "run"
    assert len(window.messages) == 2
    window.close()


def test_text_is_escaped(card_sources: CardSources) -> None:
    """In titles, too."""
    content = replace(build_card(card_sources), title=HOSTILE, sections=[CardSection(HOSTILE, [Sentence(HOSTILE)])])
    page = card_page(content)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4
