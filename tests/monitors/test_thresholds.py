from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from tightrope.monitors.thresholds import (
    Ranking,
    between,
    is_bounded,
    limit_above,
    log_tail,
    mean_bounds,
    most_wrong,
    persistent,
    places,
    rate_bounds,
    rows_without_error,
    select,
    upper_bound,
)

DELTAS = st.floats(1e-9, 0.999)
FAIR = settings(deadline=None, max_examples=60)
"""However busy the machine is."""

SCORES = st.lists(st.tuples(st.sampled_from(np.linspace(0.5, 1.0, 23).tolist()), st.booleans()), min_size=1)


def ranking(rows: list[tuple[float, bool]]) -> Ranking:
    """Rows of (certainty, wrong), ranked."""
    return Ranking.of(np.array([score for score, _ in rows]), np.array([wrong for _, wrong in rows]))


@pytest.mark.parametrize("delta", [1e-9, 0.05 / 12, 0.05, 0.5, 0.95])
@pytest.mark.parametrize("m", [1, 2, 7, 59, 1000, 40_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999])
def test_bound_agrees_with_scipy(m: int, share: float, delta: float) -> None:
    """B(k, m, delta) is the beta quantile that scipy computes in quite another way, to 1e-9."""
    k = int(share * m)
    assert upper_bound(k, m, delta) == pytest.approx(beta.isf(delta, k + 1, m - k), abs=1e-9)


def test_bounds_are_the_golden_ones() -> None:
    """30 of 1000 at 2.5 % a side: the Clopper-Pearson interval of statsmodels."""
    assert rate_bounds(30, 1000, 0.025) == pytest.approx((0.020330485683109627, 0.04255140247002905), abs=1e-12)


def test_bound_of_rare_events_keeps_its_digits() -> None:
    """Nothing in a thousand million: 1 - delta^(1/m), though it is as small as 3e-9."""
    assert upper_bound(0, 10**9, 0.05) == pytest.approx(-np.expm1(np.log(0.05) / 1e9), rel=1e-6)


@FAIR
@given(st.integers(0, 400), st.integers(1, 400), DELTAS)
def test_bound_grows_with_errors_and_falls_with_rows(k: int, more: int, delta: float) -> None:
    """One error more raises it, one sound row more lowers it, and so does a larger delta; never below the rate seen."""
    m = k + more
    bound = upper_bound(k, m, delta)
    assert bound < upper_bound(k + 1, m, delta) or bound == 1
    assert bound > upper_bound(k, m + 1, delta)
    assert bound >= upper_bound(k, m, min(2 * delta, 0.9995))
    assert delta > 0.3 or bound > k / m


@pytest.mark.parametrize("m", [0, 1, 50])
def test_bound_is_one_when_everything_is_wrong(m: int) -> None:
    """Without rows too: who has seen nothing knows nothing."""
    assert upper_bound(m, m, 0.05) == 1.0
    assert rate_bounds(m, m, 0.05)[1] == 1.0
    assert rate_bounds(0, m, 0.05)[0] == 0.0


def test_bound_too_near_to_one_for_a_float_is_one() -> None:
    """No logarithm of nothing on the way there."""
    assert upper_bound(10**5 - 1, 10**5, 1e-15) == 1.0


@pytest.mark.parametrize(("k", "m", "delta"), [(-1, 5, 0.1), (6, 5, 0.1), (1, 5, 0.0), (1, 5, 1.0), (1, 5, np.nan)])
def test_bound_refuses_what_is_no_count_or_no_probability(k: int, m: int, delta: float) -> None:
    """A mistake is raised, not answered."""
    with pytest.raises(ValueError, match="needs 0 <= k <= m and 0 < delta < 1"):
        upper_bound(k, m, delta)


@pytest.mark.parametrize(("k", "m"), [(0, 1), (3, 10), (200, 1000), (999, 1000)])
def test_tail_agrees_with_high_precision(k: int, m: int) -> None:
    """log P(X <= k) at several rates at once, against a sum with 50 digits; scipy's own says -inf for one of them."""
    rates = np.array([1e-6, 0.01, 0.2, 0.5, 0.9])
    with mpmath.workdps(50):
        exact = [mpmath.log(mpmath.fsum(_term(i, m, rate) for i in range(k + 1))) for rate in rates]
    assert log_tail(k, m, rates) == pytest.approx(np.array(exact, dtype=float), rel=1e-12, abs=1e-11)


def _term(i: int, m: int, rate: float) -> mpmath.mpf:
    return mpmath.binomial(m, i) * mpmath.mpf(rate) ** i * (1 - mpmath.mpf(rate)) ** (m - i)


def test_tail_that_underflows_keeps_its_logarithm() -> None:
    """All of a million coins are tails: a probability of 2^-1000000 is no zero."""
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
    """One row fewer would not do."""
    assert rows_without_error(risk, 0.05) == needed
    assert is_bounded(0, needed, risk, 0.05)
    assert not is_bounded(0, needed - 1, risk, 0.05)


@FAIR
@given(st.integers(0, 60), st.floats(0.005, 0.9), DELTAS)
def test_most_wrong_is_the_last_that_is_bounded(m: int, limit: float, delta: float) -> None:
    """As found by trying every count; but for a tail that equals delta but for rounding."""
    tails = binom.cdf(np.arange(m), m, limit)
    assume(not np.any(np.abs(tails - delta) < 1e-9))
    assert most_wrong(m, limit, delta) == np.count_nonzero(tails <= delta) - 1


@FAIR
@given(SCORES)
def test_ranking_counts_what_every_threshold_accepts(rows: list[tuple[float, bool]]) -> None:
    """Rows of equal certainty are accepted together."""
    made = ranking(rows)
    for certainty, accepted, wrong in zip(made.certainty, made.accepted, made.wrong, strict=True):
        kept = [bad for score, bad in rows if score >= certainty]
        assert (accepted, wrong) == (len(kept), sum(kept))
    assert made.rows == len(rows)
    assert all(a > b for a, b in pairwise(made.certainty))


@FAIR
@given(SCORES)
def test_threshold_of_a_place_accepts_its_rows(rows: list[tuple[float, bool]]) -> None:
    """Shortened to few decimals as it is, it moves no row across; its bound has a step's part of delta."""
    made = ranking(rows)
    for place in places(made):
        point = made.point(place, 0.05)
        assert sum(score >= point.threshold for score, _ in rows) == point.accepted == made.accepted[place]
        assert point.bound == upper_bound(point.wrong, point.accepted, 0.05 / made.steps)


@FAIR
@given(st.floats(-10, 10), st.floats(1e-9, 1))
def test_threshold_lies_between_two_certainties(low: float, gap: float) -> None:
    """Above the lower one, at most the higher one."""
    assert low < between(low, low + gap) <= low + gap


def test_threshold_has_no_more_decimals_than_it_needs() -> None:
    """Three at least, and as many as tell two rows apart."""
    assert between(-np.inf, 0.73456) == 0.734
    assert between(0.7, 0.73456) == 0.734
    assert between(0.7345, 0.734567) == 0.73456
    assert between(-0.69, -0.5) == -0.5


@FAIR
@given(st.integers(60, 250), st.floats(0.02, 0.3), st.floats(0.01, 0.2))
def test_selected_threshold_is_the_lowest_that_is_proved(n: int, risk: float, delta: float) -> None:
    """Where all errors lie at the uncertain end the binary search finds what a search of every place would."""
    made = Ranking.of(-np.arange(n, dtype=float), np.arange(n) >= n // 2)
    safe = [place for place in range(n) if made.is_safe(place, risk, delta)]
    assert select(made, risk, delta) == max(safe, default=None)


def test_selection_never_costs_more_bounds_than_its_share_of_delta_pays_for() -> None:
    """Whatever the errors, at most ceil(log2 n) places are looked at."""
    looked: list[int] = []

    class Watched(Ranking):
        def is_safe(self, place: int, risk: float, delta: float) -> bool:
            looked.append(place)
            return Ranking.is_safe(self, place, risk, delta)

    rng = np.random.default_rng(0)
    for n in (2, 64, 65, 1000):
        for rate in (0.0, 0.1, 1.0):
            looked.clear()
            made = Watched.of(rng.random(n), rng.random(n) < rate)
            select(made, 0.1, 0.05)
            assert len(looked) <= made.steps


def test_too_few_labels_give_no_threshold() -> None:
    """With seven steps each has so little of delta that 97 rows without an error are needed, and 96 are not enough; a
    search of 100 does not lose itself among fewer.
    """
    assert rows_without_error(0.05, 0.05 / 7) == 97
    for n, place in ((96, None), (97, 96), (100, 99)):
        sound = Ranking.of(np.arange(n, dtype=float), np.zeros(n, dtype=bool))
        assert sound.steps == 7
        assert select(sound, 0.05, 0.05) == place


def test_a_model_that_is_always_wrong_gets_no_threshold() -> None:
    """Rather none than a naive one."""
    assert select(Ranking.of(np.linspace(0, 1, 5000), np.ones(5000, dtype=bool)), 0.2, 0.05) is None


@FAIR
@given(SCORES, st.floats(0.05, 0.6))
def test_persistent_threshold_is_the_lowest_that_loses_few_enough(rows: list[tuple[float, bool]], limit: float) -> None:
    """As found by walking down place after place to the first failure. ``wrong`` stands for: the baseline refuses."""
    made = ranking(rows)
    refused = np.array([score for score, baseline_refuses in rows if baseline_refuses])
    place = None
    for index, threshold in enumerate(made.certainty):
        if upper_bound(int((refused >= threshold).sum()), len(refused), 0.05) > limit:
            break
        place = index
    assert persistent(made, refused, limit, 0.05) == place


@pytest.mark.parametrize("sign", [1, -1])
def test_bound_of_a_mean_is_where_betting_against_it_has_won_enough(sign: int) -> None:
    """Seven bets, 2 % to 98 % of all there is, each on the mean being lower: on average they make 1 of delta / 2."""
    y = np.array([0.0, 0.3, -0.1, 0.5] * 50)
    bound = mean_bounds(sign * y, 0.05)[1]
    bets = 0.98 * np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])
    wealth = np.prod(1 + bets * ((bound - y) / (1 - bound))[:, None], axis=0)
    assert wealth.mean() == pytest.approx(40.0, rel=1e-6)


@FAIR
@given(st.floats(1e-6, 0.3), st.floats(0, 0.3), st.floats(1e-6, 0.3), st.floats(0.1, 0.9))
def test_proposed_limit_leaves_room_above_everything(noise: float, rate: float, bound: float, ratio: float) -> None:
    """Above the noise, above the bound, and so that the rate is under 0.8 of what a return must disprove; two digits,
    and not more than needed.
    """
    limit = limit_above(noise, rate, bound, ratio)
    least = max(noise, bound, rate / (0.8 * ratio))
    assert least < limit < 1.12 * least
    assert float(f"{limit:.1e}") == limit
