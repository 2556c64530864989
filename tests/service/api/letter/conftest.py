"""A simulated week, its answer, and a browser."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.front_page.browser import playwright_chromium
from tests.support.week.simulated import SimulatedWeek, simulated_week


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedWeek]:
    """The week of a trip, an order, a blind hour and a return; sign-offs need a token."""
    with simulated_week(tmp_path_factory.mktemp("week"), token="secret") as simulated:
        yield simulated


@pytest.fixture(scope="module")
def document(week: SimulatedWeek) -> dict[str, Any]:
    """The JSON of the week."""
    return week.document()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that finds no host but this one."""
    with playwright_chromium() as running:
        yield running
