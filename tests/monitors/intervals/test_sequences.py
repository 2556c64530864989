"""Confidence sequences: golden numbers in arbitrary precision, and the steps to a proof."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.intervals.sequences import (
    MEAN_BETS,
    RATE_BETS,
    evidence_above,
    evidence_apart,
    evidence_below,
    mean_interval,
    proof_needed,
    rate_interval,
    steps_to_prove_mean,
    steps_to_prove_rate,
)

PROOF = proof_needed(0.05)

RATES = {
    (263.0, 0.0): (0.0, 0.0199995369923),
    (640.0, 3.0): (0.000237306595427, 0.0200363996960),
    (1000.0, 20.0): (0.00814127114202, 0.0387272904760),
    (200.0, 48.0): (0.148771985291, 0.350483694507),
    (187.5, 31.25): (0.0877612509629, 0.270663213175),
}

MEANS = {
    (640.0, 326.4, 1.6): (-0.00949826879777, 0.0494982687978),
    (5000.0, 2490.0, 50.0): (-0.0153122140787, 0.00731221407869),
}


@pytest.mark.parametrize(("sums", "ends"), RATES.items())
def test_rate_intervals_have_the_golden_ends(sums: tuple[float, float], ends: tuple[float, float]) -> None:
    """From n and S, which need not be whole, at 95 %."""
    steps, total = (np.array([value]) for value in sums)
    lower, upper = rate_interval(steps, total, PROOF)
    assert (lower[0], upper[0]) == pytest.approx(ends, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("sums", "evidence"),
    [((263.0, 0.0), 3.68899102947), ((1000.0, 8.0), 2.91527605051), ((704.0, 42.0), -1.73579181542)],
)
def test_evidence_below_a_rate_has_the_golden_values(sums: tuple[float, float], evidence: float) -> None:
    """Against a rate of 2 %."""
    steps, total = (np.array([value]) for value in sums)
    assert evidence_below(steps, total, np.array([0.02]))[0] == pytest.approx(evidence, rel=1e-9)


@pytest.mark.parametrize(("sums", "ends"), MEANS.items())
def test_mean_intervals_have_the_golden_ends(sums: tuple[float, ...], ends: tuple[float, float]) -> None:
    """From n, S and V of z in [0, 1], for values in [-1, 1]."""
    lower, upper = mean_interval(*(np.array([value]) for value in sums), PROOF)
    assert (2 * lower[0] - 1, 2 * upper[0] - 1) == pytest.approx(ends, rel=1e-9)


def mixture(logs: list[mpmath.mpf]) -> float:
    """Average exponentials of these logarithms, as a logarithm."""
    return float(mpmath.log(sum(mpmath.exp(log) for log in logs) / len(logs)))


@given(n=st.integers(1, 10**6), share=st.floats(0, 1), p=st.floats(1e-4, 0.999))
def test_evidence_on_a_rate_equals_the_formula(n: int, share: float, p: float) -> None:
    """In arbitrary precision, on both sides."""
    total, rate = n * share, mpmath.mpf(p)
    steps, summed, limit = (np.array(x) for x in (float(n), total, p))
    below = [-b * total - n * mpmath.log(1 + rate * mpmath.expm1(-b)) for b in map(mpmath.mpf, RATE_BETS)]
    above = [b * total - n * mpmath.log(1 + rate * mpmath.expm1(b)) for b in map(mpmath.mpf, RATE_BETS)]
    assert float(evidence_below(steps, summed, limit)) == pytest.approx(mixture(below), rel=1e-7, abs=1e-6)
    assert float(evidence_above(steps, summed, limit)) == pytest.approx(mixture(above), rel=1e-7, abs=1e-6)


@given(distance=st.floats(-1e4, 1e4), spread=st.floats(0, 1e4))
def test_evidence_on_a_mean_equals_the_formula(distance: float, spread: float) -> None:
    """In arbitrary precision."""
    bets = [mpmath.mpf(b) for b in MEAN_BETS]
    logs = [b * distance - (-mpmath.log(1 - b) - b) * spread for b in bets]
    shown = float(evidence_apart(np.array(distance), np.array(spread)))
    assert shown == pytest.approx(mixture(logs), rel=1e-8, abs=1e-7)


@given(n=st.integers(0, 10**6), share=st.floats(0, 1))
def test_rate_intervals_hold_the_observed_rate(n: int, share: float) -> None:
    """Between 0 and 1; the whole of it without steps."""
    lower, upper = rate_interval(np.array(float(n)), np.array(n * share), PROOF)
    assert 0 <= lower <= (share if n else 0) + 1e-9
    assert (share if n else 1) - 1e-9 <= upper <= 1


def test_no_steps_leave_everything_open() -> None:
    """For rates and for means."""
    none = np.zeros(1)
    assert [end.tolist() for end in rate_interval(none, none, PROOF)] == [[0.0], [1.0]]
    assert [end.tolist() for end in mean_interval(none, none, none, PROOF)] == [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("limit", "rows"),
    [
        (0.005, (1061, 1588, 2750, 7402, 33004)),
        (0.02, (263, 393, 680, 1831, 8162)),
        (0.1, (51, 75, 129, 344, 1515)),
    ],
)
def test_steps_to_prove_a_rate_are_the_measured_ones(limit: float, rows: tuple[int, ...]) -> None:
    """At a share of 0, .1, .25, .5 and .75 of the limit."""
    rates = limit * np.array([0, 0.1, 0.25, 0.5, 0.75])
    assert steps_to_prove_rate(np.full(5, limit), rates, PROOF) == pytest.approx(rows, rel=4e-3, abs=1)


@given(limit=st.floats(1e-3, 0.7), share=st.floats(0, 0.95))
def test_steps_to_prove_a_rate_are_those_at_which_the_interval_ends_below_the_limit(limit: float, share: float) -> None:
    """The evidence reaches the proof there."""
    limits, rates = np.array([limit]), np.array([limit * share])
    steps = steps_to_prove_rate(limits, rates, PROOF)
    assert evidence_below(steps, steps * rates, limits) == pytest.approx([PROOF], abs=1e-6)


def test_a_rate_at_its_limit_is_never_proved() -> None:
    """Nor is one above it, nor a mean without distance."""
    limits = np.array([0.02, 0.02])
    assert np.isinf(steps_to_prove_rate(limits, np.array([0.02, 0.06]), PROOF)).all()
    assert np.isinf(steps_to_prove_mean(np.zeros(1), np.ones(1), PROOF)).all()


def test_steps_to_prove_a_mean_are_those_at_which_the_evidence_suffices() -> None:
    """With a spread of one value a step."""
    distance, spread = np.array([0.01]), np.array([0.0025])
    steps = steps_to_prove_mean(distance, spread, PROOF)
    assert evidence_apart(steps * distance, steps * spread) == pytest.approx([PROOF], abs=1e-6)
