"""The page used by hand, keyboard and operator in a real Chromium, and when the gateway goes away."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.front_page.browser import Window
from tests.support.front_page.gateway import PageGateway, page_gateway
from tests.support.front_page.overviews import HOSTILE, many_groups, many_models, two_groups
from tightrope.service.api.front_page.routes import ASSETS_FOLDER

CASE = "#/employment/residence%3Dgroup_quarters"
GONE_MILLISECONDS = 5000


def focused(page: Page) -> str:
    """The text of what has the focus."""
    text: str = page.evaluate("document.activeElement.textContent")
    return text


def test_keys_find_a_group_and_open_and_close_its_case(gateway: PageGateway, window: Window) -> None:
    """`/` finds a group, Enter opens its case, Esc closes it, and the address follows."""
    page = window.open(gateway.address)
    page.keyboard.press("/")
    page.keyboard.type("race")
    assert page.locator("a.group").all_inner_texts()[:2] == ["Everybody", "two or more races"]
    page.keyboard.press("Enter")
    assert focused(page) == "two or more races"
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert page.url.endswith("#/employment/race%3Dtwo_or_more_races")
    assert page.evaluate("document.activeElement.id") == "case-title"
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    page.wait_for_url(gateway.address)


def test_keys_go_from_group_to_group(gateway: PageGateway, window: Window) -> None:
    """j goes down and k up, and so do the arrows once a group has the focus; a letter in a field is a letter."""
    page = window.open(gateway.address)
    seen = []
    for key in ("ArrowDown", "j", "j", "ArrowDown", "k"):
        page.keyboard.press(key)
        seen.append(focused(page))
    assert seen[1:] == ["Everybody", "group quarters", "institution", "group quarters"]
    page.focus(".find-group")
    page.keyboard.type("jk")
    assert page.input_value(".find-group") == "jk"


def test_deep_link_opens_the_case_with_its_event(gateway: PageGateway, window: Window) -> None:
    """A link of a pager shows who, why, how the evidence grew, and the request that tipped it."""
    monitor = {"path": [0.1, 2.0, 9.9], "evidence": 9.9, "threshold": 8.5}
    gateway.event = {
        "time": 1795883722.0,
        "detail": {"monitors": [monitor], "request_digest": "3f9a1c20b7d45e6f3f9a1c20b7d45e6f", "samples": 13440},
    }
    page = window.open(gateway.address + CASE + "?event=8")
    page.wait_for_selector("dialog .path")
    shown = page.inner_text("dialog")
    assert "up to 116 % of what an alarm needs" in shown.replace("\u202f", " ")
    assert "3f9a1c20b7d4" in shown
    assert "62 % of answers differ" in shown
    page.click("dialog .close")
    page.wait_for_url(gateway.address)


def test_case_of_a_later_model_is_found(gateway: PageGateway, window: Window) -> None:
    """A link to a model that is not among the first ones opens its case too."""
    gateway.overview = many_models()
    page = window.open(gateway.address + "#/model-39/residence%3Dgroup_quarters")
    page.wait_for_selector("dialog[open]")
    assert "model-39" in page.inner_text(".case-head")


@pytest.mark.parametrize("place", ["#/employment/nowhere", "#/nobody/model", "#/%/%E0%A4%A", "#models"])
def test_link_to_no_group_shows_the_page(gateway: PageGateway, window: Window, place: str) -> None:
    """A link to a group that is gone, or a broken one, opens nothing and breaks nothing."""
    page = window.open(gateway.address + place)
    gateway.wait_for_looks(page.wait_for_timeout)
    assert page.locator("dialog[open]").count() == 0


def test_models_that_are_well_are_folded_and_paged(gateway: PageGateway, window: Window) -> None:
    """Those that need a look come first and whole; the others are a line each, ten at a time, and whole on demand."""
    gateway.overview = many_models()
    page = window.open(gateway.address)
    page.locator(".model:not(.folded)").nth(1).wait_for()
    assert page.locator(".model").count() == 10
    assert page.locator(".model.folded").count() == 8
    page.click("button:has-text('Show 10 more of 40 models')")
    page.locator(".model").nth(19).wait_for()
    assert page.locator(".model").count() == 20
    page.click(".model.folded button >> nth=0")
    page.locator(".model:not(.folded)").nth(2).wait_for()
    assert page.inner_text(".model:not(.folded) >> nth=2 >> h2") == "model-02"
    page.click("button:has-text('Fold')")
    page.locator(".model:not(.folded)").nth(2).wait_for(state="detached")


def test_unchanged_answer_is_not_sent_again_and_does_not_grow_old(gateway: PageGateway, window: Window) -> None:
    """The browser asks with the ETag, gets 304, and the page takes the time of that answer."""
    page = window.open(gateway.address)
    before, unchanged = page.inner_text(".fresh"), gateway.unchanged
    gateway.seconds = 3600
    gateway.wait_for_looks(page.wait_for_timeout)
    assert gateway.unchanged >= unchanged + 2
    assert page.inner_text(".fresh")[:8] == before[:6] + f"{(int(before[6:8]) + 1) % 24:02}"


def test_all_of_500_groups_are_shown_on_demand_and_one_is_found(gateway: PageGateway, window: Window) -> None:
    """The worst eight first; the others by a click or by name."""
    gateway.overview = many_groups()
    page = window.open(gateway.address)
    assert page.locator("a.group").count() == 9
    page.click("button:has-text('Show all 500 groups')")
    assert page.locator("a.group").count() == 501
    page.fill("input[type=search]", "region 417")
    assert page.locator("a.group").all_inner_texts() == ["Everybody", "region 417"]
    page.fill("input[type=search]", "nowhere")
    assert "No group is called “nowhere”." in page.inner_text(".groups")


def test_hostile_name_is_text(gateway: PageGateway, window: Window) -> None:
    """A group, an actor or a reason with markup is shown as it is, and nothing of it runs."""
    gateway.overview = many_groups()
    page = window.open(gateway.address)
    assert page.locator("a.group").nth(1).inner_text() == HOSTILE
    page.locator("a.group").nth(1).click()
    page.wait_for_selector("dialog[open]")
    assert HOSTILE in page.inner_text("#case-title")
    gateway.overview = two_groups()
    window.open(gateway.address)
    assert f"<b>Eve</b> gave male (sex) back to Tightrope: {HOSTILE}" in page.inner_text(".history")
    assert page.evaluate("window.harmed === undefined && document.querySelectorAll('img').length === 0")


def test_focus_of_a_group_survives_another_order(gateway: PageGateway, window: Window) -> None:
    """A row that moves in the table keeps the focus."""
    page = window.open(gateway.address)
    page.locator("a.group").nth(3).focus()
    shown = gateway.overview["models"][0]
    shown["groups"] = [shown["groups"][2], *shown["groups"][:2], *shown["groups"][3:]]
    gateway.wait_for_looks(page.wait_for_timeout)
    assert page.locator("a.group").nth(1).inner_text() == "household"
    assert focused(page) == "household"


def test_gateway_that_is_gone_is_said(browser: Browser) -> None:
    """The headline, the title and the sign change; what was seen stays, with its time."""
    window = Window(browser)
    with page_gateway() as gateway:
        page = window.open(gateway.address)
    page.wait_for_selector("h1:has-text('Tightrope does not answer this page.')")
    assert page.title() == "No answer · Tightrope"
    assert page.locator("header.level-blind").count() == 1
    assert page.locator(".model").count() == 1
    assert "Callers may be served all the same" in page.inner_text("header")
    window.close()


def test_page_waits_at_most_five_seconds_for_the_gateway() -> None:
    """It asks every two seconds, and a gateway that hangs counts as gone after three."""
    scripts = (ASSETS_FOLDER / "page.js").read_text() + (ASSETS_FOLDER / "overview.js").read_text()
    waits = dict(re.findall(r"^const (EVERY|PATIENCE) = (\d+);", scripts, re.MULTILINE))
    assert sum(map(int, waits.values())) == GONE_MILLISECONDS
    assert len(waits) == 2


def test_figures_that_stand_still_are_marked(gateway: PageGateway, window: Window) -> None:
    """Where nothing is compared, a line above the groups says since when."""
    silent: dict[str, Any] = {"waiting": 412, "last": 1795884919.0, "silent_seconds": 130.0, "ok": False}
    gateway.overview["models"][0]["sight"]["worker"] = silent
    page = window.open(gateway.address)
    assert page.inner_text(".stood").startswith("These figures stand still since ")
    assert "Not compared" in page.inner_text(".sight .bad >> nth=0")
    assert "Everybody, for as long as nothing is compared." in page.inner_text(".unseen")
