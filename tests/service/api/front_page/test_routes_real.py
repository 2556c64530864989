"""The page of a real server in a real Chromium."""

from urllib.parse import quote

from playwright.sync_api import Browser

from tests.support.front_page.browser import Window
from tests.support.servers import Server


def test_page_draws_what_the_server_says(server: Server, browser: Browser) -> None:
    """The headline and the first models of `/v1/overview`, without a message on the console."""
    window = Window(browser)
    page = window.open(server.address)
    shown = server.client.get("/v1/overview").json()
    assert page.inner_text("h1") == shown["headline"]
    assert page.locator("h2").all_inner_texts() == [card["name"] for card in shown["cards"]][:10]
    assert window.messages == []
    assert {url for url in window.requests if not url.startswith(server.address)} == set()
    window.close()


def test_order_with_a_wrong_token_is_refused(server: Server, browser: Browser) -> None:
    """The server's own check refuses it, and nothing moves."""
    window = Window(browser)
    model = server.client.get("/v1/overview").json()["cards"][-1]["name"]
    before = server.client.get(f"/v1/models/{model}").json()["scopes"]
    page = window.open(f"{server.address}/#/{quote(model)}/model")
    page.fill("dialog [name=name]", "Eve")
    page.fill("dialog [name=token]", "guessed")
    page.click("dialog form button")
    page.click("dialog .buttons button")
    page.fill("[name=reason]", "a trial")
    page.keyboard.press("Enter")
    page.wait_for_selector(".result:has-text('the token is not the one of this gateway')")
    assert server.client.get(f"/v1/models/{model}").json()["scopes"] == before
    assert server.client.get("/v1/events", params={"model": model, "kind": "force-safe"}).json()["events"] == []
    window.close()
