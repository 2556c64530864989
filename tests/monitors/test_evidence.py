"""From rows to e-values: counting, validation, and equality of shared and separate arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact
from tests.support.judgement.ticks import concatenate_tallies, make_rule, make_tally, make_tick, run_ticks
from tightrope.monitors import evidence
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.detector import BadObservationError, Bernoulli, Signed
from tightrope.monitors.evidence import UNWATCHED, MeanTest, RateTest, Tally

SHARED_DETECTOR = np.array([0, 0])


def mean_test(*, ternary: bool, sides: int = 2, weaker_side: bool = False) -> MeanTest:
    """Build a test of two scopes with equal tolerance."""
    return MeanTest((Signed.outside(0.02, 1.0, sides),), SHARED_DETECTOR, ternary, weaker_side)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_order_of_rows_within_a_tick_does_not_matter_for_rates(data: st.DataObject) -> None:
    """Integer counts give equal cells to the last bit."""
    y = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=64))
    own = data.draw(st.lists(st.booleans(), min_size=len(y), max_size=len(y)))
    order = data.draw(st.permutations(range(len(y))))
    shuffled = make_tick([y[i] for i in order], [own[i] for i in order])
    assert bit_exact(run_ticks(make_rule(), make_tick(y, own))) == bit_exact(run_ticks(make_rule(), shuffled))


def test_scopes_get_the_evidence_that_they_have_alone() -> None:
    """Shared arithmetic changes no number, for equal tolerances and for different ones."""
    y, limits = np.linspace(-1, 1, 9), (0.02, 0.04, 0.02)
    monitor = CATALOGUE["confidence"]
    rule = build_rules([MonitorSpec(monitor, ("",), np.array(limits))], 0.75)[0]
    seeds, valid = np.array([[9.0]]), np.ones((1, 9, 1), dtype=bool)
    sums = rule.alarm.log_e(Tally.from_rows(np.ones((1, 9, 3)), valid, y[None, :, None], seeds))
    for scope, limit in enumerate(limits):
        alone = build_rules([MonitorSpec(monitor, ("",), np.array([limit]))], 0.75)[0]
        one = alone.alarm.log_e(Tally.from_rows(np.ones((1, 9, 1)), valid, y[None, :, None], seeds))
        assert sums[0, 0, scope] == pytest.approx(one[0, 0, 0], rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(y=st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=64), sides=st.sampled_from([1, 2]), data=st.data())
def test_counts_of_ternary_rows_equal_the_sum_over_rows(y: list[int], sides: int, data: st.DataObject) -> None:
    """Three counts per cell suffice, also where some rows do not count."""
    some = st.lists(st.booleans(), min_size=len(y), max_size=len(y))
    counted = make_tally(y, data.draw(some), data.draw(some))
    by_count = mean_test(ternary=True, sides=sides).log_e(counted)
    one_by_one = mean_test(ternary=False, sides=sides).log_e(counted)
    np.testing.assert_allclose(by_count, one_by_one, atol=1e-12)


@pytest.mark.parametrize("ternary", [True, False])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_variants_and_ticks_get_the_evidence_that_they_have_alone(*, ternary: bool, data: st.DataObject) -> None:
    """A block of T ticks and V variants equals T times V separate tests."""
    ticks, rows, variants = (data.draw(st.integers(1, most)) for most in (5, 9, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    member = (rng.random((ticks, rows, 2)) < 0.6).astype(float)
    valid = rng.random((ticks, rows, variants)) < 0.8
    y = rng.choice([-1.0, 0.0, 1.0], (ticks, rows, variants)) * (1.0 if ternary else rng.random())
    test = mean_test(ternary=ternary)
    together = test.log_e(Tally.from_rows(member, valid, y, np.ones((ticks, variants))))
    for t in range(ticks):
        for v in range(variants):
            cell = slice(t, t + 1), slice(None), slice(v, v + 1)
            alone = test.log_e(Tally.from_rows(member[t : t + 1], valid[cell], y[cell], np.ones((1, 1))))
            np.testing.assert_allclose(together[t, v], alone[0, 0], rtol=0, atol=1e-12)


def test_tally_counts_valid_rows_by_variant_and_scope() -> None:
    """Number and sum; an invalid row counts as zero, even if it holds NaN."""
    member = np.array([[[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]])
    valid = np.array([[[True, False], [True, True], [False, True]]])
    y = np.array([[[0.5, np.nan], [0.25, -1.0], [np.nan, 0.5]]])
    counted = Tally.from_rows(member, valid, y, np.array([[3.0, 3.0]]))
    assert counted.count.tolist() == [[[2, 1], [2, 1]]]
    assert counted.total.tolist() == [[[0.75, 0.5], [-0.5, 0.5]]]
    assert counted.y.tolist() == [[[0.5, 0.0], [0.25, -1.0], [0.0, 0.5]]]


def test_ticks_of_a_block_are_counted_apart() -> None:
    """The first axis separates them in counts and in e-values."""
    one, other = make_tally([1, 0, 1], [True, False, True]), make_tally([0, 0, 1], [True, True, False])
    both = concatenate_tallies(one, other)
    for test in (RateTest(Bernoulli.above(np.array([0.02, 0.04]))), mean_test(ternary=False)):
        assert bit_exact(test.log_e(both)[1:]) == bit_exact(test.log_e(other))
        assert bit_exact(test.log_e(both)[:1]) == bit_exact(test.log_e(one))


@pytest.mark.parametrize("wrong", [0.5, -1.0, 2.0, np.nan, np.inf])
def test_rate_refuses_values_other_than_zero_and_one(wrong: float) -> None:
    """A count cannot hold a value in between."""
    test = RateTest(Bernoulli.above(np.array([0.02])))
    test.check(np.array([0.0, 1.0]))
    with pytest.raises(BadObservationError, match="zeros and ones"):
        test.check(np.array([0.0, wrong]))


@pytest.mark.parametrize("wrong", [1.01, -2.0, np.nan, np.inf, -np.inf])
def test_mean_refuses_values_beyond_its_bound(wrong: float) -> None:
    """A bet on such a value could ruin the detector or turn it into NaN."""
    test = mean_test(ternary=False)
    test.check(np.array([-1.0, 0.3, 1.0]))
    with pytest.raises(BadObservationError, match="finite"):
        test.check(np.array([0.0, wrong]))


def test_return_takes_the_weaker_side() -> None:
    """An alarm averages all bets; a return takes the side that has disproved less."""
    log_mass = np.concatenate([np.full(7, 5.0), np.full(7, 1.0)])[None, None]
    assert mean_test(ternary=False, weaker_side=True).evidence(log_mass) == pytest.approx(1.0)
    both = np.log((np.exp(5) + np.exp(1)) / 2)
    assert mean_test(ternary=False).evidence(log_mass) == pytest.approx(both)


def test_scope_out_of_reach_has_no_evidence() -> None:
    """Its rows move no detector, and the scope beside it is unaffected."""
    member, y = np.ones((1, 3, 2)), np.array([1.0, 0.0, -1.0]).reshape(1, 3, 1)
    counted = Tally.from_rows(member, np.ones((1, 3, 1), dtype=bool), y, np.full((1, 1), 3.0))
    signed = Signed.outside(0.02)
    log_e = MeanTest((signed,), np.array([0, UNWATCHED]), ternary=True, weaker_side=False).log_e(counted)
    assert np.allclose(log_e[0, 0, 0], signed.log_e(y.ravel()).sum(axis=0))
    assert not log_e[0, 0, 1].any()


@pytest.mark.parametrize("variants", [2, 5])
def test_classes_are_counted_alike_by_product_and_by_cell(variants: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few by one product of matrices, many by cell; a row without a class, or that does not count, is in none."""
    rng = np.random.default_rng(variants)
    member = (rng.random((3, 40, 4)) < 0.5).astype(np.float64)
    classes = rng.integers(-1, 7, (3, 40))
    valid = (classes >= 0)[..., None] & (rng.random((3, 40, 1)) < 0.8)
    y = np.where(valid, rng.integers(0, 2, (3, 40, 1)), np.nan)
    seeds = np.ones((3, variants))
    product = Tally.from_classes(member, (valid, y), classes, seeds)
    monkeypatch.setattr(evidence, "MAX_PRODUCT_VARIANTS", 0)
    by_cell = Tally.from_classes(member, (valid, y), classes, seeds)
    assert product.count.sum() > 0
    for name in ("count", "total", "y"):
        assert getattr(product, name).tolist() == getattr(by_cell, name).tolist()
