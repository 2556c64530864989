"""One round of the judge with labels: what is joined, what waits, what is given up; each once."""

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

from tests.support.judgement.comparisons import bits, comparisons, plan, seen, waiting
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, truths
from tightrope.monitors.decide import Cause
from tightrope.monitors.latency import Objective
from tightrope.monitors.plan import Plan, State, start
from tightrope.monitors.records import Comparisons, Event, Label, Stream
from tightrope.monitors.records import Traffic as Note
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import Docket


class Office:
    """A store, and the state that is carried from round to round."""

    def __init__(self, path: Path, of: Plan | None = None) -> None:
        self.plan = of or labelled()
        self.state = start(self.plan)
        self.store = SqliteStore(path / "tightrope.db")
        self.events: list[Event] = []

    def round(self, *given: Comparisons | Sequence[Label] | Note, expire: float | None = None) -> Docket:
        """Take these records, and save."""
        docket = Docket({"m": self.plan}, {"m": self.state}, self.store, "host")
        assert not list(docket.take([Record("topic", 0, place, None, _bytes(one)) for place, one in enumerate(given)]))
        if expire is not None:
            docket.expire(self.plan, expire, float("-inf"))
        self.store.save("log", docket.positions, {}, docket.events, docket.pending)
        self.state = docket.states["m"]
        self.events += docket.events
        return docket

    @property
    def labels(self) -> dict[str, int]:
        """What became of labels, but for what never happened."""
        return {name: count for name, count in self.state.labels.items() if count}

    @property
    def learnt(self) -> int:
        """Labelled rows, judged and of the open tick."""
        return learnt(self.state)


def learnt(state: State) -> int:
    """Labelled rows, judged and of the open tick."""
    waiting = state.pending.get(Stream.LABELS)
    return state.seen[Stream.LABELS] + (0 if waiting is None else len(waiting))


def _bytes(one: Comparisons | Sequence[Label] | Note) -> bytes:
    if isinstance(one, Comparisons):
        return record_codec.encode_comparisons(one)
    return record_codec.encode_traffic(one) if isinstance(one, Note) else record_codec.encode_labels(one)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """With a plan that takes labels."""
    return Office(tmp_path)


ROWS, LATER = batches(2)


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("first", ["rows", "labels"])
def test_row_and_label_meet_whichever_came_first(office: Office, first: str, rounds: int) -> None:
    """In one round or in two; once."""
    given: list[Comparisons | Sequence[Label]] = [ROWS, truths(ROWS)]
    given = given if first == "rows" else given[::-1]
    for part in [given] if rounds == 1 else [[one] for one in given]:
        office.round(*part)
    assert (office.labels, office.learnt) == ({"joined": 10}, 10)
    assert office.store.waiting("m", [(name, 0) for name in ROWS.request_id]) == {}


def test_labels_out_of_order_each_find_their_row(office: Office) -> None:
    """They are judged in the order in which they came."""
    office.round(ROWS, LATER)
    office.round([*truths(LATER)[::-1], *truths(ROWS)[::-1]])
    assert office.labels == {"joined": 20}
    waiting = office.state.pending[Stream.LABELS]
    assert waiting.request_id == tuple(f"{name}#0" for name in ROWS.request_id[3::-1])
    assert office.state.seen[Stream.LABELS] == 16


@pytest.mark.parametrize("rounds", [1, 3])
def test_label_that_comes_twice_counts_once(office: Office, rounds: int) -> None:
    """In one record, in one round or in two, before its row or after."""
    parts: list[Comparisons | Sequence[Label]] = [[*truths(ROWS), *truths(ROWS)[:2]], ROWS, truths(ROWS, truth=1)[:3]]
    for part in [parts] if rounds == 1 else [[one] for one in parts]:
        office.round(*part)
    assert (office.labels, office.learnt) == ({"joined": 10, "duplicate": 5}, 10)


@pytest.mark.parametrize("rounds", [1, 2])
def test_label_that_comes_twice_counts_once_even_if_its_row_does_too(office: Office, rounds: int) -> None:
    """The row that is delivered again is not a new one, though it is in this round's hands."""
    office.round(ROWS, truths(ROWS))
    parts = [ROWS, truths(ROWS, truth=1)]
    for part in [parts] if rounds == 1 else [[one] for one in parts]:
        office.round(*part)
    assert (office.labels, office.learnt) == ({"joined": 10, "duplicate": 10}, 10)


def test_label_of_another_plan_s_row_is_stale(office: Office) -> None:
    """The row was compared under another configuration, or with another artefact: it says nothing of this one."""
    office.round(ROWS)
    office.plan = labelled(digest="d2")
    docket = Docket({"m": office.plan}, {"m": office.state}, office.store, "host")
    docket.deploy(office.plan, office.state, Cause(NOW))
    office.state = docket.states["m"]
    office.round(truths(ROWS))
    assert (office.labels, office.learnt) == ({"stale": 10}, 0)
    office.round(replace(LATER, compressed_digest="c0"), truths(LATER))
    assert (office.labels, office.learnt) == ({"stale": 20}, 0)


def test_rows_of_other_subgroups_harm_nobody_when_their_labels_come(office: Office) -> None:
    """A worker that still knows the old configuration: their memberships do not fit today's scopes."""
    office.round(comparisons(10, scopes=("old=group",), time=NOW))
    office.round(truths(ROWS.take(slice(0, 0))), ROWS)
    strange = [Label("m", f"0-{n}", 0, 0, NOW) for n in range(10)]
    office.round(strange)
    assert office.labels == {"stale": 10}


def test_what_waited_too_long_is_expired_or_unknown(office: Office) -> None:
    """Rows without a label and labels without a row, each counted once; the label comes too late then."""
    old = batches(1, begin=NOW - 2 * HORIZON)[0]
    nobody = [Label("m", "nobody", n, 0, NOW - 2 * HORIZON) for n in range(3)]
    office.round(old, LATER, nobody)
    office.round(expire=NOW)
    assert office.labels == {"expired": 10, "unknown": 3}
    office.round(expire=NOW)
    office.round(truths(old))
    assert office.labels == {"expired": 10, "unknown": 3}
    office.round(truths(LATER))
    assert office.labels == {"expired": 10, "unknown": 3, "joined": 10}


def test_row_that_got_its_label_in_the_last_moment_is_not_expired(office: Office) -> None:
    """Nor is its label unknown, if that came first: what was joined in this round does not wait on file any more."""
    old = batches(2, begin=NOW - 2 * HORIZON)
    office.round(old[0], truths(old[1], time=NOW - 2 * HORIZON))
    office.round(truths(old[0]), old[1], expire=NOW)
    assert office.labels == {"joined": 20}
    office.round(expire=NOW)
    assert office.labels == {"joined": 20}


def test_expiry_waits_until_time_has_moved_on(office: Office) -> None:
    """A hundredth of the horizon: looking through all that waits at every round would cost too much."""
    docket = Docket({"m": office.plan}, {"m": office.state}, office.store, "host")
    first = docket.expire(office.plan, NOW, float("-inf"))
    assert first == NOW - HORIZON
    assert docket.expire(office.plan, NOW + 999, first) == first
    assert docket.expire(office.plan, NOW + 1000, first) == first + 1000


def test_plan_without_labels_holds_nothing(tmp_path: Path) -> None:
    """No row waits for what will never come."""
    office = Office(tmp_path, plan("disagreement"))
    office.round(ROWS)
    assert office.store.held("m", [(name, 0) for name in ROWS.request_id]) == {}


def test_label_for_another_model_is_refused(office: Office) -> None:
    """Whoever sent it finds it among the dead records."""
    docket = Docket({"m": office.plan}, {"m": office.state}, office.store, "host")
    for value in (
        record_codec.encode_labels([Label("n", "r", 0, 0, 1.0)]),
        record_codec.encode_traffic(Note("n", 1.0, 1, 1.0)),
    ):
        ((record, error),) = docket.take([Record("topic", 0, 7, None, value)])
        assert (record.value, str(error)) == (value, "model: 'n' is not judged here")
    assert docket.positions == {("topic", 0): 8}


@settings(deadline=None, max_examples=20)
@given(cuts=st.sets(st.integers(1, 19)), seed=st.integers(0, 9))
def test_rounds_of_many_records_come_to_the_same_as_one_record_each(cuts: set[int], seed: int) -> None:
    """State, events and what waits on disk, with labels, notes and two artefacts among the records."""
    rows = batches(20, rows=7, begin=NOW + seed)
    records: list[Any] = [*rows[:6], truths(rows[2]), replace(rows[6], compressed_digest="old"), *rows[7:12]]
    records += [Note("m", NOW, 3, NOW), *rows[12:], truths(rows[15]), truths(rows[1])]
    endings = []
    for bounds in ([0, *sorted(cuts), len(records)], range(len(records) + 1)):
        with TemporaryDirectory() as folder:
            office = Office(Path(folder))
            for begin, end in pairwise(bounds):
                office.round(*records[begin:end])
            keys = [(name, 0) for batch in rows for name in batch.request_id]
            held = {key: bits(row) for key, row in office.store.held("m", keys).items()}
            endings.append((bits(office.state), office.events, held))
            office.store.close()
    assert endings[0] == endings[1]


def test_bad_record_among_good_ones_is_passed_over_alone(office: Office) -> None:
    """The others are judged, whether before or behind it; garbage as well as numbers that cannot be counted."""
    first, second, third, fourth = batches(4)
    bad = replace(second, confidence_compressed=np.full(len(second), 7.0))
    values = [record_codec.encode_comparisons(batch) for batch in (first, bad, third)]
    values += [b"garbage", record_codec.encode_comparisons(fourth)]
    office.plan = plan("disagreement", "confidence", tick_rows=16)
    office.state = start(office.plan)
    docket = Docket({"m": office.plan}, {"m": office.state}, office.store, "host")
    passed = [record.offset for record, _ in docket.take([Record("t", 0, at, None, v) for at, v in enumerate(values)])]
    assert sorted(passed) == [1, 3]
    assert docket.positions == {("t", 0): 5}
    assert seen(docket.states["m"]) + len(waiting(docket.states["m"])) == 3 * len(first)


def test_harm_that_only_labels_show_trips_the_model(office: Office) -> None:
    """Both models are equally sure, and the compressed one is wrong where they differ."""
    office.plan = labelled(rules=tuple(rule for rule in labelled().rules if rule.question.name == "accuracy"))
    office.state = start(office.plan)
    for batch in batches(60, rows=40):
        office.round(batch, truths(batch))
    breach = next(event for event in office.events if event.kind == "breach")
    assert breach.scope == "model"
    assert breach.reason.startswith("accuracy 0.2")
    assert breach.detail["labels"] > 0  # type: ignore[operator]
    assert office.state.modes[0].safe


def test_broken_and_kept_latency_objective_are_events(tmp_path: Path) -> None:
    """Each once, with the objective in words; nobody is moved."""
    office = Office(tmp_path, plan("disagreement", objective=Objective(0.5, 0.01, samples=10.0)))
    for begin, seconds in ((0, 1.0), (640, 1.0), (1280, 0.1)):
        rows = comparisons(640, offset=begin + np.arange(640), time=begin + np.arange(640), seconds=seconds)
        office.round(rows)
    assert [event.kind for event in office.events] == ["latency-breach", "latency-met"]
    assert office.events[0].reason == "more than 1.00% of answers took over 0.5 s"
    assert len({event.id for event in office.events}) == 2
    assert not any(mode.safe for mode in office.state.modes)


def test_traffic_that_nobody_compares_trips_the_model(office: Office) -> None:
    """The event has the notes' time, and the routes follow."""
    office.round(Note("m", NOW, 5, NOW))
    docket = office.round(Note("m", NOW + 60, 5, NOW + 55), Note("m", NOW + 65, 5, NOW + 60))
    assert [(event.kind, event.time) for event in office.events] == [("blind", NOW + 60)]
    assert [route.safe for route in docket.routes] == [("model",)]
