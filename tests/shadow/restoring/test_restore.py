"""States restored from a store: found, new, lost, or unreadable."""

from pathlib import Path

import pytest

from tests.support.judgement.judge_harness import HOST, lenient
from tightrope.monitors.plan import initial_state
from tightrope.monitors.safemode import Input
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.migration import FRESH
from tightrope.shadow.restoring.restore import Restorer

NOW = 1_795_894_500.0


def restore(store: SqliteStore) -> JudgeRound:
    """Restore the state of model m, and return the round that tells about it."""
    plan, restorer = lenient(), Restorer(store)
    states = {"m": restorer.restore(plan, NOW)}
    judge_round = JudgeRound({"m": plan}, states, store, HOST)
    restorer.add_events(judge_round, {"m": plan}, "log", NOW)
    restorer.forget()
    restorer.add_events(judge_round, {"m": plan}, "log", NOW)
    return judge_round


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """An empty store."""
    return SqliteStore(tmp_path / "tightrope.db")


def test_new_model_is_told_once(store: SqliteStore) -> None:
    """It begins in normal mode."""
    judge_round = restore(store)
    assert [event.kind for event in judge_round.events] == [FRESH]
    assert not any(mode.safe for mode in judge_round.states["m"].modes)


def test_readable_state_is_told_nothing_about(store: SqliteStore) -> None:
    """It is as it was saved."""
    saved = record_codec.encode_state(initial_state(lenient()))
    store.save("log", {}, {"m": saved}, [])
    judge_round = restore(store)
    assert judge_round.events == []
    assert record_codec.encode_state(judge_round.states["m"]) == saved


@pytest.mark.parametrize("kept", [b"a version to come", None])
def test_lost_state_begins_safe(store: SqliteStore, kept: bytes | None) -> None:
    """Every scope, with the reason, and with an epoch beyond all earlier ones."""
    if kept is None:
        store.loss = "the file was damaged"
    else:
        store.save("log", {}, {"m": kept}, [])
    judge_round = restore(store)
    reason = "the file was damaged" if kept is None else "its snapshot cannot be read: "
    assert [event.kind for event in judge_round.events] == [Input.UNREADABLE] * len(lenient().scopes)
    assert all(event.reason.startswith(reason) for event in judge_round.events)
    assert all(mode.safe and mode.unread for mode in judge_round.states["m"].modes)
    assert judge_round.states["m"].epoch > NOW
    if kept is not None:
        assert store.snapshot("m.unreadable-20261128T193500Z") == kept


def test_unreadable_later_state_keeps_older_modes(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a cluster, where the snapshot before is still readable."""
    store.save("log", {}, {"m": record_codec.encode_state(initial_state(lenient()))}, [])
    monkeypatch.setattr(SqliteStore, "lost", lambda *_: "the latest cannot be read")
    judge_round = restore(store)
    assert {event.reason for event in judge_round.events} == {"the latest cannot be read"}
    assert all(mode.safe for mode in judge_round.states["m"].modes)
