"""One round of the judge with labels: each row and label is joined, kept or expired once."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, judged_count, make_comparisons, make_plan, open_tick_rows
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, truths
from tightrope.monitors.decide import Cause
from tightrope.monitors.label_records import Label
from tightrope.monitors.latency import LatencyObjective
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons, Event, Stream, Traffic
from tightrope.service.adapters.ports import OverduePortion, Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import JudgeRound


class RoundRunner:
    """A store, and the state that passes from round to round."""

    def __init__(self, path: Path, plan: Plan | None = None) -> None:
        self.plan = plan or labelled()
        self.state = initial_state(self.plan)
        self.store = SqliteStore(path / "tightrope.db")
        self.events: list[Event] = []

    def round(self, *given: Comparisons | Sequence[Label] | Traffic, expire: float | None = None) -> JudgeRound:
        """Process these records, and save."""
        judged = JudgeRound({"m": self.plan}, {"m": self.state}, self.store, "host")
        assert not list(
            judged.process([Record("topic", 0, offset, None, _bytes(one)) for offset, one in enumerate(given)])
        )
        if expire is not None:
            judged.expire(self.plan, OverduePortion(0.0, expire - HORIZON, full=False), expire)
        self.store.save("log", judged.positions, {}, judged.events, judged.pending)
        self.state = judged.states["m"]
        self.events += judged.events
        return judged

    @property
    def labels(self) -> dict[str, int]:
        """The label counts that are not zero."""
        return {name: count for name, count in self.state.labels.items() if count}

    @property
    def labelled_rows(self) -> int:
        """The labelled rows, judged and of the open tick."""
        return count_labelled_rows(self.state)


def count_labelled_rows(state: State) -> int:
    """Count the labelled rows, judged and of the open tick."""
    pending = state.pending.get(Stream.LABELS)
    return state.seen[Stream.LABELS] + (0 if pending is None else len(pending))


def _bytes(one: Comparisons | Sequence[Label] | Traffic) -> bytes:
    if isinstance(one, Comparisons):
        return record_codec.encode_comparisons(one)
    return record_codec.encode_traffic(one) if isinstance(one, Traffic) else record_codec.encode_labels(one)


@pytest.fixture
def runner(tmp_path: Path) -> RoundRunner:
    """Provide a runner whose plan has labels."""
    return RoundRunner(tmp_path)


ROWS, LATER = batches(2)


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("first", ["rows", "labels"])
def test_row_and_label_are_joined_in_either_order(runner: RoundRunner, first: str, rounds: int) -> None:
    """They are joined once, in one round or in two."""
    given: list[Comparisons | Sequence[Label]] = [ROWS, truths(ROWS)]
    given = given if first == "rows" else given[::-1]
    for part in [given] if rounds == 1 else [[one] for one in given]:
        runner.round(*part)
    assert (runner.labels, runner.labelled_rows) == ({"joined": 10}, 10)
    assert runner.store.pending_labels("m", [(name, 0) for name in ROWS.request_id]) == {}


def test_labels_out_of_order_each_find_their_row(runner: RoundRunner) -> None:
    """They are judged in the order in which they arrive."""
    runner.round(ROWS, LATER)
    runner.round([*truths(LATER)[::-1], *truths(ROWS)[::-1]])
    assert runner.labels == {"joined": 20}
    pending = runner.state.pending[Stream.LABELS]
    assert pending.request_id == tuple(f"{name}#0" for name in ROWS.request_id[3::-1])
    assert runner.state.seen[Stream.LABELS] == 16


@pytest.mark.parametrize("rounds", [1, 3])
def test_label_that_comes_twice_counts_once(runner: RoundRunner, rounds: int) -> None:
    """The repeat may be in the same record, round or a later one, before or after the row."""
    parts: list[Comparisons | Sequence[Label]] = [[*truths(ROWS), *truths(ROWS)[:2]], ROWS, truths(ROWS, truth=1)[:3]]
    for part in [parts] if rounds == 1 else [[one] for one in parts]:
        runner.round(*part)
    assert (runner.labels, runner.labelled_rows) == ({"joined": 10, "duplicate": 5}, 10)


@pytest.mark.parametrize("rounds", [1, 2])
def test_label_that_comes_twice_counts_once_even_if_its_row_does_too(runner: RoundRunner, rounds: int) -> None:
    """A redelivered row does not make the label count again."""
    runner.round(ROWS, truths(ROWS))
    parts = [ROWS, truths(ROWS, truth=1)]
    for part in [parts] if rounds == 1 else [[one] for one in parts]:
        runner.round(*part)
    assert (runner.labels, runner.labelled_rows) == ({"joined": 10, "duplicate": 10}, 10)


def test_label_for_a_row_of_another_plan_is_stale(runner: RoundRunner) -> None:
    """The row was compared under another configuration or with another artefact."""
    runner.round(ROWS)
    runner.plan = labelled(digest="d2")
    judged = JudgeRound({"m": runner.plan}, {"m": runner.state}, runner.store, "host")
    judged.deploy(runner.plan, runner.state, Cause(NOW))
    runner.state = judged.states["m"]
    runner.round(truths(ROWS))
    assert (runner.labels, runner.labelled_rows) == ({"stale": 10}, 0)
    runner.round(replace(LATER, compressed_digest="c0"), truths(LATER))
    assert (runner.labels, runner.labelled_rows) == ({"stale": 20}, 0)


def test_labels_for_rows_with_other_subgroups_are_stale(runner: RoundRunner) -> None:
    """A worker with the old configuration sends memberships that do not fit the current scopes."""
    runner.round(make_comparisons(10, scopes=("old=group",), time=NOW))
    runner.round(truths(ROWS.take(slice(0, 0))), ROWS)
    strange = [Label("m", f"0-{n}", 0, 0, NOW) for n in range(10)]
    runner.round(strange)
    assert runner.labels == {"stale": 10}


def test_overdue_rows_expire_and_overdue_labels_are_unknown(runner: RoundRunner) -> None:
    """Each counts once; a label that arrives later joins nothing."""
    old = batches(1, begin=NOW - 2 * HORIZON)[0]
    unknown = [Label("m", "nobody", n, 0, NOW - 2 * HORIZON) for n in range(3)]
    runner.round(old, LATER, unknown)
    runner.round(expire=NOW)
    assert runner.labels == {"expired": 10, "unknown": 3}
    runner.round(expire=NOW)
    runner.round(truths(old))
    assert runner.labels == {"expired": 10, "unknown": 3, "late": 10}
    runner.round(truths(LATER))
    assert runner.labels == {"expired": 10, "unknown": 3, "late": 10, "joined": 10}


def test_row_joined_before_its_expiry_is_not_expired(runner: RoundRunner) -> None:
    """Nor is one whose label came first."""
    old = batches(2, begin=NOW - 2 * HORIZON)
    runner.round(old[0], truths(old[1], time=NOW - 2 * HORIZON))
    runner.round(truths(old[0]), old[1])
    assert runner.labels == {"joined": 20}
    runner.round(expire=NOW)
    assert runner.labels == {"joined": 20}


def test_plan_without_labels_keeps_no_rows(tmp_path: Path) -> None:
    """No label will come for them."""
    runner = RoundRunner(tmp_path, make_plan("disagreement"))
    runner.round(ROWS)
    assert runner.store.pending_rows("m", [(name, 0) for name in ROWS.request_id]) == {}


def test_label_for_another_model_is_refused(runner: RoundRunner) -> None:
    """The record is skipped with the reason."""
    judged = JudgeRound({"m": runner.plan}, {"m": runner.state}, runner.store, "host")
    for value in (
        record_codec.encode_labels([Label("n", "r", 0, 0, 1.0)]),
        record_codec.encode_traffic(Traffic("n", 1.0, 1, 1.0)),
    ):
        ((record, error),) = judged.process([Record("topic", 0, 7, None, value)])
        assert (record.value, str(error)) == (value, "model: 'n' is not judged here")
    assert judged.positions == {("topic", 0): 8}


@settings(deadline=None, max_examples=20)
@given(cuts=st.sets(st.integers(1, 19)), seed=st.integers(0, 9))
def test_result_is_independent_of_the_rounds(cuts: set[int], seed: int) -> None:
    """State, events and pending rows are equal, with labels, notes and two artefacts among the records."""
    rows = batches(20, rows=7, begin=NOW + seed)
    records: list[Any] = [*rows[:6], truths(rows[2]), replace(rows[6], compressed_digest="old"), *rows[7:12]]
    records += [Traffic("m", NOW, 3, NOW), *rows[12:], truths(rows[15]), truths(rows[1])]
    endings = []
    for bounds in ([0, *sorted(cuts), len(records)], range(len(records) + 1)):
        with TemporaryDirectory() as folder:
            runner = RoundRunner(Path(folder))
            for begin, end in pairwise(bounds):
                runner.round(*records[begin:end])
            keys = [(name, 0) for batch in rows for name in batch.request_id]
            held = {key: bit_exact(row) for key, row in runner.store.pending_rows("m", keys).items()}
            endings.append((bit_exact(runner.state), runner.events, held))
            runner.store.close()
    assert endings[0] == endings[1]


def test_bad_record_among_good_ones_is_skipped_alone(runner: RoundRunner) -> None:
    """Garbage and invalid numbers are skipped; records before and after them are judged."""
    first, second, third, fourth = batches(4)
    bad = replace(second, confidence_compressed=np.full(len(second), 7.0))
    values = [record_codec.encode_comparisons(batch) for batch in (first, bad, third)]
    values += [b"garbage", record_codec.encode_comparisons(fourth)]
    runner.plan = make_plan("disagreement", "confidence", tick_rows=16)
    runner.state = initial_state(runner.plan)
    judged = JudgeRound({"m": runner.plan}, {"m": runner.state}, runner.store, "host")
    passed = [
        record.offset for record, _ in judged.process([Record("t", 0, at, None, v) for at, v in enumerate(values)])
    ]
    assert sorted(passed) == [1, 3]
    assert judged.positions == {("t", 0): 5}
    assert judged_count(judged.states["m"]) + len(open_tick_rows(judged.states["m"])) == 3 * len(first)


def test_harm_that_only_labels_show_is_a_breach(runner: RoundRunner) -> None:
    """Both models are equally confident, and the compressed one is wrong where they differ."""
    runner.plan = labelled(rules=tuple(rule for rule in labelled().rules if rule.monitor.name == "accuracy"))
    runner.state = initial_state(runner.plan)
    for batch in batches(60, rows=40):
        runner.round(batch, truths(batch))
    breach = next(event for event in runner.events if event.kind == "breach")
    assert breach.scope == "model"
    assert breach.reason.startswith("accuracy 0.2")
    assert breach.detail["labels"] > 0  # type: ignore[operator]
    assert runner.state.modes[0].safe


def test_broken_and_kept_latency_objective_are_events(tmp_path: Path) -> None:
    """Each change is one event with the objective in its reason; no mode changes."""
    runner = RoundRunner(tmp_path, make_plan("disagreement", objective=LatencyObjective(0.5, 0.01, samples=10.0)))
    for begin, seconds in ((0, 1.0), (640, 1.0), (1280, 0.1)):
        rows = make_comparisons(640, offset=begin + np.arange(640), time=begin + np.arange(640), seconds=seconds)
        runner.round(rows)
    assert [event.kind for event in runner.events] == ["latency-breach", "latency-met"]
    assert runner.events[0].reason == "more than 1.00% of answers took over 0.5 s"
    assert len({event.id for event in runner.events}) == 2
    assert not any(mode.safe for mode in runner.state.modes)


def test_uncompared_traffic_leads_to_safe_mode(runner: RoundRunner) -> None:
    """The event has the notes' time, and routes follow."""
    runner.round(Traffic("m", NOW, 5, NOW))
    judged = runner.round(Traffic("m", NOW + 60, 5, NOW + 55), Traffic("m", NOW + 65, 5, NOW + 60))
    assert [(event.kind, event.time) for event in runner.events] == [("blind", NOW + 60)]
    assert [route.safe for route in judged.routes] == [("model",)]


def test_rows_of_a_gateway_of_the_first_release_are_judged(tmp_path: Path) -> None:
    """While a cluster is upgraded, gateways that know no ``attribute=other`` go on sending: their rows are evidence,
    and their labels are joined.
    """
    today = labelled(scopes=(*ROWS.scopes[:-1], "group=other", ROWS.scopes[-1]))
    runner = RoundRunner(tmp_path, today)
    runner.round(ROWS)
    runner.round(truths(ROWS))
    assert (runner.state.stale, runner.labels) == (0, {"joined": len(ROWS)})
    assert judged_count(runner.state) + len(open_tick_rows(runner.state)) == len(ROWS)
