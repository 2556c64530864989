"""Every stored time that is later subtracted survives clocks that jump, restarts in between included."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.service.adapters.sqlite.test_pending_labels import held, label
from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tests.support.judgement.labelled_judge import labelled
from tightrope.monitors import watch
from tightrope.monitors.elapsed import elapsed, not_after
from tightrope.monitors.intake.sight_notes import LOST_BEGAN, NOTE_SECONDS, missing_sight
from tightrope.monitors.latency import LatencyObjective, fold_rows
from tightrope.monitors.plan import Plan, State, initial_state, is_blind
from tightrope.monitors.records import Traffic
from tightrope.monitors.safemode import Input, Mode, ModeState, Policy, next_mode
from tightrope.service.adapters.ports import PendingChanges
from tightrope.service.adapters.sqlite.alert_outbox import AlertTable, StoredAlert
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.intake.label_expiry import LabelExpiry
from tightrope.shadow.judge_round import JudgeRound

NOW = 1_000_000.0
AHEAD, BEHIND = 3e7, -3e7
"""A year, forward and back."""

POLICY = Policy(min_dwell=100.0, flap_window=1000.0, recovery_samples=10.0)


def plan(**changes: object) -> Plan:
    """Build a plan of disagreement, in ticks of sixteen rows; blind after a minute."""
    objective = LatencyObjective(seconds=0.2)
    return make_plan("disagreement", **{"tick_rows": 16, "policy": POLICY, "objective": objective} | changes)


def restarted(state: State, now: float) -> State:
    """Return the state as the next start finds it at this time."""
    return watch.settle_times(plan(), record_codec.decode_state(record_codec.encode_state(state)), now)[0]


def dwell_ends(jump: float, _: Path) -> bool:
    """Whether a scope that went to safe mode at a wrong time ends its dwell in the time of one dwell."""
    safe = next_mode(Mode(), Input.BREACH, NOW + jump, POLICY)
    state = restarted(replace(initial_state(plan()), modes=(safe, *initial_state(plan()).modes[1:])), NOW)
    state, _transitions = judge_rows(plan(), RowSource(time=NOW).rows(160, member=True), state=state)
    return not state.modes[0].dwelling


def flap_window_ends(jump: float, _: Path) -> bool:
    """Whether a breach long after a return at a wrong time is no flap."""
    returned = replace(Mode(), state=ModeState.NORMAL, returned=NOW + jump)
    state = restarted(replace(initial_state(plan()), modes=(returned, *initial_state(plan()).modes[1:])), NOW)
    return next_mode(state.modes[0], Input.BREACH, NOW + 1001.0, POLICY).flaps == 0


def blindness_comes(jump: float, _: Path) -> bool:
    """Whether traffic is still missed after a row, and after a notice, at a wrong time; and not before a minute."""
    state, _transitions = judge_rows(plan(), RowSource(time=NOW + jump).rows(16, member=True))
    state = restarted(state, NOW)
    early = watch.note_traffic(plan(), state, Traffic("m", NOW + 1, 5, NOW + 1))[0]
    late = watch.note_traffic(plan(), early, Traffic("m", NOW + 62, 5, NOW + 62))[0]
    return is_blind(plan(), late) and not is_blind(plan(), early)


def sight_is_kept(jump: float, _: Path) -> bool:
    """Whether a notice at a wrong time alone blinds no model after a restart."""
    state = watch.note_traffic(plan(), initial_state(plan()), Traffic("m", NOW - 1, 5, NOW - 1))[0]
    unanswered = replace(state.unanswered, until=max(NOW + jump, NOW - 1))
    return not is_blind(plan(), restarted(replace(state, unanswered=unanswered), NOW))


def sight_notes_end(jump: float, _: Path) -> bool:
    """Whether a gateway's note of a wrong time, which is not repeated, is forgotten once rows have come for a while."""
    told = restarted(replace(initial_state(plan()), sight_notes={LOST_BEGAN: {"model": NOW + jump}}), NOW)
    return not missing_sight(told.sight_notes, "model", NOW + NOTE_SECONDS + 1.0)


def latency_blocks_close(jump: float, _: Path) -> bool:
    """Whether blocks of latency go on after a row at a wrong time."""
    objective = LatencyObjective(seconds=0.2)
    wrong = fold_rows(objective, initial_state(plan()).latency, np.array([NOW + jump]), np.array([0.1]))
    state = restarted(replace(initial_state(plan()), latency=wrong), NOW)
    times = NOW + np.arange(100.0)
    return fold_rows(objective, state.latency, times, np.full(100, 0.1)).closed >= 9


def labels_expire(jump: float, folder: Path) -> bool:
    """Whether rows and labels of a wrong time are dropped after the horizon, and the expiry goes on after a jump."""
    watched = labelled()
    path = folder / "tightrope.db"
    store = SqliteStore(path)
    kept = held(time=NOW + jump)
    early = replace(label("x"), time=NOW + jump)
    change = PendingChanges(held={kept.key: kept}, waiting={("x", 0): early})
    store.save("l", {}, {}, [], {watched.model: change})
    store.close()
    store = SqliteStore(path)
    for now in (NOW, NOW + 1.1 * watched.label_horizon, NOW + 2.2 * watched.label_horizon):
        judge_round = JudgeRound({watched.model: watched}, {watched.model: initial_state(watched)}, store, "host", now)
        LabelExpiry(store).add_portion(judge_round, {watched.model: watched}, now)
        store.save("l", {}, {}, [], judge_round.pending)
    gone = not store.pending_rows(watched.model, [kept.key]) and not store.pending_labels(watched.model, [("x", 0)])
    store.close()
    return gone


def alert_grace_ends(jump: float, folder: Path) -> bool:
    """Whether an alert that ended at a wrong time is over after the grace."""
    row = StoredAlert({"model": "m"}, {}, NOW + jump)
    table = AlertTable(folder / "alerts.db")
    table.replace("m", [row], NOW)
    table.replace("m", [], NOW + jump + 60.0)
    table.close()
    table = AlertTable(folder / "alerts.db")
    table.settle_times(NOW, 60.0)
    table.mark_sent(table.all(), NOW + 61.0)
    over = table.all() == []
    table.close()
    return over


@pytest.mark.parametrize("jump", [0.0, AHEAD, BEHIND])
@pytest.mark.parametrize(
    "goes_on",
    [
        dwell_ends,
        flap_window_ends,
        blindness_comes,
        sight_is_kept,
        sight_notes_end,
        latency_blocks_close,
        labels_expire,
        alert_grace_ends,
    ],
)
def test_stored_time_survives_a_jump_and_a_restart(
    tmp_path: Path, goes_on: Callable[[float, Path], bool], jump: float
) -> None:
    """It was stored by a clock that was right, a year ahead or a year behind; the clock is right again."""
    assert goes_on(jump, tmp_path)


def test_future_counts_as_now() -> None:
    """Durations are never negative; the past is unchanged."""
    assert (elapsed(1.0, 3.0), elapsed(9.0, 3.0)) == (2.0, 0.0)
    assert (not_after(1.0, 3.0), not_after(9.0, 3.0)) == (1.0, 3.0)
    assert not_after(np.array([1.0, 9.0]), 3.0).tolist() == [1.0, 3.0]


def test_state_of_the_past_is_unchanged() -> None:
    """It is returned as it is, so nothing is saved or told."""
    state, _transitions = judge_rows(plan(), RowSource(time=NOW).rows(40))
    assert watch.settle_times(plan(), state, NOW + 40) == (state, 0.0)
    assert watch.settle_times(plan(), state, NOW + 40)[0] is state
