"""From rows to e-values: what is counted, what is refused, and that shared arithmetic changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bits
from tests.support.judgement.ticks import rule, run, tally, tick, together
from tightrope.monitors.budget import Ask, Budget, rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.detector import BadObservationError, Bernoulli, Signed
from tightrope.monitors.evidence import UNWATCHED, MeanTest, RateTest, Tally

PLACE = np.array([0, 0])


def mean_test(*, ternary: bool, sides: int = 2, weaker: bool = False) -> MeanTest:
    """Two scopes of one tolerance."""
    return MeanTest((Signed.outside(0.02, 1.0, sides),), PLACE, ternary, weaker)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_order_of_rows_within_a_tick_does_not_matter_for_rates(data: st.DataObject) -> None:
    """Integer counts: the same cells to the last bit."""
    y = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=64))
    own = data.draw(st.lists(st.booleans(), min_size=len(y), max_size=len(y)))
    order = data.draw(st.permutations(range(len(y))))
    shuffled = tick([y[i] for i in order], [own[i] for i in order])
    assert bits(run(rule(), tick(y, own))) == bits(run(rule(), shuffled))


def test_scopes_of_equal_and_of_other_tolerance_get_what_they_would_alone() -> None:
    """Sharing the arithmetic changes nothing."""
    y, limits = np.linspace(-1, 1, 9), (0.02, 0.04, 0.02)
    question = CATALOGUE["confidence"]
    whole = rules([Ask(question, ("",), np.array(limits))], Budget(), 0.75)[0]
    seeds, valid = np.array([[9.0]]), np.ones((1, 9, 1), dtype=bool)
    sums = whole.alarm.log_e(Tally.of(np.ones((1, 9, 3)), valid, y[None, :, None], seeds))
    for scope, limit in enumerate(limits):
        alone = rules([Ask(question, ("",), np.array([limit]))], Budget(), 0.75)[0]
        one = alone.alarm.log_e(Tally.of(np.ones((1, 9, 1)), valid, y[None, :, None], seeds))
        assert sums[0, 0, scope] == pytest.approx(one[0, 0, 0], rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(y=st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=64), sides=st.sampled_from([1, 2]), data=st.data())
def test_counting_ternary_rows_is_looking_at_each(y: list[int], sides: int, data: st.DataObject) -> None:
    """Three counts a cell say all that the rows do, whichever of them speak."""
    some = st.lists(st.booleans(), min_size=len(y), max_size=len(y))
    counted = tally(y, data.draw(some), data.draw(some))
    by_count = mean_test(ternary=True, sides=sides).log_e(counted)
    one_by_one = mean_test(ternary=False, sides=sides).log_e(counted)
    np.testing.assert_allclose(by_count, one_by_one, atol=1e-12)


@pytest.mark.parametrize("ternary", [True, False])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_variants_and_ticks_side_by_side_get_what_they_would_alone(*, ternary: bool, data: st.DataObject) -> None:
    """A block of T ticks and V variants is T times V separate questions, to the last bit."""
    ticks, rows, variants = (data.draw(st.integers(1, most)) for most in (5, 9, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    member = (rng.random((ticks, rows, 2)) < 0.6).astype(float)
    valid = rng.random((ticks, rows, variants)) < 0.8
    y = rng.choice([-1.0, 0.0, 1.0], (ticks, rows, variants)) * (1.0 if ternary else rng.random())
    test = mean_test(ternary=ternary)
    whole = test.log_e(Tally.of(member, valid, y, np.ones((ticks, variants))))
    for t in range(ticks):
        for v in range(variants):
            place = slice(t, t + 1), slice(None), slice(v, v + 1)
            alone = test.log_e(Tally.of(member[t : t + 1], valid[place], y[place], np.ones((1, 1))))
            np.testing.assert_allclose(whole[t, v], alone[0, 0], rtol=0, atol=1e-12)


def test_tally_counts_what_speaks_where_it_belongs() -> None:
    """Rows, variants and scopes: number and sum; what does not speak is zero, whatever it holds."""
    member = np.array([[[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]])
    valid = np.array([[[True, False], [True, True], [False, True]]])
    y = np.array([[[0.5, np.nan], [0.25, -1.0], [np.nan, 0.5]]])
    found = Tally.of(member, valid, y, np.array([[3.0, 3.0]]))
    assert found.count.tolist() == [[[2, 1], [2, 1]]]
    assert found.total.tolist() == [[[0.75, 0.5], [-0.5, 0.5]]]
    assert found.y.tolist() == [[[0.5, 0.0], [0.25, -1.0], [0.0, 0.5]]]


def test_ticks_of_a_block_are_counted_apart() -> None:
    """The first axis keeps them apart in counts and in e-values."""
    one, other = tally([1, 0, 1], [True, False, True]), tally([0, 0, 1], [True, True, False])
    both = together(one, other)
    for test in (RateTest(Bernoulli.above(np.array([0.02, 0.04]))), mean_test(ternary=False)):
        assert bits(test.log_e(both)[1:]) == bits(test.log_e(other))
        assert bits(test.log_e(both)[:1]) == bits(test.log_e(one))


@pytest.mark.parametrize("wrong", [0.5, -1.0, 2.0, np.nan, np.inf])
def test_rate_refuses_what_is_not_zero_or_one(wrong: float) -> None:
    """Also where it is between them: a count cannot hold it."""
    test = RateTest(Bernoulli.above(np.array([0.02])))
    test.check(np.array([0.0, 1.0]))
    with pytest.raises(BadObservationError, match="zeros and ones"):
        test.check(np.array([0.0, wrong]))


@pytest.mark.parametrize("wrong", [1.01, -2.0, np.nan, np.inf, -np.inf])
def test_mean_refuses_what_lies_beyond_its_bound(wrong: float) -> None:
    """A bet on such a number could ruin the detector, or make it of nothing."""
    test = mean_test(ternary=False)
    test.check(np.array([-1.0, 0.3, 1.0]))
    with pytest.raises(BadObservationError, match="finite"):
        test.check(np.array([0.0, wrong]))


def test_return_listens_to_the_weaker_side() -> None:
    """An alarm averages all bets; a return asks for the side that has disproved less."""
    log_mass = np.concatenate([np.full(7, 5.0), np.full(7, 1.0)])[None, None]
    assert mean_test(ternary=False, weaker=True).evidence(log_mass) == pytest.approx(1.0)
    both = np.log((np.exp(5) + np.exp(1)) / 2)
    assert mean_test(ternary=False).evidence(log_mass) == pytest.approx(both)


def test_a_scope_that_the_question_does_not_reach_is_worth_nothing() -> None:
    """Its rows move no detector, and those of the scope beside it move theirs as ever."""
    member, y = np.ones((1, 3, 2)), np.array([1.0, 0.0, -1.0]).reshape(1, 3, 1)
    counted = Tally.of(member, np.ones((1, 3, 1), dtype=bool), y, np.full((1, 1), 3.0))
    signed = Signed.outside(0.02)
    log_e = MeanTest((signed,), np.array([0, UNWATCHED]), ternary=True, weaker=False).log_e(counted)
    assert np.allclose(log_e[0, 0, 0], signed.log_e(y.ravel()).sum(axis=0))
    assert not log_e[0, 0, 1].any()
