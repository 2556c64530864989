"""The judgement is a fold over rows: polling and redelivery change no bit of the state."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import (
    bit_exact,
    judge_rows,
    judged_count,
    make_comparisons,
    make_plan,
    open_tick_rows,
)
from tightrope.monitors.detector import BadObservationError
from tightrope.monitors.latency import LatencyObjective
from tightrope.monitors.migration import migrate_state
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons, Fault, Stream
from tightrope.monitors.safemode import Input, Policy
from tightrope.monitors.watch import step

ROWS = 600
PLAN, LANES = (
    make_plan(
        samples=samples,
        policy=Policy(min_dwell=20.0, flap_window=200.0, recovery_samples=recovery, recovery_ratio=0.99),
        tick_rows=16,
        tick_seconds=10.0,
        rates=np.array([0.6, 0.9, 0.6, 0.6]),
        objective=LatencyObjective(0.5, 0.1),
        lanes=lanes,
        classes=3,
    )
    for lanes, samples, recovery in ((1, 2e3, 10.0), (3, 2e2, 2.0))
)
PLANS = pytest.mark.parametrize("plan", [PLAN, LANES], ids=["one lane", "three lanes"])
CUTS = st.lists(st.integers(0, ROWS), max_size=12).map(sorted)


def make_stream(seed: int) -> Comparisons:
    """Build rows of two partitions, with faults, refusals, gaps in time, and harm that comes and goes."""
    rng = np.random.default_rng(seed)
    partition = rng.integers(0, 2, ROWS)
    fault = np.where(rng.random(ROWS) < 0.01, Fault.NOT_FINITE, Fault.NONE)
    confidence = np.where(fault == Fault.NONE, rng.random((2, ROWS)), np.nan)
    member = rng.random((ROWS, 3)) < 0.4
    harm = np.arange(ROWS) < ROWS // 3
    refused = rng.random(ROWS) < 0.1
    disagree, said = rng.random(ROWS) < np.where(harm & member[:, 0], 0.6, 0.002), rng.integers(0, 3, ROWS)
    return make_comparisons(
        ROWS,
        partition=partition,
        offset=np.where(partition == 0, np.cumsum(partition == 0), np.cumsum(partition == 1)),
        time=np.cumsum(rng.choice([0.0, 0.5, 12.0], ROWS, p=[0.3, 0.68, 0.02])),
        member=member,
        draw=rng.random(ROWS),
        disagree=disagree,
        confidence_baseline=0.5 + confidence[0] / 10,
        confidence_compressed=0.5 + confidence[1] / 10,
        refused_baseline=refused,
        refused_compressed=refused,
        fault=fault,
        top_baseline=said,
        top_compressed=(said + disagree) % 3,
        seconds=rng.random(ROWS),
        self_disagree=np.where(rng.random(ROWS) < 0.1, 0.0, np.nan),
        correct_baseline=rng.integers(0, 2, ROWS),
        correct_compressed=rng.integers(0, 2, ROWS),
    )


def split_rows(rows: Comparisons, cuts: list[int]) -> list[Comparisons]:
    """Split the rows into several batches, some of them empty."""
    return [rows.take(slice(begin, end)) for begin, end in pairwise([0, *cuts, ROWS])]


@PLANS
def test_stream_is_eventful(plan: Plan) -> None:
    """The streams of these tests have breaches, dwells, returns, faults and short ticks."""
    state, transitions = judge_rows(plan, make_stream(0))
    triggers = Counter(transition.trigger for transition in transitions)
    assert set(triggers) == {Input.BREACH, Input.DWELL_ELAPSED, Input.RECOVERED}
    assert state.errors[0] > 0
    assert 0 < len(open_tick_rows(state)) < 16
    assert judged_count(state) + len(open_tick_rows(state)) == ROWS


@PLANS
@pytest.mark.parametrize("stream", Stream)
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 5), cuts=CUTS)
def test_state_does_not_depend_on_how_rows_are_batched(plan: Plan, stream: Stream, seed: int, cuts: list[int]) -> None:
    """Any split gives the bit-identical state and equal transitions, for comparisons and for labels."""
    rows = make_stream(seed)
    assert bit_exact(judge_rows(plan, *split_rows(rows, cuts), stream=stream)) == bit_exact(
        judge_rows(plan, rows, stream=stream)
    )


@PLANS
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 5), cuts=CUTS, data=st.data())
def test_state_does_not_depend_on_redelivery(plan: Plan, seed: int, cuts: list[int], data: st.DataObject) -> None:
    """Batches that overlap earlier ones count only their new rows."""
    rows = make_stream(seed)
    batches = [
        rows.take(slice(data.draw(st.integers(0, begin), label="from"), end))
        for begin, end in pairwise([0, *cuts, ROWS])
    ]
    assert bit_exact(judge_rows(plan, *batches)) == bit_exact(judge_rows(plan, rows))


@settings(deadline=None, max_examples=20)
@given(cuts=CUTS)
def test_restart_between_batches_changes_nothing(cuts: list[int]) -> None:
    """A judge that restarts from its stored state under the same plan continues where it stopped."""
    rows = make_stream(1)
    state = initial_state(PLAN)
    for batch in split_rows(rows, cuts):
        state = migrate_state(PLAN, step(PLAN, state, batch)[0])
    assert bit_exact(state) == bit_exact(judge_rows(PLAN, rows)[0])


def test_step_does_not_modify_the_given_state() -> None:
    """The old state is still available when the new one cannot be saved."""
    state, _ = judge_rows(PLAN, make_stream(2).take(slice(0, 300)))
    before = bit_exact(state)
    assert bit_exact(step(PLAN, state, make_stream(2))[0]) != before
    assert bit_exact(state) == before


def make_quiet_plan(**changes: object) -> Plan:
    """Build a plan of one monitor, in ticks of four rows or ten seconds."""
    return make_plan("disagreement", tick_rows=4, tick_seconds=10.0, **changes)


def test_tick_ends_after_its_number_of_rows() -> None:
    """Ten rows at once make two ticks of four, and two rows wait."""
    state, _ = judge_rows(make_quiet_plan(), make_comparisons(10, time=0))
    assert judged_count(state) == 8
    assert state.cells[0].path[0, 0, -3:, 1].tolist() == [0, 4, 4]
    assert open_tick_rows(state).offset.tolist() == [8, 9]


def test_tick_ends_when_event_time_moves_on() -> None:
    """The row ten seconds after a tick's first row begins the next tick, and may wait itself."""
    state, _ = judge_rows(make_quiet_plan(), make_comparisons(7, time=[0, 1, 9.9, 10, 25, 26, 34]))
    assert state.cells[0].path[0, 0, -3:, 1].tolist() == [0, 3, 1]
    assert open_tick_rows(state).time.tolist() == [25, 26, 34]


@pytest.mark.parametrize("monitor", ["confidence", "refusal_rate", "disagreement"])
def test_bad_observation_is_refused_before_it_waits(monitor: str) -> None:
    """A row that claims to be sound and is not raises at once, instead of spoiling the open tick."""
    state_before = judge_rows(make_plan(monitor, tick_rows=4), make_comparisons(2))[0]
    spoiled_columns = {
        "confidence": "confidence_baseline",
        "refusal_rate": "refused_baseline",
        "disagreement": "disagree",
    }
    row = replace(make_comparisons(1, offset=5), **{spoiled_columns[monitor]: np.array([np.nan])})
    before = bit_exact(state_before)
    with pytest.raises(BadObservationError):
        step(make_plan(monitor, tick_rows=4), state_before, row)
    assert bit_exact(state_before) == before


def offsets(state: State) -> dict[int, int]:
    """Return the last offset counted, by partition."""
    return dict(state.watermarks)


def test_rows_are_counted_once_per_partition() -> None:
    """A high offset of one partition hides no rows of another, and a later batch may overlap."""
    first = make_comparisons(4, partition=[0, 0, 1, 1], offset=[90, 91, 0, 1])
    second = make_comparisons(4, partition=[0, 1, 1, 2], offset=[91, 1, 2, 0])
    state, _ = judge_rows(make_quiet_plan(), first, second)
    assert offsets(state) == {0: 91, 1: 2, 2: 0}
    assert judged_count(state) == 4
    assert open_tick_rows(state).request_id == ("1-2", "2-0")


def test_rows_of_one_record_share_an_offset_and_all_count() -> None:
    """A request of several rows is one record."""
    state, _ = judge_rows(
        make_quiet_plan(), make_comparisons(4, offset=[7, 7, 7, 8]), make_comparisons(2, offset=[8, 8])
    )
    assert (judged_count(state), offsets(state)) == (4, {0: 8})


def test_new_incarnation_of_the_log_starts_watermarks_anew() -> None:
    """A recreated log counts from zero again; rows of the open tick are not lost."""
    state, _ = judge_rows(
        make_quiet_plan(), make_comparisons(6, offset=range(100, 106)), make_comparisons(2, log="log-2")
    )
    assert (judged_count(state), state.log, offsets(state)) == (8, "log-2", {0: 1})


@pytest.mark.parametrize("change", ["baseline_digest", "compressed_digest"])
def test_rows_of_another_artefact_are_stale(change: str) -> None:
    """They are counted separately, once, advance the watermark, and reach no detector."""
    plan = make_quiet_plan(**{change: "other"})
    state, _ = judge_rows(plan, make_comparisons(10, disagree=True), make_comparisons(12, disagree=True))
    assert (state.stale, judged_count(state), offsets(state)) == (12, 0, {0: 11})
    assert state.cells[0].count.tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("change", ["baseline_digest", "compressed_digest"])
@pytest.mark.parametrize("first", [0, 4])
def test_rows_of_another_artefact_disturb_nothing(change: str, first: int) -> None:
    """Late rows of the previous artefact may arrive among the new artefact's rows, or before all of them."""
    late = replace(make_comparisons(3, offset=[4, 5, 6]), **{change: "former"})
    before = [make_comparisons(first)] if first else []
    state, _ = judge_rows(make_quiet_plan(), *before, late, make_comparisons(4, offset=[7, 8, 9, 10]))
    assert (state.stale, judged_count(state)) == (3, first + 4)


def test_rows_of_other_subgroups_are_stale() -> None:
    """Membership in unknown scopes, or in another order, cannot be counted; covered rows count as before."""
    other = make_comparisons(3, scopes=("group=b", "group=a", "half=left"), offset=[4, 5, 6])
    state, _ = judge_rows(make_quiet_plan(), make_comparisons(4), other, make_comparisons(4, offset=[7, 8, 9, 10]))
    assert (state.stale, judged_count(state)) == (3, 8)
