"""The Bernoulli detector agrees with exact arithmetic, keeps its numbers in bounds and merges."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement import exact_detector
from tightrope.monitors.detector import (
    LOG_ZERO,
    RATIOS,
    RECOVERY_RATIOS,
    Bernoulli,
    add_seed,
    advance,
    divergence,
    logsumexp,
)

LIMIT = Fraction(2, 100)
COUNTS = st.integers(0, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


def evidence(detector: Bernoulli, ticks: Sequence[tuple[float, int, int]]) -> list[float]:
    """Return log M after every tick of (seed, rows, ones)."""
    log_mass = np.full(detector.up.shape, LOG_ZERO)
    path = []
    for seed, n, k in ticks:
        log_mass = advance(log_mass, seed, detector.log_e(np.array(n), np.array(k)))
        path.append(float(detector.evidence(log_mass)))
    return path


def exact_evidence(
    limit: Fraction, ratios: Sequence[float], ticks: Sequence[tuple[Fraction | int, int, int]]
) -> list[float]:
    """Return log M in rational numbers."""
    batches = [(seed, [1] * k + [0] * (n - k)) for seed, n, k in ticks]
    return exact_detector.evidence(
        batches, [exact_detector.likelihood_ratio(Fraction(r) * limit, limit) for r in ratios]
    )


def test_one_alternative_gives_the_golden_path() -> None:
    """Ten observations at limit 2 % and alternative 4 %, one per tick."""
    path = evidence(Bernoulli.above(0.02, (2.0,)), [(1, 1, y) for y in (0, 0, 1, 0, 1, 1, 0, 0, 1, 0)])
    assert path == pytest.approx(
        [
            -0.020619287202735703,
            0.6622713931900205,
            1.7712818953395224,
            1.9077644544009011,
            2.7392915770359134,
            3.4950530281279164,
            3.5043295146786293,
            3.5133340043249275,
            4.2358432726058215,
            4.229587933109354,
        ],
        abs=1e-9,
    )


def test_mixture_gives_the_golden_end() -> None:
    """Ten observations with all six alternatives."""
    path = evidence(Bernoulli.above(0.02), [(1, 1, y) for y in (0, 0, 1, 0, 1, 1, 0, 0, 1, 0)])
    assert path[-1] == pytest.approx(7.748666362385503, abs=1e-9)


def test_batches_give_the_golden_path() -> None:
    """Six batches seeded with their size, one of them empty."""
    batches = [(64, 1), (64, 0), (32, 3), (100, 5), (0, 0), (64, 8)]
    assert evidence(Bernoulli.above(0.02), [(n, n, k) for n, k in batches]) == pytest.approx(
        [
            3.2745677273495604,
            3.3974780373344196,
            5.466592975028723,
            6.803570089763455,
            6.803570089763455,
            13.144527091666944,
        ],
        abs=1e-9,
    )


def test_divergence_gives_the_golden_numbers() -> None:
    """KL of 3, 5 and 10 % from 2 %."""
    expected = [0.002215148081071495, 0.016278478877178197, 0.0843017637371339]
    assert divergence(np.array([0.03, 0.05, 0.1]), 0.02) == pytest.approx(expected, abs=1e-9)


def test_subgroup_cell_is_exact_on_the_global_clock() -> None:
    """The cell is seeded with a share of every tick, with or without rows of its own."""
    own = [(3, 1), (0, 0), (0, 0), (1, 0), (9, 4), (0, 0), (2, 2)]
    share = Fraction(1, 40)
    expected = exact_evidence(2 * LIMIT, RATIOS, [(64 * share, n, k) for n, k in own])
    assert evidence(Bernoulli.above(0.04), [(64 / 40, n, k) for n, k in own]) == pytest.approx(expected, abs=1e-9)


def test_recovery_is_exact() -> None:
    """The inverted null: alternatives below the limit, seeded with the own rows."""
    batches = [(64, 0), (64, 1), (0, 0), (13, 0), (64, 3), (256, 0)]
    limit = Fraction(3, 4) * LIMIT
    expected = exact_evidence(limit, RECOVERY_RATIOS, [(n, n, k) for n, k in batches if n])
    path = evidence(Bernoulli.below(0.75 * 0.02), [(n, n, k) for n, k in batches])
    assert [path[i] for i in (0, 1, 3, 4, 5)] == pytest.approx(expected, abs=1e-9)
    assert path[2] == path[1]


def test_dropped_alternatives_are_exact_too() -> None:
    """At a limit of 40 % alternatives below 90 % remain, and 85 %, with equal weights."""
    batches = [(5, 3), (7, 7)]
    expected = exact_evidence(Fraction(2, 5), (1.25, 1.5, 2.0, 2.125), [(n, n, k) for n, k in batches])
    assert evidence(Bernoulli.above(0.4), [(n, n, k) for n, k in batches]) == pytest.approx(expected, abs=1e-9)


def test_cells_of_different_limits_are_independent() -> None:
    """An array of limits gives each cell the value that it has alone."""
    limits, n, k = np.array([0.02, 0.4, 0.1]), np.array([64, 10, 0]), np.array([4, 9, 0])
    together = Bernoulli.above(limits)
    log_mass = advance(np.full((3, 6), LOG_ZERO), np.array([[64.0], [3.2], [1.6]]), together.log_e(n, k))
    alone = [
        evidence(Bernoulli.above(limits[i]), [(seed, int(n[i]), int(k[i]))])[-1]
        for i, seed in enumerate((64.0, 3.2, 1.6))
    ]
    assert together.evidence(log_mass).tolist() == alone


@settings(deadline=None)
@given(parts=st.lists(COUNTS, min_size=1, max_size=8), before=st.lists(COUNTS, max_size=3))
def test_batch_split_over_workers_gives_the_identical_mass(
    parts: list[tuple[int, int]], before: list[tuple[int, int]]
) -> None:
    """Summed counts of the parts give the mass of the whole bit by bit; summed log e-values give it up to rounding."""
    n, k = sum(n for n, _ in parts), sum(k for _, k in parts)
    detector = Bernoulli.above(0.02)
    log_mass = np.full(6, LOG_ZERO)
    for rows, ones in before:
        log_mass = advance(log_mass, rows, detector.log_e(np.array(rows), np.array(ones)))
    whole = advance(log_mass, n, detector.log_e(np.array(n), np.array(k)))
    added = detector.log_e(np.array([n for n, _ in parts]).sum(), np.array([k for _, k in parts]).sum())
    assert np.array_equal(advance(log_mass, n, added), whole)
    summed = sum(detector.log_e(np.array(n), np.array(k)) for n, k in parts)
    assert advance(log_mass, n, summed) == pytest.approx(whole, rel=1e-12, abs=1e-9)


def test_mixtures_must_not_be_merged_after_mixing() -> None:
    """E-values of partitions multiply per alternative: the sum of mixed evidence is another number."""
    detector = Bernoulli.above(0.02)
    parts = [detector.log_e(np.array(64), np.array(k)) for k in (0, 9)]
    merged = float(detector.evidence(add_seed(np.full(6, LOG_ZERO), 1.0) + sum(parts)))
    expected = exact_evidence(LIMIT, RATIOS, [(1, 128, 9)])[0]
    mixed_first = sum(float(detector.evidence(add_seed(np.full(6, LOG_ZERO), 1.0) + part)) for part in parts)
    assert merged == pytest.approx(expected, abs=1e-9)
    assert abs(mixed_first - expected) > 0.5


def test_tick_without_rows_still_adds_the_seed() -> None:
    """The mass grows by the seed alone: ln 4, then ln 10."""
    assert evidence(Bernoulli.above(0.02), [(4, 0, 0), (6, 0, 0)]) == pytest.approx([np.log(4), np.log(10)])


def test_detector_without_seed_stays_at_zero_mass() -> None:
    """Observations alone do not move it from minus infinity."""
    assert evidence(Bernoulli.above(0.02), [(0, 0, 0), (0, 10, 10)]) == [-np.inf, -np.inf]


@pytest.mark.parametrize("tick", [10_000, 10_000_000])
def test_ten_million_zeros_do_not_blunt_the_detector(tick: int) -> None:
    """The mass stays finite, and 64 ones in a row then alarm at once."""
    path = evidence(Bernoulli.above(0.02), [(tick, tick, 0)] * (10_000_000 // tick) + [(64, 64, 64)])
    assert np.isfinite(path).all()
    assert path[-2] < np.log(tick) < np.log(3.15e8) < path[-1]


@pytest.mark.parametrize("log_mass", [-800.0, -1e6, -1e300, -np.inf])
def test_underflow_gives_the_true_logarithm(log_mass: float) -> None:
    """A mass too small for a float keeps its logarithm, or is minus infinity; it never becomes large."""
    assert Bernoulli.above(0.02).evidence(np.full(6, log_mass)) == pytest.approx(log_mass, rel=1e-12)
    assert logsumexp(np.array([log_mass, -np.inf])) == pytest.approx(log_mass, rel=1e-12)


def test_sum_of_logarithms_takes_any_shape_of_cells() -> None:
    """Only the last axis is summed; cells of zero mass stay at zero beside others."""
    values = np.array([[[0.0, np.log(3.0)], [LOG_ZERO, LOG_ZERO]], [[-1e4, LOG_ZERO], [2000.0, 2000.0]]])
    assert logsumexp(values) == pytest.approx(np.array([[np.log(4.0), -np.inf], [-1e4, 2000.0 + np.log(2.0)]]))


@pytest.mark.parametrize("limit", [0.0, -0.1, 0.72, 1.0, np.nan, [0.02, 0.0], [0.8, 0.02]])
def test_limit_without_alternatives_is_refused(limit: float | list[float]) -> None:
    """A limit of zero, or one without room above it, cannot be tested, also beside a valid one."""
    with pytest.raises(ValueError, match=r"above 0 and below 0\.72"):
        Bernoulli.above(np.array(limit))


@pytest.mark.parametrize("limit", [0.0, -0.1, 1.0, 2.0, np.nan])
def test_limit_that_no_rate_can_be_below_is_refused(limit: float) -> None:
    """Recovery from a limit of 100 % or more would be certain, from one of 0 % impossible."""
    with pytest.raises(ValueError, match=r"above 0 and below 1\.00"):
        Bernoulli.below(limit)


@pytest.mark.parametrize(
    ("limit", "kept"), [(1e-9, 6), (0.02, 6), (0.1, 6), (0.0899, 6), (0.5, 3), (0.69, 1), (0.719, 1)]
)
def test_alternatives_from_ninety_percent_on_are_dropped(limit: float, kept: int) -> None:
    """The weights of the remaining ones are equal and sum to one; 85 % joins them where it is the largest."""
    weights = np.exp(Bernoulli.above(limit).log_weight)
    assert weights.tolist() == pytest.approx([1 / kept] * kept + [0] * (6 - kept))


def test_largest_alternative_of_a_collapse_is_eighty_five_percent() -> None:
    """Where ten times the limit is no rate; the others stay."""
    alternatives = np.exp(Bernoulli.above(0.1).up) * 0.1
    assert alternatives.tolist() == pytest.approx([0.125, 0.15, 0.2, 0.3, 0.5, 0.85])
    assert (np.exp(Bernoulli.above(0.0899).up) * 0.0899)[-1] == pytest.approx(0.899)
    assert (np.exp(Bernoulli.above(0.5).up) * 0.5).tolist() == pytest.approx([0.625, 0.75, 0.85, 0.5, 0.5, 0.5])
