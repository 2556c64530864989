"""The page in a real Chromium, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests.support.serving.browser import ONLY_THIS_HOST, chromium_program

SIZES = {"1440": (1440, 900), "1024": (1024, 768), "phone": (360, 780)}
"""The windows that the page is looked at in: width and height in pixels."""


@contextmanager
def playwright_chromium() -> Iterator[Browser]:
    """A browser that finds no host but this one."""
    program = chromium_program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", ONLY_THIS_HOST])
        yield browser
        browser.close()


class Window:
    """A window on the page; ``messages`` are those of its console, ``requests`` the addresses that it asked for."""

    def __init__(self, browser: Browser, size: str = "1440") -> None:
        width, height = SIZES[size]
        self.page: Page = browser.new_context(viewport={"width": width, "height": height}).new_page()
        self.page.set_default_timeout(20_000)
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", self._note)
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _note(self, message: ConsoleMessage | Error) -> None:
        self.messages.append(message.text if isinstance(message, ConsoleMessage) else str(message))

    def open(self, address: str) -> Page:
        """Open the page and wait until it shows a model."""
        self.page.goto(address)
        self.page.wait_for_selector(".model")
        return self.page

    def close(self) -> None:
        """Close the window, with what it kept."""
        self.page.context.close()
