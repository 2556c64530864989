"""Labels and rows of a round: tests/shadow/test_judge_round.py has each way in which they meet."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.judge_harness import JudgeHarness
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, publish_labels, truths
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import initial_state
from tightrope.service.adapters.ports import OverduePortion
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.shadow import judge as judge_module
from tightrope.shadow.intake import label_expiry
from tightrope.shadow.judge_round import JudgeRound


def test_rows_of_an_earlier_judge_find_their_labels(tmp_path: Path) -> None:
    """A restored row is joined with a label of this round; nothing of it is counted as compared again."""
    plan = labelled()
    judge_round = JudgeRound({"m": plan}, {"m": initial_state(plan)}, SqliteStore(tmp_path / "db"), "host", NOW)
    (rows,) = batches(1)
    judge_round.restore_rows(plan, rows, {}, 0.0)
    judge_round.add_labels(truths(rows))
    assert judge_round.states["m"].labels["joined"] == len(rows)
    assert judge_round.states["m"].compared[0] == 0


def test_portion_that_waited_too_long_is_counted_and_dropped(tmp_path: Path) -> None:
    """Rows without their label expire, and labels without their row are unknown; later ones stay."""
    plan, store = labelled(), SqliteStore(tmp_path / "db")
    first = JudgeRound({"m": plan}, {"m": initial_state(plan)}, store, "host", NOW)
    early, late = batches(2)
    first.restore_rows(plan, early, {}, 0.0)
    first.restore_rows(plan, late, {}, 0.0)
    first.add_labels([Label("m", "nobody", 0, 1, float(early.time[0]))])
    store.save("log", {}, {}, [], first.pending)
    second = JudgeRound({"m": plan}, {"m": initial_state(plan)}, store, "host", NOW)
    second.expire(plan, OverduePortion(0.0, float(late.time[0]), full=False), NOW)
    assert {name: count for name, count in second.states["m"].labels.items() if count} == {
        "expired": len(early),
        "unknown": 1,
    }
    store.save("log", {}, {}, [], second.pending)
    assert store.pending_rows("m", [(name, 0) for name in early.request_id + late.request_id]).keys() == {
        (name, 0) for name in late.request_id
    }


def judged(harness: JudgeHarness, clock: list[float], now: float, *labels: Label) -> dict[str, int]:
    """The labels by outcome, after these were published and judged at a time."""
    clock[0] = now
    publish_labels(harness, list(labels))
    judge = harness.judge()
    harness.drain(judge)
    harness.write_put_off()
    return {name: count for name, count in harness.saved_state().labels.items() if count}


def test_label_after_the_horizon_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not `unknown`: its row was compared and given up. So it is after a restart, for as long as the row had
    waited; a label that no row ever had is unknown as before.
    """
    clock = [NOW]
    monkeypatch.setattr(judge_module.time, "time", lambda: clock[0])
    monkeypatch.setattr(label_expiry, "EXPIRY_CHECK_SECONDS", 0.0)
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    (rows,) = batches(1)
    harness.publish(rows)
    in_time, *overdue = truths(rows)
    assert judged(harness, clock, NOW, in_time) == {"joined": 1}
    assert judged(harness, clock, NOW + HORIZON) == {"joined": 1, "expired": 9}
    late = [replace(label, time=clock[0]) for label in overdue]
    assert judged(harness, clock, NOW + HORIZON, *late[:4]) == {"joined": 1, "expired": 9, "late": 4}
    harness.reopen()
    nobody = Label("m", "nobody", 0, 0, clock[0])
    again = replace(in_time, time=clock[0])
    counts = {"joined": 1, "expired": 9, "late": 10}
    assert judged(harness, clock, NOW + HORIZON + 1, *late[4:], nobody, again) == counts
    assert judged(harness, clock, NOW + 3 * HORIZON) == counts | {"unknown": 1}
    forgotten = replace(late[0], time=clock[0])
    assert judged(harness, clock, clock[0], forgotten) == counts | {"unknown": 1}
    assert judged(harness, clock, NOW + 5 * HORIZON) == counts | {"unknown": 2}
