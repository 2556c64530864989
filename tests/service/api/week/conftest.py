"""A simulated week for the tests of its rooms."""

from collections.abc import Iterator

import pytest

from tests.support.week.simulated import SimulatedWeek, simulated_week


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedWeek]:
    """The week of a trip, an order, a blind hour and a return."""
    with simulated_week(tmp_path_factory.mktemp("week")) as simulated:
        yield simulated
