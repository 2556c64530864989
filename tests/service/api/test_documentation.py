"""The page /docs in a real browser without network, and its headers."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.configs import TOKEN
from tests.support.servers import Server
from tests.support.serving.browser import Browser, chromium
from tightrope.service.api.documentation import ASSETS, PAGE_POLICY

DRAWN = "document.querySelectorAll('.opblock').length"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that finds no host but this one."""
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def test_page_is_drawn_without_network_and_without_a_message(browser: Browser, server: Server) -> None:
    """Every operation is on it, the console is empty, and all that it loads comes from the server."""
    document = server.client.get("/openapi.json").json()
    browser.open(server.address + "/docs")
    count = browser.wait_for(DRAWN)
    browser.settle()
    assert count == sum(len(methods) for methods in document["paths"].values())
    assert browser.messages == []
    assert {url.partition("?")[0] for url in browser.requests if not url.startswith("data:")} == {
        server.address + path for path in ("/docs", "/openapi.json", *(f"/docs/{name}" for name in ASSETS))
    }


def test_page_calls_the_api_with_the_token_that_was_typed(browser: Browser, server: Server) -> None:
    """A call with the token typed into the page is authorised, and the policy refuses none of it."""
    browser.open(server.address + "/docs")
    browser.click("button.authorize")
    browser.write(".auth-container input", TOKEN)
    browser.click(".auth-btn-wrapper button", "Authorize")
    browser.click(".auth-btn-wrapper button", "Close")
    browser.click(".opblock-summary-control", "/rollback")
    browser.click("button.try-out__btn")
    browser.write(".parameters input", "nope")
    browser.click("button.execute")
    answer = browser.wait_for("document.querySelector('.live-responses-table .microlight')?.textContent")
    assert "is not served here" in answer, "not 401"
    assert [message for message in browser.messages if "status of 404" not in message] == []


def test_a_browser_reports_what_the_policy_refuses(browser: Browser, server: Server) -> None:
    """An inline script does not run, and the console says so: so a message would be seen above."""
    browser.open(server.address + "/docs")
    browser.wait_for(DRAWN)
    browser.evaluate(
        "s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s)"
    )
    browser.wait_for_message("Content Security Policy")
    assert browser.evaluate("window.ran === undefined")


@pytest.mark.parametrize("width", [1440, 390])
def test_page_fits_its_window(browser: Browser, server: Server, width: int) -> None:
    """Nothing is cut off at the right, on a desk or on a telephone."""
    metrics: dict[str, Any] = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 1000}
    browser.call("Emulation.setDeviceMetricsOverride", **metrics)
    browser.open(server.address + "/docs")
    browser.wait_for(DRAWN)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_page_has_a_strict_policy(client: httpx.Client) -> None:
    """No script that is inline or from elsewhere, no frame, no guess about types."""
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(PAGE_POLICY.split("; "))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.findall(r"<script(?![^>]* src=)|\son\w+=|https?://", answer.text) == []


@pytest.mark.parametrize("name", ASSETS)
def test_files_of_the_page_are_served(client: httpx.Client, name: str) -> None:
    """With their types, which browsers may not guess."""
    answer = client.get(f"/docs/{name}")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
    assert answer.headers["content-type"].partition(";")[0] == ASSETS[name][1]
    assert answer.content == ASSETS[name][0].read_bytes()


@pytest.mark.parametrize("name", ["index.html", "..%2fapp.py", "%2e%2e/app.py", "redoc.standalone.js"])
def test_no_other_file_is_served(client: httpx.Client, name: str) -> None:
    """Only the files that the page loads."""
    answer = client.get(f"/docs/{name}")
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_links_are_relative(client: httpx.Client, path: str) -> None:
    """The page works behind a proxy that adds a prefix, with and without a slash at the end."""
    text = client.get(path).text
    base = httpx.URL("http://proxy/prefix" + path)
    links = {str(base.join(link)) for link in re.findall(r'(?:href|src)="([^":]+)"', text)}
    assert links == {
        "http://proxy/prefix/openapi.json",
        *(f"http://proxy/prefix/docs/{name}" for name in ASSETS),
    }


def test_other_pages_of_the_library_are_off(client: httpx.Client) -> None:
    """FastAPI's own pages load scripts from elsewhere."""
    assert [client.get(path).status_code for path in ("/redoc", "/docs/oauth2-redirect")] == [404, 404]


def test_files_of_the_page_stand_beside_the_module() -> None:
    """In the wheel, too: they are no Python."""
    folder = Path(ASSETS["initializer.js"][0]).parent
    assert {path.name for path in folder.iterdir()} == {"index.html", "initializer.js", "page.css"}
