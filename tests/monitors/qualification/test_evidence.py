"""Golden values of the evidence, and its properties."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.evidence import combine, p_below, weigh
from tightrope.monitors.records import Floats
from tightrope.monitors.thresholds import one_sided_bound

ALPHA = 0.05


def rates(hits: int, rows: int) -> Floats:
    """Return rows of zeros with this number of ones."""
    return np.repeat([1.0, 0.0], [hits, rows - hits])


def signed(ones: int, minus: int, rows: int) -> Floats:
    """Return rows of zeros with these numbers of ones and minus ones."""
    return np.repeat([1.0, -1.0, 0.0], [ones, minus, rows - ones - minus])


@pytest.mark.parametrize(
    ("hits", "rows", "bound"), [(0, 59, 0.0495076099), (25, 4000, 0.0087181935), (162, 4000, 0.0460071367)]
)
def test_bounds_of_rates_are_exact(hits: int, rows: int, bound: float) -> None:
    """Clopper and Pearson's bound, to ten digits."""
    assert weigh(Hypothesis.RATE, rates(hits, rows), 0.1, ALPHA).bound == pytest.approx(bound, abs=5e-11)


def test_both_bounds_of_a_rate_are_exact() -> None:
    """Each end of the interval holds at alpha."""
    evidence = weigh(Hypothesis.RATE, rates(117, 217), 0.1, ALPHA)
    assert (evidence.at_least, evidence.bound) == pytest.approx((0.4810633149, 0.5964705347), abs=5e-11)


@pytest.mark.parametrize(
    ("hits", "rows", "limit", "p"),
    [
        (117, 217, 0.10, 1.720576e-58),
        (62, 293, 0.10, 1.198745e-08),
        (21, 114, 0.10, 0.004355289),
        (306, 4000, 0.07, 0.05848713),
    ],
)
def test_p_values_of_accusations_do_not_cancel(hits: int, rows: int, limit: float, p: float) -> None:
    """The upper tail is summed itself: 1 minus the lower one would be negative at the first of these."""
    assert weigh(Hypothesis.RATE, rates(hits, rows), limit, ALPHA).p_over == pytest.approx(p, rel=5e-7)


def test_p_values_of_proofs_are_exact() -> None:
    """The lower tail at the limit."""
    assert weigh(Hypothesis.RATE, rates(25, 4000), 0.07, ALPHA).p_within == pytest.approx(5.165684e-90, rel=5e-7)


def test_means_are_bet_upon() -> None:
    """The seven bets of the detectors give the golden bound and p-values of a difference of rates."""
    evidence = weigh(Hypothesis.UPPER, signed(12, 3, 500), 0.05, ALPHA)
    assert evidence.bound == pytest.approx(0.0466379496, abs=5e-11)
    assert evidence.p_within == pytest.approx(0.02150242, abs=5e-9)
    assert weigh(Hypothesis.UPPER, signed(60, 3, 500), 0.05, ALPHA).p_over == pytest.approx(1.093147e-04, rel=5e-7)


@given(st.integers(1, 60), st.data())
def test_rates_agree_with_the_binomial_distribution(rows: int, data: st.DataObject) -> None:
    """Both tails equal their sums of binomial terms."""
    hits, limit = data.draw(st.integers(0, rows)), data.draw(st.floats(0.01, 0.99))
    terms = [comb(rows, k) * limit**k * (1 - limit) ** (rows - k) for k in range(rows + 1)]
    evidence = weigh(Hypothesis.RATE, rates(hits, rows), limit, ALPHA)
    expected = sum(terms[: hits + 1]), sum(terms[hits:])
    assert (evidence.p_within, evidence.p_over) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.floats(0.01, 0.9))
def test_bound_and_p_value_agree(values: list[float], limit: float) -> None:
    """The bound lies below the limit exactly where the p-value lies below alpha."""
    y = np.array(values)
    bound, p = one_sided_bound(y, ALPHA), p_below(y, limit)
    assert (p <= ALPHA) == (bound <= limit) or abs(bound - limit) < 1e-9


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.floats(0.01, 0.9))
def test_a_mean_that_may_lie_on_either_side_has_no_sign(values: list[float], limit: float) -> None:
    """The evidence of y and of -y is the same but for the sign of what is seen."""
    y = np.array(values)
    one, other = (weigh(Hypothesis.MEAN, each, limit, ALPHA) for each in (y, -y))
    assert (one.p_within, one.p_over) == (other.p_within, other.p_over)
    assert one.bound == other.bound
    assert one.at_least <= abs(float(y.mean())) + 1e-12 <= one.bound + 2e-12


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(50, 60)), min_size=1, max_size=3))
def test_ways_are_joined_with_caution(ways: list[tuple[int, int]]) -> None:
    """No way proves more than the joined evidence, and none accuses less."""
    evidence = [weigh(Hypothesis.RATE, rates(*way), 0.1, ALPHA) for way in ways]
    joined = combine(evidence)
    assert joined.p_within == max(each.p_within for each in evidence)
    assert joined.p_over == max(each.p_over for each in evidence)
    assert joined.at_least == min(each.at_least for each in evidence)


def test_losses_between_zero_and_one_are_no_counts() -> None:
    """A rate of losses is bet upon; it has no hits."""
    evidence = weigh(Hypothesis.RATE, np.full(400, 0.01), 0.1, ALPHA)
    assert evidence.hits is None
    assert evidence.p_within < 1e-6
