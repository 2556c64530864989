"""The judgement is a fold over rows: how they were polled, and how often they were delivered, changes no bit of it."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bits, comparisons, fold, plan, seen, waiting
from tightrope.monitors.detector import BadObservationError
from tightrope.monitors.latency import Objective
from tightrope.monitors.plan import Plan, State, adopt, start
from tightrope.monitors.records import Comparisons, Fault, Stream
from tightrope.monitors.safemode import Input, Policy
from tightrope.monitors.watch import step

ROWS = 600
PLAN, LANES = (
    plan(
        samples=samples,
        policy=Policy(min_dwell=20.0, flap_window=200.0, recovery_samples=back, recovery_ratio=0.99),
        tick_rows=16,
        tick_seconds=10.0,
        rates=np.array([0.6, 0.9, 0.6, 0.6]),
        objective=Objective(0.5, 0.1),
        lanes=lanes,
        classes=3,
    )
    for lanes, samples, back in ((1, 2e3, 10.0), (3, 2e2, 2.0))
)
PLANS = pytest.mark.parametrize("of", [PLAN, LANES], ids=["one lane", "three lanes"])
CUTS = st.lists(st.integers(0, ROWS), max_size=12).map(sorted)


def stream(seed: int) -> Comparisons:
    """Rows of two partitions, with faults, refusals, gaps in time, and harm that comes and goes."""
    rng = np.random.default_rng(seed)
    partition = rng.integers(0, 2, ROWS)
    fault = np.where(rng.random(ROWS) < 0.01, Fault.NOT_FINITE, Fault.NONE)
    sure = np.where(fault == Fault.NONE, rng.random((2, ROWS)), np.nan)
    member = rng.random((ROWS, 3)) < 0.4
    harm = np.arange(ROWS) < ROWS // 3
    refused = rng.random(ROWS) < 0.1
    return comparisons(
        ROWS,
        partition=partition,
        offset=np.where(partition == 0, np.cumsum(partition == 0), np.cumsum(partition == 1)),
        time=np.cumsum(rng.choice([0.0, 0.5, 12.0], ROWS, p=[0.3, 0.68, 0.02])),
        member=member,
        draw=rng.random(ROWS),
        disagree=rng.random(ROWS) < np.where(harm & member[:, 0], 0.6, 0.002),
        confidence_baseline=0.5 + sure[0] / 10,
        confidence_compressed=0.5 + sure[1] / 10,
        refused_baseline=refused,
        refused_compressed=refused,
        fault=fault,
        top_compressed=rng.integers(0, 3, ROWS),
        seconds=rng.random(ROWS),
        self_disagree=np.where(rng.random(ROWS) < 0.1, 0.0, np.nan),
        correct_baseline=rng.integers(0, 2, ROWS),
        correct_compressed=rng.integers(0, 2, ROWS),
    )


def parts(rows: Comparisons, cuts: list[int]) -> list[Comparisons]:
    """The same rows in several batches, some of them empty."""
    return [rows.take(slice(begin, end)) for begin, end in pairwise([0, *cuts, ROWS])]


@PLANS
def test_stream_is_eventful(of: Plan) -> None:
    """What follows is proved on streams with breaches, dwells, returns, faults and short ticks, not on quiet ones."""
    state, happened = fold(of, stream(0))
    kinds = Counter(transition.what for transition in happened)
    assert set(kinds) == {Input.BREACH, Input.DWELL_ELAPSED, Input.RECOVERED}
    assert state.errors[0] > 0
    assert 0 < len(waiting(state)) < 16
    assert seen(state) + len(waiting(state)) == ROWS


@PLANS
@pytest.mark.parametrize("what", Stream)
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 5), cuts=CUTS)
def test_state_does_not_depend_on_how_rows_are_batched(of: Plan, what: Stream, seed: int, cuts: list[int]) -> None:
    """Any split gives the bit-identical state and the same transitions, of comparisons and of labels."""
    rows = stream(seed)
    assert bits(fold(of, *parts(rows, cuts), stream=what)) == bits(fold(of, rows, stream=what))


@PLANS
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 5), cuts=CUTS, data=st.data())
def test_state_does_not_depend_on_redelivery(of: Plan, seed: int, cuts: list[int], data: st.DataObject) -> None:
    """Batches that begin anywhere in what was delivered before count only what is new."""
    rows = stream(seed)
    batches = [
        rows.take(slice(data.draw(st.integers(0, begin), label="from"), end))
        for begin, end in pairwise([0, *cuts, ROWS])
    ]
    assert bits(fold(of, *batches)) == bits(fold(of, rows))


@settings(deadline=None, max_examples=20)
@given(cuts=CUTS)
def test_restart_between_batches_changes_nothing(cuts: list[int]) -> None:
    """A judge that adopts its stored state under the same plan goes on where it stopped."""
    rows = stream(1)
    state = start(PLAN)
    for batch in parts(rows, cuts):
        state = adopt(PLAN, step(PLAN, state, batch)[0])
    assert bits(state) == bits(fold(PLAN, rows)[0])


def test_step_leaves_the_given_state_alone() -> None:
    """States are values: the old one is still there when the new one could not be saved."""
    state, _ = fold(PLAN, stream(2).take(slice(0, 300)))
    before = bits(state)
    assert bits(step(PLAN, state, stream(2))[0]) != before
    assert bits(state) == before


def quiet(**changes: object) -> Plan:
    """One question, ticks of four rows or ten seconds."""
    return plan("disagreement", tick_rows=4, tick_seconds=10.0, **changes)


def test_tick_ends_after_so_many_rows() -> None:
    """Ten rows at once make two ticks of four, and two rows wait."""
    state, _ = fold(quiet(), comparisons(10, time=0))
    assert seen(state) == 8
    assert state.cells[0].path[0, 0, -3:, 1].tolist() == [0, 4, 4]
    assert waiting(state).offset.tolist() == [8, 9]


def test_tick_ends_when_event_time_moves_on() -> None:
    """The row that comes ten seconds after a tick's first begins the next one, and may wait for company itself."""
    state, _ = fold(quiet(), comparisons(7, time=[0, 1, 9.9, 10, 25, 26, 34]))
    assert state.cells[0].path[0, 0, -3:, 1].tolist() == [0, 3, 1]
    assert waiting(state).time.tolist() == [25, 26, 34]


@pytest.mark.parametrize("monitor", ["confidence", "refusal_rate", "disagreement"])
def test_bad_observation_is_refused_before_it_waits(monitor: str) -> None:
    """A row that claims to be sound and is not raises at once: it must not sit in the open tick and spoil the next."""
    good = fold(plan(monitor, tick_rows=4), comparisons(2))[0]
    spoiled = {"confidence": "confidence_baseline", "refusal_rate": "refused_baseline", "disagreement": "disagree"}
    row = replace(comparisons(1, offset=5), **{spoiled[monitor]: np.array([np.nan])})
    before = bits(good)
    with pytest.raises(BadObservationError):
        step(plan(monitor, tick_rows=4), good, row)
    assert bits(good) == before


def offsets(state: State) -> dict[int, int]:
    """The last offset counted, by partition."""
    return dict(state.watermarks)


def test_rows_are_counted_once_per_partition() -> None:
    """A high offset of one partition hides nothing of another, and a later batch may overlap."""
    first = comparisons(4, partition=[0, 0, 1, 1], offset=[90, 91, 0, 1])
    second = comparisons(4, partition=[0, 1, 1, 2], offset=[91, 1, 2, 0])
    state, _ = fold(quiet(), first, second)
    assert offsets(state) == {0: 91, 1: 2, 2: 0}
    assert seen(state) == 4
    assert waiting(state).request_id == ("1-2", "2-0")


def test_rows_of_one_record_share_an_offset_and_all_count() -> None:
    """A request of several rows is one record."""
    state, _ = fold(quiet(), comparisons(4, offset=[7, 7, 7, 8]), comparisons(2, offset=[8, 8]))
    assert (seen(state), offsets(state)) == (4, {0: 8})


def test_new_incarnation_of_the_log_starts_watermarks_anew() -> None:
    """A log that was made anew counts from zero again; rows of the open tick are not lost."""
    state, _ = fold(quiet(), comparisons(6, offset=range(100, 106)), comparisons(2, log="log-2"))
    assert (seen(state), state.log, offsets(state)) == (8, "log-2", {0: 1})


@pytest.mark.parametrize("change", ["baseline_digest", "compressed_digest"])
def test_rows_of_another_artefact_are_stale(change: str) -> None:
    """They are counted apart, once, move the watermark, and reach no detector."""
    plan = quiet(**{change: "other"})
    state, _ = fold(plan, comparisons(10, disagree=True), comparisons(12, disagree=True))
    assert (state.stale, seen(state), offsets(state)) == (12, 0, {0: 11})
    assert state.cells[0].count.tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("change", ["baseline_digest", "compressed_digest"])
@pytest.mark.parametrize("first", [0, 4])
def test_rows_of_another_artefact_disturb_nothing(change: str, first: int) -> None:
    """What a deployment leaves on the way comes among the new artefact's rows, or before any of them."""
    late = replace(comparisons(3, offset=[4, 5, 6]), **{change: "former"})
    before = [comparisons(first)] if first else []
    state, _ = fold(quiet(), *before, late, comparisons(4, offset=[7, 8, 9, 10]))
    assert (state.stale, seen(state)) == (3, first + 4)


def test_rows_of_other_subgroups_are_stale() -> None:
    """Membership in unknown scopes, or in another order, cannot be counted; what fits goes on as before."""
    other = comparisons(3, scopes=("group=b", "group=a", "half=left"), offset=[4, 5, 6])
    state, _ = fold(quiet(), comparisons(4), other, comparisons(4, offset=[7, 8, 9, 10]))
    assert (state.stale, seen(state)) == (3, 8)
