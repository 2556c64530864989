"""The state of the process that judges; test_store_unreadable.py has what is moved aside."""

from pathlib import Path

import pytest

from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite.event_table import EventRetention
from tightrope.service.adapters.sqlite.opening import open_state
from tightrope.service.adapters.sqlite.state_file import StoreError


def test_required_state_refuses_a_fresh_one(tmp_path: Path) -> None:
    """The error names the key; a state that is there, or was moved aside, is no fresh one."""
    path = tmp_path / "tightrope.db"
    store = open_state(path)
    store.save("l", {}, {"m": b"one"}, [])
    store.close()
    open_state(path, required=True).close()
    path.write_text("no database " * 1000)
    open_state(path, required=True).close()
    for file in path.parent.iterdir():
        file.unlink()
    with pytest.raises(StoreError, match="holds no state, and state_required is true: mount the folder"):
        open_state(path, required=True)
    fresh = open_state(path)
    assert (fresh.empty, fresh.lost("m")) == (True, "")
    fresh.close()


def test_retention_of_events_reaches_the_store(tmp_path: Path) -> None:
    """Also that of a state that was begun anew."""
    path = tmp_path / "tightrope.db"
    path.write_text("no database " * 1000)
    store = open_state(path, retention=EventRetention(most=1))
    for number in range(3):
        store.save("l", {}, {}, [Event(f"e{number}", 1.0, "m", "breach", "model", "judge", "")])
    store._pruning._next = 0.0
    store.flush_deferred(lambda: True)
    assert [event.id for _, event in store.events()] == ["e2"]
    store.close()
