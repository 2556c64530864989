"""States restored from a store: found, new, lost, or unreadable."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.judge_harness import HOST, lenient
from tightrope.monitors.decide import Cause, deploy
from tightrope.monitors.plan import initial_state, is_armed, judged_settings
from tightrope.monitors.safemode import Input, ModeState
from tightrope.service.adapters.ports import LogReset
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.migration import FRESH, LOG_WENT_BACK
from tightrope.shadow.plan_changes import change_events
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


def test_lost_state_may_have_been_armed(store: SqliteStore) -> None:
    """Without a written mode it counts as armed; a new one does not."""
    plan = replace(lenient(), armed=False, keeps_armed=True, settings={"mode": "advisory"})
    assert not is_armed(plan, Restorer(store).restore(plan, 1.0))
    store.loss = "the file was damaged"
    assert is_armed(plan, Restorer(store).restore(plan, 1.0))


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


class StoreOfLogs(SqliteStore):
    """A store that knows what was published, and which logs went back."""

    published = -1
    gone: tuple[LogReset, ...] = ()

    def published_epoch(self, model: str) -> int:
        """The epoch of the test."""
        del model
        return self.published

    def resets(self, model: str) -> Sequence[LogReset]:
        """The logs of the test."""
        del model
        return self.gone


@pytest.mark.parametrize(("published", "epoch"), [(-1, 7), (5, 7), (7, 9), (90, 92)])
def test_state_whose_log_went_back_begins_again_in_safe_mode(tmp_path: Path, published: int, epoch: int) -> None:
    """Nothing of the old log is counted, an event names the log, and gateways take the modes as newer."""
    store = StoreOfLogs(tmp_path / "tightrope.db")
    store.published, store.gone = published, (LogReset("tightrope.comparisons", "made_anew", "it was made anew"),)
    state = replace(initial_state(lenient()), epoch=5, log="l", watermarks={0: 9}, stale=3)
    store.save("log", {}, {"m": record_codec.encode_state(state)}, [])
    judge_round = restore(store)
    told, *entered = judge_round.events
    assert (told.kind, told.detail) == (LOG_WENT_BACK, {"topic": "tightrope.comparisons", "cause": "made_anew"})
    assert told.reason.startswith("it was made anew: ")
    assert [(event.kind, event.reason) for event in entered] == [(Input.UNREADABLE, "it was made anew")] * 4
    after = judge_round.states["m"]
    assert all(mode.safe and mode.unread for mode in after.modes)
    assert (after.watermarks, after.log, after.stale) == ({}, "", 0)
    assert after.epoch >= epoch


def test_state_older_than_the_published_modes_passes_them(tmp_path: Path) -> None:
    """Gateways would ignore its epochs; nothing else changes, and nothing is told."""
    store = StoreOfLogs(tmp_path / "tightrope.db")
    store.published = 41
    store.save("log", {}, {"m": record_codec.encode_state(replace(initial_state(lenient()), epoch=5))}, [])
    judge_round = restore(store)
    assert judge_round.states["m"].epoch == 42
    assert judge_round.events == []


def test_state_that_does_not_fit_its_plan_begins_safe(store: SqliteStore) -> None:
    """A judge that went on from it would fail at every start."""
    state = initial_state(lenient())
    cells = replace(state.cells[0], log_mass=state.cells[0].log_mass[..., :2])
    store.save("log", {}, {"m": record_codec.encode_state(replace(state, cells=(cells,)))}, [])
    judge_round = restore(store)
    assert all(mode.unread for mode in judge_round.states["m"].modes)
    assert "the cells of disagreement are not those of its plan" in judge_round.events[0].reason


def test_state_of_another_order_of_subgroups_keeps_its_modes_by_name(store: SqliteStore) -> None:
    """Its evidence starts anew, which is told; it is not unreadable."""
    plan = replace(lenient(), settings={"mode": "armed"})
    other = replace(plan, scopes=(plan.scopes[0], *reversed(plan.scopes[1:])))
    state = initial_state(other)
    modes = (*state.modes[:-1], replace(state.modes[-1], state=ModeState.SAFE, since=1.0))
    settings = judged_settings(plan, state)
    state = replace(state, modes=modes, retained=replace(state.retained, settings=settings))
    store.save("log", {}, {"m": record_codec.encode_state(state)}, [])
    restored = restore(store).states["m"]
    after, _ = deploy(plan, restored, Cause(NOW))
    assert [scope for scope, mode in zip(after.scopes, after.modes, strict=True) if mode.safe] == [other.scopes[-1]]
    assert after.scopes == plan.scopes
    (told,) = change_events(plan, restored, after, NOW, HOST)
    assert told.reason == "the subgroups are in another order; the evidence starts anew"
