"""Labels and rows of a round: tests/shadow/test_judge_round.py has each way in which they meet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.judge_harness import JudgeHarness
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, publish_labels, truths
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Comparisons, Stream
from tightrope.service.adapters.ports import OverduePortion, Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire.record_codec import encode_comparisons, encode_labels
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


def differing(n: int) -> list[Comparisons]:
    """Batches in which each fifth row is a disagreement."""
    return [replace(rows, disagree=rows.top_compressed != rows.top_baseline) for rows in batches(n)]


def test_label_of_another_probability_than_the_draws_is_undrawn(tmp_path: Path) -> None:
    """It joined its row and says nothing about the rows without one; a label without any says what it always did."""
    plan = labelled()
    for probability, undrawn, judged_rows in ((0.5, 2, 0), (1.0, 0, 2), (0.0, 0, 2)):
        store = SqliteStore(tmp_path / f"{probability}")
        judge_round = JudgeRound({"m": plan}, {"m": initial_state(plan)}, store, "host", NOW)
        (rows,) = differing(1)
        assert list(judge_round.process([Record("c", 0, 0, None, encode_comparisons(rows))])) == []
        labels = [one for one, differs in zip(truths(rows), rows.disagree, strict=True) if differs]
        judge_round.add_labels([replace(one, probability=probability) for one in labels])
        state = judge_round.states["m"]
        assert (state.labels["joined"], state.labels.get("undrawn", 0)) == (2, undrawn)
        assert len(state.pending[Stream.LABELS]) if judged_rows else Stream.LABELS not in state.pending


def test_label_with_a_probability_has_to_be_vouched_for(tmp_path: Path) -> None:
    """It may hold a fallback back: one of a program without the cluster's secret joins nothing. A plain label says what
    it always did, and the genuine one finds its row afterwards.
    """
    plan = labelled()
    judge_round = JudgeRound({"m": plan}, {"m": initial_state(plan)}, SqliteStore(tmp_path / "db"), "host", NOW)
    (rows,) = differing(1)
    list(judge_round.process([Record("c", 0, 0, None, encode_comparisons(rows))]))
    differs = int(np.flatnonzero(rows.disagree)[0])
    plain = [one for one, differing_row in zip(truths(rows), rows.disagree, strict=True) if not differing_row][:1]
    drawn = [replace(truths(rows)[differs], probability=1.0)]
    foreign = [Record("l", 0, n, None, encode_labels(labels), genuine=False) for n, labels in enumerate((plain, drawn))]
    genuine = Record("l", 0, 2, None, encode_labels(drawn))
    for records, counts in ((foreign, {"joined": 1, "undrawn": 1}), ([genuine], {"joined": 2, "undrawn": 1})):
        assert list(judge_round.process(records)) == []
        assert {name: count for name, count in judge_round.states["m"].labels.items() if count} == counts


def test_rows_between_drawn_disagreements_are_counted_once(tmp_path: Path) -> None:
    """Also where rows are delivered again, and in a round after the first."""
    plan, store = labelled(), SqliteStore(tmp_path / "db")
    state = initial_state(plan)
    first, second = differing(2)
    for number, rows in enumerate((first, first, second)):
        judge_round = JudgeRound({"m": plan}, {"m": state}, store, "host", NOW)
        list(judge_round.process([Record("c", 0, number, None, encode_comparisons(rows))]))
        state = judge_round.states["m"]
        store.save("log", {}, {}, [], judge_round.pending)
    keys = [(name, 0) for rows in (first, second) for name in rows.request_id]
    held = store.pending_rows("m", keys)
    counted = [held[key].agreed[0] for key in keys if held[key].agreed]
    assert counted == [0, 4, 4, 4]
    assert state.veto.agreed[0] == 4
    assert {held[key].request_rows[0] for key in keys if held[key].agreed} == {1}


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
