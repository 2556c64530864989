"""The trail of a store: what is saved is what is read, in pages, without request ids."""

from pathlib import Path

from tests.support.audit_trails import note
from tightrope.service.adapters.sqlite.store import SqliteStore


def test_events_are_saved_as_they_are_redacted(tmp_path: Path) -> None:
    """Numbered from 1, oldest or newest first."""
    store = SqliteStore(tmp_path / "tightrope.db")
    events = [note(1, request_id="raw-7"), note(2)]
    store.save("l", {}, {}, events)
    assert store.events() == list(enumerate(store.redacted(events), 1))
    assert [seq for seq, _ in store.latest_events(limit=1)] == [2]
    assert "raw-7" not in str(store.events())
    store.close()


def test_saved_event_has_a_number(tmp_path: Path) -> None:
    """Another has none, and neither has any once the file is closed."""
    store = SqliteStore(tmp_path / "tightrope.db")
    events = [note(1), note(2)]
    store.save("l", {}, {}, events)
    assert [store.seq_of(event.id) for event in (*events, note(3))] == [1, 2, None]
    store.close()
    assert store.seq_of(events[0].id) is None
