"""The page in a real Chromium: each state that it tells apart, in three windows, light and dark."""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.support.front_page.browser import SIZES, Window
from tests.support.front_page.gateway import PageGateway
from tests.support.front_page.overviews import STATES, two_groups
from tightrope.service.api.overview.documents import Overview

RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
INSIDER_WORDS = re.compile(r"10\^|e-value|scope|breach|latched|safe mode|dwell|epoch", re.IGNORECASE)


@pytest.fixture(params=SIZES)
def window(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Window]:
    """A window in each size."""
    opened = Window(browser, request.param)
    yield opened
    opened.close()


def violations(page: Page) -> list[str]:
    """The findings of axe-core, light and dark: rule and first element. Contrast alone depends on colours, so that one
    rule is enough for the dark page.
    """
    page.evaluate(Axe().axe_script)
    light, dark = (_broken(page, scheme, rules) for scheme, rules in (("light", RULES), ("dark", ["color-contrast"])))
    return [*light, *dark]


def _broken(page: Page, scheme: Literal["light", "dark"], rules: list[str]) -> list[str]:
    page.emulate_media(color_scheme=scheme)
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
    found = page.evaluate("options => axe.run(document, options).then(result => result.violations)", options)
    return [f"{scheme}, {each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


@pytest.mark.parametrize("state", STATES)
def test_state_is_accessible_fits_and_is_silent(gateway: PageGateway, window: Window, state: str) -> None:
    """No rule of axe-core is broken, nothing is cut at the right, no console message, no word of insiders."""
    gateway.overview = STATES[state]()
    page = window.open(gateway.address)
    assert page.inner_text("h1") == gateway.overview["headline"]
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert INSIDER_WORDS.findall(page.inner_text("body")) == []
    assert page.locator(".facts dd:has-text('team-credit')").count() >= (state != "many_models")
    assert window.messages == []
    assert {url for url in window.requests if not url.startswith(gateway.address)} == set()


@pytest.mark.parametrize("state", STATES)
def test_states_have_the_shape_of_the_api(state: str) -> None:
    """The answers that the page is tested with are answers of `/v1/overview`."""
    msgspec.convert(STATES[state](), Overview)


def test_case_is_accessible_and_fits(gateway: PageGateway, window: Window) -> None:
    """The drawer with a case, too."""
    gateway.overview = two_groups()
    page = window.open(gateway.address + "#/employment/residence%3Dgroup_quarters")
    page.wait_for_selector("dialog[open]")
    assert violations(page) == []
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= innerWidth")
    assert INSIDER_WORDS.findall(page.inner_text("dialog")) == []
    assert window.messages == []


def test_violations_are_found(gateway: PageGateway, browser: Browser) -> None:
    """A text that cannot be read on the dark page is one, and a field without a name."""
    window = Window(browser)
    page = window.open(gateway.address)
    page.evaluate("document.body.append(document.createElement('input'), document.createElement('address'))")
    page.evaluate("Object.assign(document.querySelector('address'), {textContent: 'grey'}).style.color = '#222'")
    assert {each.partition(":")[0] for each in violations(page)} >= {"light, label", "dark, color-contrast"}
    window.close()
