"""The signed detector agrees with exact arithmetic on both sides and refuses invalid observations."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.judgement import exact_detector
from tightrope.monitors.detector import BETS, LOG_ZERO, BadObservationError, Signed, advance
from tightrope.monitors.records import Floats

TOLERANCE = Fraction(1, 50)
TICKS: tuple[tuple[Fraction, tuple[Fraction, ...]], ...] = (
    (Fraction(4), (Fraction(1, 4), Fraction(-1, 8), Fraction(1), Fraction(1, 2))),
    (Fraction(3), ()),
    (Fraction(2), (Fraction(-1), Fraction(0))),
    (Fraction(1, 3), (Fraction(3, 4), Fraction(7, 8), Fraction(1))),
)
"""Seeds and observations in [-1, 1], all exact as floats except one seed."""


def exact_sides(
    ticks: Sequence[exact_detector.Batch], *, bound: Fraction = Fraction(1), inside: bool = False
) -> tuple[list[float], list[float]]:
    """Return ln of the mean mass of the upward bets, and of the downward bets, after every tick."""
    shares = [Fraction(str(share)) for share in BETS]
    up, down = ([exact_detector.bet(s, TOLERANCE, bound, sign=sign, inside=inside) for s in shares] for sign in (1, -1))
    return exact_detector.evidence(ticks, up), exact_detector.evidence(ticks, down)


def path(signed: Signed, ticks: Sequence[exact_detector.Batch]) -> list[Floats]:
    """Return the log mass after every tick."""
    log_mass, history = np.full(2 * len(BETS), LOG_ZERO), []
    for seed, ys in ticks:
        log_mass = advance(log_mass, float(seed), signed.log_e(np.array(ys, dtype=float)).sum(axis=0))
        history.append(log_mass)
    return history


def negated(ticks: Sequence[exact_detector.Batch]) -> list[exact_detector.Batch]:
    """Change the sign of every observation."""
    return [(seed, [-y for y in ys]) for seed, ys in ticks]


def test_two_sided_evidence_is_exact() -> None:
    """Both sides weigh one half; the second tick has no rows."""
    up, down = exact_sides(TICKS)
    expected = np.logaddexp(up, down) - np.log(2)
    signed = Signed.outside(0.02)
    assert [float(signed.evidence(mass)) for mass in path(signed, TICKS)] == pytest.approx(expected, abs=1e-9)


def test_bound_widens_the_bets_exactly() -> None:
    """With observations in [-1/4, 1/4] the bets are 3.8 times as large."""
    ticks = [(seed, [y / 4 for y in ys]) for seed, ys in TICKS]
    up, down = exact_sides(ticks, bound=Fraction(1, 4))
    signed = Signed.outside(0.02, 0.25)
    found = [float(signed.evidence(mass)) for mass in path(signed, ticks)]
    assert found == pytest.approx(np.logaddexp(up, down) - np.log(2), abs=1e-9)


@pytest.mark.parametrize(("ticks", "weaker"), [(TICKS, [0, 0, 1, 0]), (negated(TICKS), [1, 1, 0, 1])])
def test_recovery_is_exact_and_takes_the_weaker_side(ticks: Sequence[exact_detector.Batch], weaker: list[int]) -> None:
    """abs(mean) >= tolerance is disproved only as far as its weaker side is, and the weaker side may change."""
    sides = list(zip(*exact_sides(ticks, inside=True), strict=True))
    signed = Signed.inside(0.02)
    found = [float(signed.recovered(mass)) for mass in path(signed, ticks)]
    assert found == pytest.approx([min(pair) for pair in sides], abs=1e-9)
    assert [pair.index(min(pair)) for pair in sides] == weaker


@pytest.mark.parametrize("shift", [-0.1, 0.1])
def test_shift_to_either_side_alarms_and_does_not_recover(shift: float) -> None:
    """A constant difference beyond the tolerance is harm on one side, even if the other side is sound."""
    outside, inside = Signed.outside(0.02), Signed.inside(0.02)
    ticks = [(64, [shift] * 64)] * 20
    assert outside.evidence(path(outside, ticks)[-1]) > np.log(3.15e8)
    assert inside.recovered(path(inside, ticks)[-1]) < np.log(1280)


def test_no_shift_recovers_and_does_not_alarm() -> None:
    """Differences of zero disprove both sides."""
    outside, inside = Signed.outside(0.02), Signed.inside(0.02)
    ticks = [(64, [0.0] * 64)] * 20
    assert inside.recovered(path(inside, ticks)[-1]) > np.log(1e5)
    assert outside.evidence(path(outside, ticks)[-1]) < np.log(1280)


@pytest.mark.parametrize("signed", [Signed.outside(0.02), Signed.inside(0.02)])
def test_sides_mirror_each_other(signed: Signed) -> None:
    """Negated observations exchange the sides and leave the verdict unchanged."""
    masses, mirrored = path(signed, TICKS)[-1], path(signed, negated(TICKS))[-1]
    assert np.array_equal(masses, np.roll(mirrored, len(BETS)))
    assert signed.evidence(masses) == pytest.approx(float(signed.evidence(mirrored)), rel=1e-14)
    assert signed.recovered(masses) == signed.recovered(mirrored)


def test_partitions_merge_per_grid_point() -> None:
    """Log e-values of two workers' rows, summed per bet, give the exact mass of all rows together."""
    one, other = TICKS[0][1], TICKS[3][1]
    signed = Signed.outside(0.02)
    merged = sum(signed.log_e(np.array(ys, dtype=float)).sum(axis=0) for ys in (one, other))
    up, down = exact_sides([(5, [*one, *other])])
    found = signed.evidence(advance(np.full(14, LOG_ZERO), 5.0, merged))
    assert found == pytest.approx(float(np.logaddexp(up[0], down[0]) - np.log(2)), abs=1e-9)


@settings(deadline=None)
@given(
    y=arrays.arrays(float, st.integers(1, 40), elements=st.floats(-1, 1)),
    tolerance=st.floats(1e-6, 0.999),
    cut=st.integers(0, 40),
)
def test_every_observation_in_range_has_a_finite_e_value(y: Floats, tolerance: float, cut: int) -> None:
    """No observation ruins a bet, and a batch is the sum of its parts."""
    for signed in (Signed.outside(tolerance), Signed.inside(tolerance)):
        log_e = signed.log_e(y)
        assert log_e.shape == (len(y), 14)
        assert np.isfinite(log_e).all()
        parts = signed.log_e(y[:cut]).sum(axis=0) + signed.log_e(y[cut:]).sum(axis=0)
        assert parts == pytest.approx(log_e.sum(axis=0), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("mean", [-0.3, 0.3])
def test_expected_e_value_at_the_tolerance_is_one(mean: float) -> None:
    """The tested side has expectation exactly one at its boundary, in both directions."""
    y = np.array([-1.0, 1.0])
    weight = np.array([(1 - mean) / 2, (1 + mean) / 2])
    side = slice(0, 7) if mean > 0 else slice(7, 14)
    for signed in (Signed.outside(0.3), Signed.inside(0.3)):
        assert (weight @ np.exp(signed.log_e(y)))[side] == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.0000001, -2.0])
@pytest.mark.parametrize("signed", [Signed.outside(0.02), Signed.inside(0.02)])
def test_invalid_observation_is_refused(signed: Signed, bad: float) -> None:
    """One bad row among good ones raises; nothing is clipped."""
    with pytest.raises(BadObservationError, match="finite and in"):
        signed.log_e(np.array([0.0, bad, 0.5]))


def test_observations_beyond_the_bound_are_refused() -> None:
    """The edge itself is allowed, a value beyond a narrower bound is not."""
    signed = Signed.outside(0.02, 0.25)
    assert np.isfinite(signed.log_e(np.array([-0.25, 0.25]))).all()
    with pytest.raises(BadObservationError, match=r"0\.25"):
        signed.log_e(np.array([0.26]))


@pytest.mark.parametrize(("tolerance", "bound"), [(0.0, 1.0), (-0.1, 1.0), (1.0, 1.0), (0.3, 0.25), (np.nan, 1.0)])
def test_tolerance_outside_the_range_is_refused(tolerance: float, bound: float) -> None:
    """A mean cannot leave an empty range, nor the whole range."""
    for make in (Signed.outside, Signed.inside):
        with pytest.raises(ValueError, match="above 0 and below the bound"):
            make(tolerance, bound)
