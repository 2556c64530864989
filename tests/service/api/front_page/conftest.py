"""The page in a browser: one browser and one gateway for each file."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.front_page.browser import Window, playwright_chromium
from tests.support.front_page.gateway import PageGateway, page_gateway
from tests.support.front_page.overviews import two_groups


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that finds no host but this one."""
    with playwright_chromium() as running:
        yield running


@pytest.fixture(scope="module")
def page_server() -> Iterator[PageGateway]:
    """A gateway for this file."""
    with page_gateway() as running:
        yield running


@pytest.fixture
def gateway(page_server: PageGateway) -> PageGateway:
    """The gateway, two of whose groups the full model answers."""
    page_server.overview, page_server.event, page_server.token, page_server.refusal = two_groups(), None, None, None
    page_server.orders.clear()
    page_server.seconds = 0.0
    return page_server


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    """A window of a desk."""
    opened = Window(browser)
    yield opened
    assert opened.messages == []
    opened.close()
