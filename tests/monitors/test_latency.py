"""Latency: blocks of event time, lanes by turns, and an objective that is broken and met again."""

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement import exact_detector
from tests.support.judgement.comparisons import bits, comparisons, fold, plan
from tightrope.monitors.detector import BETS, NOTHING
from tightrope.monitors.latency import LANES, NEEDED, Blocks, Objective, take, verdict
from tightrope.monitors.plan import start
from tightrope.monitors.records import Floats, Outcome, Verdict
from tightrope.monitors.watch import step

SLOW, FAST = 1.0, 0.1
OBJECTIVE = Objective(seconds=0.5, limit=0.25, block=10.0, samples=1e4)


def blocks(*shares: Fraction, state: Blocks | None = None, rows: int = 8) -> Blocks:
    """Blocks of so many rows with these shares of slow ones, one after another; the last one stays open."""
    state = state or Blocks.fresh()
    begin = state.block + 1
    for number, share in enumerate(shares, start=begin):
        slow = np.arange(rows) < share * rows
        state = take(OBJECTIVE, state, np.full(rows, 10.0 * number), np.where(slow, SLOW, FAST))
    return state


def shown(state: Blocks) -> Verdict:
    """What is said of it."""
    return verdict(OBJECTIVE, state, "model")


def test_block_is_one_observation_of_its_lane() -> None:
    """Golden, in exact fractions: every lane has its own blocks, each seeded with one; the mean of all bets counts."""
    shares = [Fraction(n % 5, 8) for n in range(20)]
    state = blocks(*shares, Fraction(0))
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
    """One block that is all slow: mean over the bets of 1 + lambda (1 - limit), as log10."""
    state = blocks(Fraction(0), Fraction(1), Fraction(0))
    with mpmath.workdps(50):
        limit = mpmath.mpf("0.25")
        wealth = [1 + mpmath.mpf("0.98") / limit * mpmath.mpf(str(bet)) * (1 - limit) for bet in BETS]
        expected = float(mpmath.log10(mpmath.fsum(wealth) / len(wealth)))
    assert shown(state).evidence == pytest.approx(expected, abs=1e-12)
    assert shown(state).threshold == pytest.approx(4.0)


def test_breach_takes_blocks_over_the_limit_and_ends_with_one_that_is_not() -> None:
    """The lane that alarmed starts anew; the breach lasts while blocks stay over the limit."""
    state = blocks(*[Fraction(0)] * 12)
    count = 0
    while not state.breached:
        state, count = blocks(Fraction(3, 4), state=state), count + 1
        assert count < 200
    alarmed = (state.closed - 1) % LANES
    assert np.isneginf(state.log_mass[alarmed]).all()
    assert np.isfinite(state.log_mass[(alarmed + 1) % LANES]).all()
    assert shown(state).outcome is Outcome.BREACH
    state = blocks(Fraction(3, 4), Fraction(3, 4), state=state)
    assert shown(state).outcome is Outcome.BREACH
    state = blocks(Fraction(0), Fraction(0), state=state)
    assert not state.breached
    assert shown(state).outcome is not Outcome.BREACH


def test_pass_takes_ten_minutes_of_blocks() -> None:
    """Fifty-nine are not enough."""
    state = blocks(*[Fraction(0)] * NEEDED)
    assert (shown(state).outcome, shown(state).count) == (Outcome.INSUFFICIENT, NEEDED - 1)
    state = blocks(Fraction(0), state=state)
    assert (shown(state).outcome, shown(state).count) == (Outcome.PASS, NEEDED)


def test_share_at_the_limit_gives_no_evidence() -> None:
    """A hundred blocks exactly at it: wealth grows by what is seeded alone."""
    state = blocks(*[Fraction(1, 4)] * 97)
    assert np.exp(state.log_mass) == pytest.approx(np.full((LANES, len(BETS)), 16.0))


def test_block_without_rows_is_no_observation() -> None:
    """Silence is not speed: a gap of an hour closes one block, not hundreds."""
    state = take(OBJECTIVE, Blocks.fresh(), np.array([0.0, 3600.0]), np.array([SLOW, SLOW]))
    assert (state.closed, state.total, state.block, state.rows) == (1, 1.0, 360, 1)


def test_late_row_joins_the_open_block() -> None:
    """A block that was closed is not opened again."""
    state = take(OBJECTIVE, Blocks.fresh(), np.array([5.0, 25.0, 7.0, 26.0]), np.array([FAST, FAST, SLOW, FAST]))
    assert (state.closed, state.block, state.rows, state.slow) == (1, 2, 3, 1)


def test_row_whose_duration_is_not_known_is_passed_over() -> None:
    """It neither counts nor moves the time on."""
    state = take(OBJECTIVE, Blocks.fresh(), np.array([0.0, 1000.0]), np.array([FAST, np.nan]))
    assert (state.block, state.rows, state.closed) == (0, 1, 0)
    nothing = take(OBJECTIVE, Blocks.fresh(), np.zeros(3), np.full(3, np.nan))
    assert bits(nothing) == bits(Blocks.fresh())
    assert shown(nothing).mean is None
    assert shown(nothing).evidence == NOTHING


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 99), cut=st.integers(0, 40))
def test_latency_does_not_depend_on_how_rows_are_batched(seed: int, cut: int) -> None:
    """To the last bit, in any order of event times."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice([-4.0, 0.0, 3.0, 30.0], 40)).clip(0)
    seconds: Floats = rng.choice([FAST, SLOW, np.nan], 40)
    whole = take(OBJECTIVE, Blocks.fresh(), times, seconds)
    first = take(OBJECTIVE, Blocks.fresh(), times[:cut], seconds[:cut])
    assert bits(take(OBJECTIVE, first, times[cut:], seconds[cut:])) == bits(whole)


def test_slow_answers_are_shown_and_move_nobody() -> None:
    """Through the judgement: a verdict of its own, of the model; a fallback would not help a slow machine."""
    of = plan("disagreement", objective=replace(OBJECTIVE, samples=10.0), tick_rows=16)
    rows = comparisons(320, seconds=SLOW, time=np.arange(320) * 2.0)
    state, happened = fold(of, rows)
    assert (happened, state.latency.breached) == ([], True)
    assert not any(mode.safe for mode in state.modes)
    assert state.latency.closed == 63
    again, _ = step(of, state, rows)
    assert bits(again.latency) == bits(state.latency), "rows that are delivered again are not slow twice"
    assert start(of).latency.closed == 0
