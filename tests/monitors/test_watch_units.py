"""The unit of evidence in the whole fold: golden numbers, properties, and the guarantee for dependent rows."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.units import STREAMS, UNITS, DependentStream, alarm_rows, bursts, plan_of
from tests.support.judgement.comparisons import bit_exact, judge_rows, make_comparisons, make_plan
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.dependence import allan, warning
from tightrope.monitors.dependence.units import BLOCK_WINDOW_ROWS, WINDOW_CALLERS, EvidenceUnit, Independence
from tightrope.monitors.migration import migrate_state
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons, Fault, Stream
from tightrope.monitors.safemode import Input, Mode, ModeState, Policy
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.watch import step
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

GOLDEN_TICKS: tuple[list[tuple[int, int]], ...] = (
    [(1, 0)] * 30 + [(1, 1), (32, 2)],
    [(32, 0), (32, 9)],
    [],
    [(1, 1), (1, 0), (8, 3), (54, 1)],
)


def unit_plan(
    *monitors: str,
    independence: Independence = Independence.AUTO,
    callers: bool = False,
    **changes: Any,  # noqa: ANN401 - any field of a plan
) -> Plan:
    """Build a plan without subgroups."""
    plan = make_plan(*(monitors or ("disagreement",)), scopes=(), **changes)
    return replace(plan, unit=EvidenceUnit(independence, callers))


def golden_rows() -> Comparisons:
    """Build the golden ticks, each filled up to 64 rows with rows that could not be compared."""
    request, disagree, fault = list[int](), list[int](), list[int]()
    for tick in GOLDEN_TICKS:
        for rows, ones in [*tick, *[(-1, 0)] * (64 - sum(rows for rows, _ in tick))]:
            number = request[-1] + 1 if request else 0
            request += [number] * abs(rows)
            disagree += [1] * ones + [0] * (abs(rows) - ones)
            fault += [Fault.NONE if rows > 0 else Fault.NOT_FINITE] * abs(rows)
    return make_comparisons(256, scopes=(), offset=request, time=request, disagree=disagree, fault=fault)


@pytest.mark.parametrize(("ticks", "golden"), [(1, 4.147070976092308), (2, 5.7862398854182535), (4, 9.10308368581633)])
def test_fold_has_the_golden_masses(ticks: int, golden: float) -> None:
    """The mass of one cell with a share of the budget is that share of the golden one."""
    plan = unit_plan()
    state, _ = judge_rows(plan, golden_rows().take(slice(0, 64 * ticks)))
    evidence = float(plan.rules[0].alarm.evidence(state.cells[0].log_mass)[0, 0])
    assert evidence - np.log(CATALOGUE["disagreement"].share) == pytest.approx(golden, abs=1e-9)


EVENTFUL = bursts(np.random.default_rng(8), 9_000, 0.03, 30, np.arange(9_000) % 6)
MIXED_SIZES = DependentStream(
    EVENTFUL.disagree, np.repeat(np.arange(2_000), np.resize([1, 9, 2, 1, 70, 1, 1, 3], 2_000))[:9_000], EVENTFUL.caller
)
PLANS = {
    "requests": unit_plan("disagreement", "confidence", "accuracy", samples=1e5),
    "callers": unit_plan("disagreement", "confidence", "accuracy", callers=True, samples=1e5),
    "windows": unit_plan("disagreement", "confidence", "accuracy", independence=Independence.WINDOW, samples=1e5),
}
STREAMS_BY_PLAN = {"requests": EVENTFUL, "callers": EVENTFUL, "windows": MIXED_SIZES}


def eventful_rows(name: str) -> Comparisons:
    """Build rows with confidences and labels."""
    rows, rng = STREAMS_BY_PLAN[name].rows(), np.random.default_rng(1)
    n = len(rows)
    return replace(
        rows,
        confidence_baseline=rng.uniform(0.5, 1, n),
        confidence_compressed=rng.uniform(0.5, 1, n),
        correct_baseline=np.ones(n),
        correct_compressed=(~rows.disagree).astype(np.float64),
    )


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("stream", Stream)
@settings(deadline=None, max_examples=3)
@given(cuts=st.lists(st.integers(0, 8_999), max_size=6))
def test_state_does_not_depend_on_batches_of_whole_requests_or_on_restarts(
    name: str, stream: Stream, cuts: list[int]
) -> None:
    """Any cut between requests gives the bit-identical state, stored and read again in between."""
    plan, rows = PLANS[name], eventful_rows(name)
    starts = np.flatnonzero(np.diff(STREAMS_BY_PLAN[name].request, prepend=-1))
    at = sorted({int(starts[np.searchsorted(starts, cut, side="right") - 1]) for cut in cuts} - {0})
    state = initial_state(plan)
    for begin, end in pairwise([0, *at, len(rows)]):
        state = migrate_state(
            plan, decode_state(encode_state(step(plan, state, rows.take(slice(begin, end)), stream)[0]))
        )
    whole, _ = judge_rows(plan, rows, stream=stream)
    assert encode_state(state) == encode_state(whole)
    assert stream is Stream.LABELS or name == "windows" or whole.dependence.warned


@pytest.mark.parametrize("name", ["callers", "windows"])
def test_order_of_requests_within_a_tick_changes_nothing(name: str) -> None:
    """Rates to the last bit, means up to rounding."""
    plan, rows = PLANS[name], replace(eventful_rows(name), request_id=tuple(str(n) for n in range(9_000)))
    rows = replace(rows, offset=np.arange(9_000)).take(slice(0, 64 * 15))
    rng = np.random.default_rng(3)
    order = np.concatenate([64 * tick + rng.permutation(64) for tick in range(15)])
    other = rows.take(order)
    other = replace(other, request_id=tuple(rows.request_id[row] for row in order))
    first, second = (judge_rows(plan, each)[0].cells for each in (rows, replace(other, offset=np.arange(960))))
    assert bit_exact(first[0].log_mass) == bit_exact(second[0].log_mass)
    assert second[1].log_mass == pytest.approx(first[1].log_mass, abs=1e-9)


def windowed(plan: Plan, stream: DependentStream) -> Iterator[tuple[State, State]]:
    """Yield the states before and after each of the batches."""
    state = initial_state(plan)
    for batch in stream.batches(512):
        before, (state, _) = state, step(plan, state, batch)
        yield before, state


@pytest.mark.parametrize("callers", [False, True])
def test_warning_starts_evidence_anew_in_windows(*, callers: bool) -> None:
    """The widened unit moves no mass before a window ends; the verdict names the consequence."""
    plan = unit_plan(samples=1e30, callers=callers)
    changes = [pair for pair in windowed(plan, EVENTFUL) if pair[0].dependence.warned != pair[1].dependence.warned]
    (before, after) = changes[0]
    assert len(changes) == 1
    assert np.isfinite(before.cells[0].log_mass).all()
    assert after.cells[0].window.shape == (1, 1, WINDOW_CALLERS if callers else 1, 2)
    assert int(after.cells[0].count[0, 0]) <= 512
    sight = verdicts(plan, after)[0]
    assert "rows are one step of evidence, and the evidence started anew" in sight.note.replace("of a caller ", "")
    assert ("models.m.caller" in sight.note) is not callers


def test_unit_that_is_written_does_not_widen() -> None:
    """The warning comes, and tells what to write."""
    plan = unit_plan(samples=1e30, independence=Independence.REQUEST)
    state, _ = judge_rows(plan, EVENTFUL.rows())
    assert state.dependence.warned
    assert state.cells[0].window.size == 0
    assert "set models.m.independence: auto" in verdicts(plan, state)[0].note


def test_unit_narrows_at_the_end_of_a_window_once_rows_are_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence stays; the sums forget what was, so that the warning does not come back."""
    monkeypatch.setattr(warning, "QUIET_ROWS", 16_384)
    monkeypatch.setattr(allan, "MAX_BLOCKS", 16)
    plan = unit_plan(samples=1e30)
    sound = DependentStream(np.random.default_rng(2).random(120_000) < 0.01, np.arange(120_000), np.zeros(120_000, int))
    both = DependentStream(
        np.concatenate([EVENTFUL.disagree, sound.disagree]),
        np.concatenate([EVENTFUL.request, 9_000 + sound.request]),
        np.concatenate([EVENTFUL.caller, sound.caller]),
    )
    changes = [(a, b) for a, b in windowed(plan, both) if a.dependence.warned != b.dependence.warned]
    assert [after.dependence.warned for _, after in changes] == [True, False]
    before, after = changes[1]
    assert before.dependence.window_rows[Stream.COMPARISONS] < BLOCK_WINDOW_ROWS
    assert after.cells[0].window.size == 0
    assert not after.dependence.window_rows
    assert np.isfinite(after.cells[0].log_mass).all()


def test_breach_comes_before_the_warning_of_the_same_tick() -> None:
    """Harm that begins at once looks like a burst too: the scope is safe, and its return starts in windows."""
    plan = unit_plan()
    disagree = np.arange(1_088) >= 1_000
    state, transitions = judge_rows(plan, make_comparisons(1_088, scopes=(), disagree=disagree))
    assert [transition.trigger for transition in transitions] == [Input.BREACH]
    assert state.modes[0].safe
    assert state.cells[0].tripped.all()


def test_trial_goes_on_after_the_unit_has_widened() -> None:
    """A trial is never seeded: its wealth starts from one again, and not from nothing."""
    plan = unit_plan()
    start = initial_state(plan)
    trial = replace(
        start,
        modes=(Mode(ModeState.SAFE, trial=True),),
        cells=tuple(
            replace(each, tripped=np.ones((1, 1), bool), recovery=np.zeros_like(each.recovery)) for each in start.cells
        ),
    )
    bad = replace(EVENTFUL, disagree=np.repeat(np.random.default_rng(4).random(900) < 0.3, 10))
    state, _ = judge_rows(plan, bad.rows(), state=trial)
    assert state.dependence.warned
    assert state.modes[0].safe
    assert np.isfinite(state.cells[0].recovery).all()


def test_false_returns_of_large_requests_keep_the_promise() -> None:
    """A scope whose rate is what a return must disprove comes back at most once in ``recovery_samples`` requests,
    however many rows these have.
    """
    rows, requests, runs = 48, 20, 200
    plan = unit_plan("disagreement", policy=Policy(min_dwell=0.0, recovery_samples=10.0 * requests))
    rate = plan.policy.recovery_ratio * float(plan.rules[0].limits[0])
    start, rng, returns = initial_state(plan), np.random.default_rng(3), 0
    tripped = tuple(replace(each, tripped=np.ones((1, 1), bool)) for each in start.cells)
    safe = replace(start, modes=(Mode(ModeState.SAFE),), cells=tripped)
    for _ in range(runs):
        request = np.repeat(np.arange(requests), rows)
        disagree = rng.random(rows * requests) < rate
        sent = make_comparisons(rows * requests, scopes=(), offset=request, time=request, disagree=disagree)
        returns += not judge_rows(plan, sent, state=safe)[0].modes[0].safe
    assert returns <= runs / 10


@pytest.mark.parametrize("unit", ["auto", "auto, callers"])
@pytest.mark.parametrize("name", STREAMS)
def test_false_alarms_of_dependent_rows_keep_the_promise(name: str, unit: str) -> None:
    """At most one in A rows for the whole budget; with the monitor's share of it 12 are allowed here."""
    budget, rows = 1e3, 30_000
    plan, alarms = plan_of(UNITS[unit], budget), 0
    for seed in range(2):
        alarms += len(alarm_rows(plan, STREAMS[name](np.random.default_rng(seed), rows)))
    assert alarms <= CATALOGUE["disagreement"].share * 2 * rows / budget
