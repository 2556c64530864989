"""The detectors' guarantees by simulation with fixed seeds: few false alarms, and timely true ones."""

import numpy as np
import pytest

from tightrope.monitors.detector import LOG_ZERO, Bernoulli, Signed, advance, divergence
from tightrope.monitors.records import Bools, Floats, Ints

BATCH = 64


def first_alarms(detector: Bernoulli, ones: Ints, threshold: float) -> Ints:
    """Return the batch of the first alarm of each stream, len(ones) + 1 without one. ``ones``: (batches, streams)."""
    log_mass = np.full((ones.shape[1], detector.up.shape[-1]), LOG_ZERO)
    first = np.full(ones.shape[1], len(ones) + 1)
    for index, k in enumerate(ones, start=1):
        log_mass = advance(log_mass, float(BATCH), detector.log_e(np.int64(BATCH), k))
        over = detector.evidence(log_mass) >= np.log(threshold)
        first = np.where(over & (first > len(ones)), index, first)
    return first


def signed_alarms(signed: Signed, y: Floats, threshold: float, *, recovery: bool = False) -> Bools:
    """Mask the streams that ever alarm (or recover). ``y``: (batches, BATCH, streams)."""
    streams = y.shape[2]
    log_mass = np.full((streams, 14), LOG_ZERO)
    ever = np.zeros(streams, dtype=bool)
    for batch in y:
        log_e = signed.log_e(batch.ravel()).reshape(BATCH, streams, -1).sum(axis=0)
        log_mass = advance(log_mass, float(BATCH), log_e)
        ever |= (signed.recovered(log_mass) if recovery else signed.evidence(log_mass)) >= np.log(threshold)
    return ever


def test_false_alarms_at_the_limit_keep_their_budget() -> None:
    """At exactly 2 %, one false alarm per million samples: in 100,000 samples at most one stream in ten alarms."""
    batches = 100_000 // BATCH
    ones = np.random.default_rng(1).binomial(BATCH, 0.02, (batches, 500))
    alarmed = (first_alarms(Bernoulli.above(0.02), ones, 1e6) <= batches).mean()
    assert 0 < alarmed <= 0.1


def test_rates_below_the_limit_hardly_ever_alarm() -> None:
    """At half the limit, with a budget a hundred times smaller, fewer than one stream in ten alarms."""
    ones = np.random.default_rng(2).binomial(BATCH, 0.01, (500, 300))
    assert (first_alarms(Bernoulli.above(0.02), ones, 1e4) <= 500).mean() < 0.1


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_harm_alarms_about_when_the_planning_rule_predicts(rate: float) -> None:
    """The median delay is ln(A KL) / KL, within a quarter, or the next batch."""
    ones = np.random.default_rng(3).binomial(BATCH, rate, (60, 400))
    median = BATCH * float(np.median(first_alarms(Bernoulli.above(0.02), ones, 2e6)))
    information = float(divergence(rate, 0.02))
    rule = np.log(2e6 * information) / information
    assert 0.75 * rule <= median <= 1.25 * rule + BATCH


def test_false_returns_keep_their_budget() -> None:
    """At exactly the rate to disprove, with one false return in 1e5: in 1e4 samples at most a tenth return."""
    ones = np.random.default_rng(4).binomial(BATCH, 0.015, (10_000 // BATCH, 1000))
    assert (first_alarms(Bernoulli.below(0.015), ones, 1e5) <= len(ones)).mean() <= 0.1


@pytest.mark.parametrize("mean", [-0.02, 0.02])
def test_signed_false_alarms_at_the_tolerance_keep_their_budget(mean: float) -> None:
    """At a mean of exactly the tolerance, on either side, with noise of 0.3: in 1e4 samples at most a tenth alarm."""
    y = mean + np.random.default_rng(5).choice([-0.3, 0.3], (10_000 // BATCH, BATCH, 100))
    assert signed_alarms(Signed.outside(0.02), y, 1e5).mean() <= 0.1


@pytest.mark.parametrize("mean", [-0.06, 0.06])
def test_signed_harm_is_found_on_either_side(mean: float) -> None:
    """Three times the tolerance is found within 6,400 samples in every stream."""
    y = mean + np.random.default_rng(6).choice([-0.2, 0.2], (100, BATCH, 50))
    assert signed_alarms(Signed.outside(0.02), y, 2e6).all()


def test_signed_recovery_is_right_on_both_sides() -> None:
    """Means at the edge of either side hardly ever return, means of zero always do."""
    noise = np.random.default_rng(7).choice([-0.1, 0.1], (100, BATCH, 60))
    inside = Signed.inside(0.02)
    back = [signed_alarms(inside, mean + noise, 1e5, recovery=True).mean() for mean in (-0.02, 0.0, 0.02)]
    assert back[0] <= 0.064
    assert back[1] == 1.0
    assert back[2] <= 0.064
