"""Evidence on losses between 0 and 1: the rate test of kinds whose decisions are not just equal or different."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.detector import BadObservationError, Bernoulli
from tightrope.monitors.evidence import RateTest, Tally

LOSSES = [0.0, 1.0, 0.25, 0.5]
GOLDEN = [0.3905580182, 0.7252192446, 1.2819901033, 2.1246760936, 3.2712501419, 4.9228980748]
"""Log e-values of these losses at the limit .02, for each alternative; computed by hand from the formula."""


def tally_of(losses: list[float]) -> Tally:
    """One tick of these losses in one scope."""
    y = np.array(losses).reshape(1, -1, 1)
    return Tally.from_rows(np.ones_like(y), np.ones(y.shape, dtype=bool), y, np.array([[float(len(losses))]]))


def log_e(losses: list[float], limit: float = 0.02, *, fractional: bool = True) -> np.ndarray:
    """The log e-values of these losses, (K,)."""
    return RateTest(Bernoulli.above(np.array([limit])), fractional).log_e(tally_of(losses))[0, 0, 0]


def test_losses_give_the_golden_numbers() -> None:
    """log(1 + (q - p)(y - p) / (p (1 - p))), summed over the rows."""
    assert log_e(LOSSES) == pytest.approx(GOLDEN, abs=1e-9)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=200))
def test_zeros_and_ones_give_what_counts_give(losses: list[float]) -> None:
    """Exactly, so that a kind may say that its losses are binary without another result."""
    assert log_e(losses).tolist() == log_e(losses, fractional=False).tolist()


@given(st.floats(0.001, 0.7), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_e_value_of_a_loss_is_that_of_its_expected_coin(limit: float, losses: list[float]) -> None:
    """It is linear in the loss, so its expectation depends on the mean alone: at most 1 if that is within the limit."""
    ones, zeros = np.exp(log_e([1.0], limit)), np.exp(log_e([0.0], limit))
    for loss in losses:
        assert np.exp(log_e([loss], limit)) == pytest.approx(loss * ones + (1 - loss) * zeros, rel=1e-9)
    assert limit * ones + (1 - limit) * zeros == pytest.approx(np.ones_like(ones))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_rows_of_a_scope_are_those_that_it_counts(losses: list[float]) -> None:
    """A scope with every other row has the evidence of these rows alone."""
    y = np.array(losses).reshape(1, -1, 1)
    member = np.stack([np.ones(len(losses)), np.arange(len(losses)) % 2], axis=1)[None]
    tally = Tally.from_rows(member, np.ones(y.shape, dtype=bool), y, np.array([[1.0]]))
    test = RateTest(Bernoulli.above(np.array([0.02, 0.05])), fractional=True)
    assert test.log_e(tally)[0, 0, 0] == pytest.approx(log_e(losses, 0.02))
    assert test.log_e(tally)[0, 0, 1] == pytest.approx(log_e(losses[1::2], 0.05))


@pytest.mark.parametrize("loss", [-0.1, 1.1, np.nan])
def test_loss_outside_its_range_is_refused(loss: float) -> None:
    """As are fractions where only zeros and ones are allowed."""
    with pytest.raises(BadObservationError, match="between zero and one"):
        RateTest(Bernoulli.above(np.array([0.02])), fractional=True).check(np.array([loss]))
    with pytest.raises(BadObservationError, match="zeros and ones"):
        RateTest(Bernoulli.above(np.array([0.02]))).check(np.array([0.5]))
