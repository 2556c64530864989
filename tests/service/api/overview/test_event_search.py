"""Events are found by what they are about and when they were, in either order, page by page."""

from datetime import UTC, datetime

import pytest

from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import NO_BOUND
from tightrope.service.api.overview import event_search
from tightrope.service.api.overview.event_search import LATE_SECONDS, EventFilter, epoch_seconds, find_events


class Trail:
    """An audit trail in memory; counts the pages that are read."""

    def __init__(self, events: list[Event]) -> None:
        self.numbered = list(enumerate(events, 1))
        self.pages = 0

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Return events beyond a number."""
        self.pages += 1
        return [each for each in self.numbered if each[0] > after and model in {None, each[1].model}][:limit]

    def latest_events(
        self, model: str | None = None, before: int = NO_BOUND, limit: int = 100
    ) -> list[tuple[int, Event]]:
        """Return events below a number, newest first."""
        self.pages += 1
        chosen = [each for each in reversed(self.numbered) if each[0] < before and model in {None, each[1].model}]
        return chosen[:limit]


TRAIL_EVENTS = [
    Event(str(n), 10.0 * n, "ab"[n % 2], ("breach", "release")[n % 3 == 0], f"sex={'fm'[n % 5 == 0]}", "judge", "")
    for n in range(1, 41)
]


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search in pages of seven events."""
    monkeypatch.setattr(event_search, "SEARCHED_EVENTS", 7)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(),
        EventFilter(model="a"),
        EventFilter(kind="release"),
        EventFilter(scope="sex=m", model="b"),
        EventFilter(since=100.0, until=200.0),
        EventFilter(kind="nothing"),
    ],
)
def test_search_finds_what_a_full_read_finds(wanted: EventFilter, *, newest_first: bool) -> None:
    """In pages of any size; no more than asked for, and between the two numbers."""
    expected = [each for each in Trail(TRAIL_EVENTS).numbered if wanted.accepts(each[1]) and 2 < each[0] < 39]
    expected = expected[::-1] if newest_first else expected
    for limit in (1, 5, 100):
        found = find_events(Trail(TRAIL_EVENTS), wanted, limit, after=2, before=39, newest_first=newest_first)
        assert found == expected[:limit]


def test_search_ends_a_day_before_its_time() -> None:
    """Events may be saved late, but not by more: older pages are not read."""
    events = [Event(str(n), n * LATE_SECONDS / 4, "m", "breach", "model", "judge", "") for n in range(60)]
    trail = Trail(events)
    found = find_events(trail, EventFilter(since=events[58].time), 100)
    assert [event.id for _, event in found] == ["59", "58"]
    assert trail.pages == 2


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (datetime.fromisoformat("1970-01-01T01:00"), 3600.0),
        (datetime(1970, 1, 1, 1, tzinfo=UTC), 3600.0),
        (7.5, 7.5),
        (None, -1.0),
    ],
)
def test_a_time_of_a_query_is_seconds(time: datetime | float | None, seconds: float) -> None:
    """One without an offset is UTC; without a time the other value counts."""
    assert epoch_seconds(time, -1.0) == seconds
