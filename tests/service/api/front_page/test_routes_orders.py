"""Orders at the page in a real Chromium: the operator, the preview and the reason, and refusals."""

import pytest
from playwright.sync_api import Browser, Page

from tests.support.front_page.browser import Window
from tests.support.front_page.gateway import PageGateway
from tests.support.front_page.overviews import must_decide

CASE = "#/employment/residence%3Dgroup_quarters"


def become_operator(page: Page) -> None:
    """Say who one is, in the case."""
    page.fill("dialog [name=name]", "Ben")
    page.fill("dialog [name=token]", "secret")
    page.click("dialog form button")


def test_order_needs_a_reason_and_says_what_it_does(gateway: PageGateway, window: Window) -> None:
    """No order without an operator, a preview and three characters of a reason; then it is sent as the API has it."""
    page = window.open(gateway.address + CASE)
    page.wait_for_selector("dialog[open]")
    assert page.locator("dialog .buttons button").count() == 0
    become_operator(page)
    page.click("dialog .buttons button")
    preview = page.inner_text(".preview").replace("\u202f", " ")
    assert preview.startswith("This moves about 1.0 /s (6 % of requests) from the full to the small model.")
    assert preview.endswith("Harm would be seen, and nobody would be protected from it.")
    for reason in ("", "no"):
        page.fill("[name=reason]", "")
        page.locator("[name=reason]").press_sequentially(reason)
        page.click("dialog .go")
        assert page.evaluate("document.querySelector('[name=reason]').validationMessage") != ""
    page.fill("[name=reason]", "    ")
    page.click("dialog .go")
    page.wait_for_selector(".result:has-text('Not done: say in a few words why.')")
    assert gateway.orders == []
    page.fill("[name=reason]", "a trial")
    page.click("dialog .go")
    page.wait_for_selector(".result:has-text('Done, and on record.')")
    order = {"model": "employment", "kind": "force-normal", "scope": "residence=group_quarters", "reason": "a trial"}
    assert gateway.orders == [{**order, "actor": "Ben"}]


def test_what_needs_a_person_can_be_given_back(gateway: PageGateway, window: Window) -> None:
    """Where a person must decide, the order that gives it back is there too."""
    gateway.overview = must_decide()
    page = window.open(gateway.address + "#/employment/model")
    become_operator(page)
    texts = page.locator("dialog .buttons button").all_inner_texts()
    assert texts == ["Let the small model answer", "Give it back to Tightrope"]


def test_typed_text_and_focus_survive_updates(gateway: PageGateway, window: Window) -> None:
    """The page is drawn anew every two seconds, with other figures in another order, below a reason that is typed."""
    page = window.open(gateway.address + CASE)
    become_operator(page)
    page.click("dialog .buttons button")
    page.locator("[name=reason]").press_sequentially("half a sen")
    shown = gateway.overview["models"][0]
    shown["groups"] = [*reversed(shown["groups"])]
    shown["history"] = []
    gateway.wait_for_looks(page.wait_for_timeout)
    page.keyboard.type("tence")
    assert page.input_value("[name=reason]") == "half a sentence"
    assert "Nothing yet." in page.inner_text(".history")


def refused(gateway: PageGateway, page: Page, status: int, words: str) -> str:
    """The words of the page about an order that is refused."""
    gateway.refusal = (status, words)
    become_operator(page)
    page.click("dialog .buttons button")
    page.fill("[name=reason]", "a trial")
    page.click("dialog .go")
    page.wait_for_selector(".result:has-text('Not done')")
    return page.inner_text(".result")


@pytest.mark.parametrize(
    ("status", "words", "shown"),
    [
        (401, "a valid bearer token is needed", "Leave at the top of the page"),
        (503, "the bus is full", "the bus is full"),
    ],
)
def test_refused_order_is_said(gateway: PageGateway, browser: Browser, status: int, words: str, shown: str) -> None:
    """With the gateway's words; those about the token say where it is typed."""
    window = Window(browser)
    assert shown in refused(gateway, window.open(gateway.address + CASE), status, words)
    window.close()


def test_token_is_typed_once_where_one_is_asked_for(gateway: PageGateway, browser: Browser) -> None:
    """The page asks for it, keeps it for the tab, and forgets it when the operator leaves."""
    gateway.token = "secret"
    window = Window(browser)
    page = window.page
    page.goto(gateway.address)
    page.wait_for_selector("h1:has-text('This page needs a token.')")
    page.fill("header [name=name]", "Ben")
    page.fill("header [name=token]", "secret")
    page.keyboard.press("Enter")
    page.wait_for_selector(".model")
    page.reload()
    page.wait_for_selector(".model")
    assert "Ben" in page.inner_text(".me")
    page.click(".me button")
    page.wait_for_selector("h1:has-text('This page needs a token.')")
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]
    window.close()


def test_page_says_where_orders_are_off(gateway: PageGateway, window: Window) -> None:
    """Without a token of the gateway there is no form, and the reason."""
    gateway.overview["control"] = False
    page = window.open(gateway.address + CASE)
    assert "TIGHTROPE_CONTROL_TOKEN" in page.inner_text("dialog .orders")
    assert page.locator("dialog input").count() == 0
