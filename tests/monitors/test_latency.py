"""Latency: fold_blocks of event time, lanes in turn, and an objective that is missed and met again."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement import exact_detector
from tests.support.judgement.comparisons import bit_exact, judge_rows, make_comparisons, make_plan
from tightrope.monitors.detector import BETS, LOG_ZERO
from tightrope.monitors.latency import BLOCKS_TO_PASS, LANES, LatencyObjective, LatencyState, fold_rows, verdict
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Floats, Outcome
from tightrope.monitors.verdict import Verdict
from tightrope.monitors.watch import step

SLOW, FAST = 1.0, 0.1
OBJECTIVE = LatencyObjective(seconds=0.5, limit=0.25, block=10.0, samples=1e4)


def fold_blocks(*shares: Fraction, state: LatencyState | None = None, rows: int = 8) -> LatencyState:
    """Fold fold_blocks of ``rows`` rows with these shares of slow ones in a row; the last one stays open."""
    state = state or LatencyState.fresh()
    begin = state.block + 1
    for number, share in enumerate(shares, start=begin):
        slow = np.arange(rows) < share * rows
        state = fold_rows(OBJECTIVE, state, np.full(rows, 10.0 * number), np.where(slow, SLOW, FAST))
    return state


def current_verdict(state: LatencyState) -> Verdict:
    """Return the verdict of the model."""
    return verdict(OBJECTIVE, state, "model")


def test_block_is_one_observation_of_its_lane() -> None:
    """Golden, in exact fractions: every lane has its own blocks, each seeded with one; all bets are averaged."""
    shares = [Fraction(n % 5, 8) for n in range(20)]
    state = fold_blocks(*shares, Fraction(0))
    limit = Fraction(1, 4)
    bets = [Fraction(98, 100) / limit * Fraction(str(bet)) for bet in BETS]
    for lane in range(LANES):
        own = shares[lane::LANES]
        masses = exact_detector.masses(
            [(1, [share]) for share in own],
            [lambda y, stake=stake: 1 + stake * (y - limit) for stake in bets],  # type: ignore[misc]
        )[-1]
        assert state.log_mass[lane] == pytest.approx([exact_detector.logarithm(mass) for mass in masses], abs=1e-9)
    assert (state.closed, state.total) == (20, float(sum(shares)))


def test_evidence_is_that_of_the_worst_lane_in_arbitrary_precision() -> None:
    """One block that is all slow: the mean over the bets of 1 + lambda (1 - limit), as log10."""
    state = fold_blocks(Fraction(0), Fraction(1), Fraction(0))
    with mpmath.workdps(50):
        limit = mpmath.mpf("0.25")
        wealth = [1 + mpmath.mpf("0.98") / limit * mpmath.mpf(str(bet)) * (1 - limit) for bet in BETS]
        expected = float(mpmath.log10(mpmath.fsum(wealth) / len(wealth)))
    assert current_verdict(state).evidence == pytest.approx(expected, abs=1e-12)
    assert current_verdict(state).threshold == pytest.approx(4.0)


def test_breach_takes_blocks_over_the_limit_and_ends_with_one_that_is_not() -> None:
    """The lane that alarmed starts anew; the breach lasts while blocks stay over the limit."""
    state = fold_blocks(*[Fraction(0)] * 12)
    count = 0
    while not state.breached:
        state, count = fold_blocks(Fraction(3, 4), state=state), count + 1
        assert count < 200
    alarmed = (state.closed - 1) % LANES
    assert np.isneginf(state.log_mass[alarmed]).all()
    assert np.isfinite(state.log_mass[(alarmed + 1) % LANES]).all()
    assert current_verdict(state).outcome is Outcome.BREACH
    state = fold_blocks(Fraction(3, 4), Fraction(3, 4), state=state)
    assert current_verdict(state).outcome is Outcome.BREACH
    state = fold_blocks(Fraction(0), Fraction(0), state=state)
    assert not state.breached
    assert current_verdict(state).outcome is not Outcome.BREACH


def test_pass_takes_ten_minutes_of_blocks() -> None:
    """Fifty-nine closed blocks are not enough."""
    state = fold_blocks(*[Fraction(0)] * BLOCKS_TO_PASS)
    assert (current_verdict(state).outcome, current_verdict(state).count) == (Outcome.INSUFFICIENT, BLOCKS_TO_PASS - 1)
    state = fold_blocks(Fraction(0), state=state)
    assert (current_verdict(state).outcome, current_verdict(state).count) == (Outcome.PASS, BLOCKS_TO_PASS)


def test_share_at_the_limit_gives_no_evidence() -> None:
    """After a hundred blocks at the limit the mass is the seed alone."""
    state = fold_blocks(*[Fraction(1, 4)] * 97)
    assert np.exp(state.log_mass) == pytest.approx(np.full((LANES, len(BETS)), 16.0))


def test_block_without_rows_is_no_observation() -> None:
    """Without traffic nothing is fast: a gap of an hour closes one block, not hundreds."""
    state = fold_rows(OBJECTIVE, LatencyState.fresh(), np.array([0.0, 3600.0]), np.array([SLOW, SLOW]))
    assert (state.closed, state.total, state.block, state.rows) == (1, 1.0, 360, 1)


def test_late_row_joins_the_open_block() -> None:
    """A closed block is not opened again."""
    state = fold_rows(
        OBJECTIVE, LatencyState.fresh(), np.array([5.0, 25.0, 7.0, 26.0]), np.array([FAST, FAST, SLOW, FAST])
    )
    assert (state.closed, state.block, state.rows, state.slow) == (1, 2, 3, 1)


def test_row_of_unknown_duration_is_skipped() -> None:
    """It neither counts nor advances the time."""
    state = fold_rows(OBJECTIVE, LatencyState.fresh(), np.array([0.0, 1000.0]), np.array([FAST, np.nan]))
    assert (state.block, state.rows, state.closed) == (0, 1, 0)
    unchanged = fold_rows(OBJECTIVE, LatencyState.fresh(), np.zeros(3), np.full(3, np.nan))
    assert bit_exact(unchanged) == bit_exact(LatencyState.fresh())
    assert current_verdict(unchanged).mean is None
    assert current_verdict(unchanged).evidence == LOG_ZERO


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 99), cut=st.integers(0, 40))
def test_latency_does_not_depend_on_how_rows_are_batched(seed: int, cut: int) -> None:
    """The state is equal to the last bit, in any order of event times."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice([-4.0, 0.0, 3.0, 30.0], 40)).clip(0)
    seconds: Floats = rng.choice([FAST, SLOW, np.nan], 40)
    whole = fold_rows(OBJECTIVE, LatencyState.fresh(), times, seconds)
    first = fold_rows(OBJECTIVE, LatencyState.fresh(), times[:cut], seconds[:cut])
    assert bit_exact(fold_rows(OBJECTIVE, first, times[cut:], seconds[cut:])) == bit_exact(whole)


def test_slow_answers_are_reported_and_move_no_scope() -> None:
    """Latency has a verdict of its own, of the model; a fallback would not help a slow machine."""
    plan = make_plan("disagreement", objective=replace(OBJECTIVE, samples=10.0), tick_rows=16)
    rows = make_comparisons(320, seconds=SLOW, time=np.arange(320) * 2.0)
    state, transitions = judge_rows(plan, rows)
    assert (transitions, state.latency.breached) == ([], True)
    assert not any(mode.safe for mode in state.modes)
    assert state.latency.closed == 63
    redelivered, _ = step(plan, state, rows)
    assert bit_exact(redelivered.latency) == bit_exact(state.latency), (
        "rows that are delivered again are not slow twice"
    )
    assert initial_state(plan).latency.closed == 0
