import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tightrope.monitors.records import Event
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.wiring.recording.chain_watch import CHANGED, HEAD_SECONDS, ChainWatch


class WatchedChain:
    """A trail with three events, and its watch at a time that a test sets."""

    def __init__(self, folder: Path) -> None:
        self.now, self.metrics = 100.0, Metrics(CollectorRegistry())
        self.path, self.added = folder / "tightrope.db", list[Event]()
        self.store = SqliteStore(self.path, exclusive=True)
        self.store._chain._now = lambda: self.now
        self.store.add_events([Event(str(number), 1.0, "m", "kind", "model", "judge", "why") for number in range(3)])
        self.watch = ChainWatch(self.store, ["m"], self.added.append, self.metrics, lambda: self.now)

    def value(self, name: str) -> float | None:
        """A metric."""
        return self.metrics.registry.get_sample_value(f"tightrope_audit_{name}", {})

    def change(self, statement: str) -> None:
        """Change the file as another program does."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute(statement)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[WatchedChain]:
    """The trail."""
    made = WatchedChain(tmp_path)
    yield made
    made.store.close()


def test_sound_trail_is_shown(chain: WatchedChain) -> None:
    """The number of its head, when that was signed, and when all links were compared."""
    chain.now = 130.0
    chain.watch.check()
    names = "head_number", "head_timestamp_seconds", "verified_timestamp_seconds", "problems"
    assert [chain.value(name) for name in names] == [3, 100.0, 130.0, 0]
    assert chain.added == []


def test_changed_event_is_told_once(chain: WatchedChain, caplog: pytest.LogCaptureFixture) -> None:
    """As a metric, a line of the log, and an event, which people see on the page."""
    chain.change("UPDATE events SET body = replace(body, 'why', 'hmm') WHERE seq = 2")
    for _ in range(3):
        chain.watch.check()
    assert chain.value("problems") == 1
    (event,) = chain.added
    assert (event.kind, event.model) == (CHANGED, "m")
    assert event.reason == "event 2: is not as it was written: a byte was altered"
    assert len(caplog.records) == 1


def test_old_head_is_signed_anew(chain: WatchedChain) -> None:
    """Its time tells that the chain is kept, also while nothing happens."""
    chain.now += HEAD_SECONDS
    chain.watch.check()
    chain.watch.check()
    assert chain.value("head_timestamp_seconds") == chain.now
    assert chain.value("problems") == 0


def test_head_of_another_program_is_not_signed_over(chain: WatchedChain) -> None:
    """A trail whose newest event was taken away has a note of that afterwards."""
    chain.change("DELETE FROM events WHERE seq = 3")
    chain.change("DELETE FROM event_chain WHERE seq = 3")
    chain.now += HEAD_SECONDS
    for _ in range(3):
        chain.watch.check()
    assert chain.value("problems") == 1
    assert "event 3" in chain.added[0].reason


def test_state_that_cannot_be_read_stays_unverified(chain: WatchedChain) -> None:
    """The time of the last comparison grows old, and an alert stands."""
    chain.watch.check()
    chain.now = 200.0
    chain.change("DROP TABLE chain_seals")
    with pytest.raises(sqlite3.Error):
        chain.watch.check()
    assert chain.value("verified_timestamp_seconds") == 100.0
