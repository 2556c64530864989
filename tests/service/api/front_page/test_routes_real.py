"""The page of a real server in a real Chromium."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser

from tests.support.configs import write_config
from tests.support.front_page.browser import Window
from tests.support.harmful_pair import config, traffic
from tests.support.in_process import infer_request, run_in_process
from tests.support.servers import Server
from tightrope.service.config.process.server import ServerSection
from tightrope.serving.server import HttpServer, ListenAddress
from tightrope.wiring.embedded import Embedded

BLIND_SECONDS = 2.0
MOST_LOOKS = 2
"""Looks of the page, one every two seconds, within which it tells: the first may have been under way. A gateway
notices within a tenth of a second, so that is less than five seconds.
"""


@contextmanager
def listening(parts: Embedded) -> Iterator[str]:
    """Serve the parts over HTTP until the block ends; yields their address."""
    http = HttpServer(ServerSection(port=0), parts.service.app)
    addresses: list[ListenAddress] = []
    is_up = threading.Event()

    def ready(address: ListenAddress) -> None:
        addresses.append(address)
        is_up.set()

    thread = threading.Thread(target=http.serve_until_stopped, args=(ready,))
    thread.start()
    try:
        assert is_up.wait(30)
        yield addresses[0].http
    finally:
        http.should_exit = True
        thread.join()


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


def test_dead_judge_is_the_headline_at_once(tmp_path: Path, browser: Browser) -> None:
    """Two looks at most after `blind_seconds`, the page says that the judgement is blind, and who answers."""
    settings = config(tmp_path) | {"safe_mode": {"blind_seconds": BLIND_SECONDS}}
    window = Window(browser)
    with run_in_process(write_config(tmp_path, settings)) as world, listening(world.parts) as address:
        world.send(traffic(200, harm=False))
        page = window.open(address)
        assert page.locator("header.level-blind").count() == 0
        assert world.parts.judge.stop(20)
        engine = world.parts.service.engine
        for row in traffic(20, harm=False):
            engine.infer(engine.pair("m"), infer_request(row[None]))
        while not engine.router.blindness("m"):
            page.wait_for_timeout(20)
        looks = sum("/v1/overview" in url for url in window.requests)
        page.wait_for_selector("header.level-blind")
        assert sum("/v1/overview" in url for url in window.requests) - looks <= MOST_LOOKS
        assert page.inner_text("h1") == "Nobody can see whether m is safe, so the full model answers everybody."
        assert window.messages == []
        window.close()
