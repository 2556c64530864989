"""Exact bounds and thresholds: against scipy, mpmath, and exhaustive search."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from tightrope.monitors.thresholds import (
    Ranking,
    curve_indices,
    is_bounded,
    log_tail,
    max_errors,
    mean_bounds,
    persistent_threshold,
    propose_limit,
    rate_bounds,
    rows_without_error,
    select_threshold,
    shortest_between,
    upper_bound,
)

DELTAS = st.floats(1e-9, 0.999)
NO_DEADLINE = settings(deadline=None, max_examples=60)
"""Without a deadline, because the machine may be busy."""

SCORES = st.lists(st.tuples(st.sampled_from(np.linspace(0.5, 1.0, 23).tolist()), st.booleans()), min_size=1)


def make_ranking(rows: list[tuple[float, bool]]) -> Ranking:
    """Rank rows of (certainty, wrong)."""
    return Ranking.from_rows(np.array([score for score, _ in rows]), np.array([wrong for _, wrong in rows]))


@pytest.mark.parametrize("delta", [1e-9, 0.05 / 12, 0.05, 0.5, 0.95])
@pytest.mark.parametrize("m", [1, 2, 7, 59, 1000, 40_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999])
def test_bound_agrees_with_scipy(m: int, share: float, delta: float) -> None:
    """B(k, m, delta) is scipy's beta quantile, computed by another method, to 1e-9."""
    k = int(share * m)
    assert upper_bound(k, m, delta) == pytest.approx(beta.isf(delta, k + 1, m - k), abs=1e-9)


def test_bounds_are_the_golden_ones() -> None:
    """30 of 1000 at 2.5 % per side: the Clopper-Pearson interval of statsmodels."""
    assert rate_bounds(30, 1000, 0.025) == pytest.approx((0.020330485683109627, 0.04255140247002905), abs=1e-12)


def test_bound_of_rare_events_keeps_its_digits() -> None:
    """No event in 1e9 rows: 1 - delta^(1/m), though it is as small as 3e-9."""
    assert upper_bound(0, 10**9, 0.05) == pytest.approx(-np.expm1(np.log(0.05) / 1e9), rel=1e-6)


@NO_DEADLINE
@given(st.integers(0, 400), st.integers(1, 400), DELTAS)
def test_bound_grows_with_errors_and_falls_with_rows(k: int, more: int, delta: float) -> None:
    """One error more raises it, one sound row more or a larger delta lowers it; it exceeds the observed rate."""
    m = k + more
    bound = upper_bound(k, m, delta)
    assert bound < upper_bound(k + 1, m, delta) or bound == 1
    assert bound > upper_bound(k, m + 1, delta)
    assert bound >= upper_bound(k, m, min(2 * delta, 0.9995))
    assert delta > 0.3 or bound > k / m


@pytest.mark.parametrize("m", [0, 1, 50])
def test_bound_is_one_when_everything_is_wrong(m: int) -> None:
    """Also without rows."""
    assert upper_bound(m, m, 0.05) == 1.0
    assert rate_bounds(m, m, 0.05)[1] == 1.0
    assert rate_bounds(0, m, 0.05)[0] == 0.0


def test_bound_too_near_to_one_for_a_float_is_one() -> None:
    """The bisection takes no logarithm of zero."""
    assert upper_bound(10**5 - 1, 10**5, 1e-15) == 1.0


@pytest.mark.parametrize(("k", "m", "delta"), [(-1, 5, 0.1), (6, 5, 0.1), (1, 5, 0.0), (1, 5, 1.0), (1, 5, np.nan)])
def test_bound_refuses_invalid_counts_and_probabilities(k: int, m: int, delta: float) -> None:
    """A mistake raises instead of giving a number."""
    with pytest.raises(ValueError, match="needs 0 <= k <= m and 0 < delta < 1"):
        upper_bound(k, m, delta)


@pytest.mark.parametrize(("k", "m"), [(0, 1), (3, 10), (200, 1000), (999, 1000)])
def test_tail_agrees_with_high_precision(k: int, m: int) -> None:
    """log P(X <= k) at several rates against a sum with 50 digits, where scipy gives -inf for one of them."""
    rates = np.array([1e-6, 0.01, 0.2, 0.5, 0.9])
    with mpmath.workdps(50):
        exact = [mpmath.log(mpmath.fsum(_term(i, m, rate) for i in range(k + 1))) for rate in rates]
    assert log_tail(k, m, rates) == pytest.approx(np.array(exact, dtype=float), rel=1e-12, abs=1e-11)


def _term(i: int, m: int, rate: float) -> mpmath.mpf:
    return mpmath.binomial(m, i) * mpmath.mpf(rate) ** i * (1 - mpmath.mpf(rate)) ** (m - i)


def test_tail_that_underflows_keeps_its_logarithm() -> None:
    """The probability that a million coins are all tails, 2^-1000000, is not zero."""
    assert log_tail(0, 10**6, 0.5) == pytest.approx(1e6 * np.log(0.5))


@pytest.mark.parametrize("rate", [0.005, 0.03, 0.1, 0.5])
@pytest.mark.parametrize("delta", [0.05, 0.2])
def test_bounds_miss_no_more_often_than_delta(rate: float, delta: float) -> None:
    """Exactly, over every outcome of 60 trials, on either side."""
    k = np.arange(61)
    chance = binom.pmf(k, 60, rate)
    bounds = np.array([rate_bounds(int(each), 60, delta) for each in k])
    assert chance[bounds[:, 1] < rate].sum() <= delta
    assert chance[bounds[:, 0] > rate].sum() <= delta


@pytest.mark.parametrize(("risk", "needed"), [(0.02, 149), (0.01, 299), (0.05, 59)])
def test_fewest_rows_without_error_are_the_golden_ones(risk: float, needed: int) -> None:
    """One row fewer is not enough."""
    assert rows_without_error(risk, 0.05) == needed
    assert is_bounded(0, needed, risk, 0.05)
    assert not is_bounded(0, needed - 1, risk, 0.05)


@NO_DEADLINE
@given(st.integers(0, 60), st.floats(0.005, 0.9), DELTAS)
def test_max_errors_is_the_last_bounded_count(m: int, limit: float, delta: float) -> None:
    """Compared with a search of every count; tails that equal delta up to rounding are excluded."""
    tails = binom.cdf(np.arange(m), m, limit)
    assume(not np.any(np.abs(tails - delta) < 1e-9))
    assert max_errors(m, limit, delta) == np.count_nonzero(tails <= delta) - 1


@NO_DEADLINE
@given(SCORES)
def test_ranking_counts_the_rows_that_every_threshold_accepts(rows: list[tuple[float, bool]]) -> None:
    """Rows of equal certainty are accepted together."""
    ranked = make_ranking(rows)
    for certainty, accepted, wrong in zip(ranked.certainty, ranked.accepted, ranked.wrong, strict=True):
        kept = [bad for score, bad in rows if score >= certainty]
        assert (accepted, wrong) == (len(kept), sum(kept))
    assert ranked.rows == len(rows)
    assert all(a > b for a, b in pairwise(ranked.certainty))


@NO_DEADLINE
@given(SCORES)
def test_threshold_of_an_index_accepts_its_rows(rows: list[tuple[float, bool]]) -> None:
    """Rounding to few decimals moves no row across it; its bound has a step's part of delta."""
    ranked = make_ranking(rows)
    for index in curve_indices(ranked):
        point = ranked.point(index, 0.05)
        assert sum(score >= point.threshold for score, _ in rows) == point.accepted == ranked.accepted[index]
        assert point.bound == upper_bound(point.wrong, point.accepted, 0.05 / ranked.steps)


@NO_DEADLINE
@given(st.floats(-10, 10), st.floats(1e-9, 1))
def test_threshold_lies_between_two_certainties(low: float, gap: float) -> None:
    """Above the lower one, at most the higher one."""
    assert low < shortest_between(low, low + gap) <= low + gap


def test_threshold_has_no_more_decimals_than_it_needs() -> None:
    """At least three, and as many as separate two rows."""
    assert shortest_between(-np.inf, 0.73456) == 0.734
    assert shortest_between(0.7, 0.73456) == 0.734
    assert shortest_between(0.7345, 0.734567) == 0.73456
    assert shortest_between(-0.69, -0.5) == -0.5


@NO_DEADLINE
@given(st.integers(60, 250), st.floats(0.02, 0.3), st.floats(0.01, 0.2))
def test_selected_threshold_is_the_lowest_that_is_proved(n: int, risk: float, delta: float) -> None:
    """Where all errors are at the uncertain end, the binary search finds the result of an exhaustive search."""
    ranked = Ranking.from_rows(-np.arange(n, dtype=float), np.arange(n) >= n // 2)
    safe = [index for index in range(n) if ranked.is_safe(index, risk, delta)]
    assert select_threshold(ranked, risk, delta) == max(safe, default=None)


def test_selection_evaluates_no_more_bounds_than_delta_is_divided_by() -> None:
    """At most ceil(log2 n) bounds are evaluated, for any errors."""
    looked: list[int] = []

    class Watched(Ranking):
        def is_safe(self, index: int, risk: float, delta: float) -> bool:
            looked.append(index)
            return Ranking.is_safe(self, index, risk, delta)

    rng = np.random.default_rng(0)
    for n in (2, 64, 65, 1000):
        for rate in (0.0, 0.1, 1.0):
            looked.clear()
            ranked = Watched.from_rows(rng.random(n), rng.random(n) < rate)
            select_threshold(ranked, 0.1, 0.05)
            assert len(looked) <= ranked.steps


def test_too_few_labels_give_no_threshold() -> None:
    """Each of seven steps has so little of delta that 97 rows without an error are needed.

    96 rows are not enough, and a search among 100 does not turn towards fewer rows.
    """
    assert rows_without_error(0.05, 0.05 / 7) == 97
    for n, index in ((96, None), (97, 96), (100, 99)):
        sound = Ranking.from_rows(np.arange(n, dtype=float), np.zeros(n, dtype=bool))
        assert sound.steps == 7
        assert select_threshold(sound, 0.05, 0.05) == index


def test_model_that_is_always_wrong_gets_no_threshold() -> None:
    """No threshold is better than a naive one."""
    assert select_threshold(Ranking.from_rows(np.linspace(0, 1, 5000), np.ones(5000, dtype=bool)), 0.2, 0.05) is None


@NO_DEADLINE
@given(SCORES, st.floats(0.05, 0.6))
def test_persistent_threshold_is_the_lowest_that_loses_few_enough(rows: list[tuple[float, bool]], limit: float) -> None:
    """Compared with a walk over every index to the first failure. ``wrong`` marks rows that the baseline refuses."""
    ranked = make_ranking(rows)
    refused = np.array([score for score, baseline_refuses in rows if baseline_refuses])
    lowest = None
    for index, threshold in enumerate(ranked.certainty):
        if upper_bound(int((refused >= threshold).sum()), len(refused), 0.05) > limit:
            break
        lowest = index
    assert persistent_threshold(ranked, refused, limit, 0.05) == lowest


@pytest.mark.parametrize("sign", [1, -1])
def test_bound_of_a_mean_is_where_the_wealth_reaches_the_threshold(sign: int) -> None:
    """Seven bets, 2 % to 98 % of the largest, that the mean is lower: their average wealth is 1 / (delta / 2)."""
    y = np.array([0.0, 0.3, -0.1, 0.5] * 50)
    bound = mean_bounds(sign * y, 0.05)[1]
    bets = 0.98 * np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])
    wealth = np.prod(1 + bets * ((bound - y) / (1 - bound))[:, None], axis=0)
    assert wealth.mean() == pytest.approx(40.0, rel=1e-6)


@NO_DEADLINE
@given(st.floats(1e-6, 0.3), st.floats(0, 0.3), st.floats(1e-6, 0.3), st.floats(0.1, 0.9))
def test_proposed_limit_leaves_room_above_noise_bound_and_rate(
    noise: float, rate: float, bound: float, ratio: float
) -> None:
    """The rate is under 0.8 of the rate that a return must disprove; the limit has two digits and no more room."""
    limit = propose_limit(noise, rate, bound, ratio)
    least = max(noise, bound, rate / (0.8 * ratio))
    assert least < limit < 1.12 * least
    assert float(f"{limit:.1e}") == limit
