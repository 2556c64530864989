import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tightrope.monitors.qualification.membership import (
    advantage_of,
    best_threshold,
    loss_of,
    pair_differences,
    weigh_gain,
)
from tightrope.monitors.records import Floats

ALPHA = 0.05
LOSSES = arrays(np.float64, st.integers(0, 12), elements=st.sampled_from([0.0, 0.5, 1.0, 2.0, np.inf]))


@given(LOSSES, LOSSES)
def test_threshold_is_the_best_of_all(members: Floats, others: Floats) -> None:
    """No other loss separates the two parts better; where none does, no row is taken for a member."""

    def gain(threshold: float) -> float:
        shares = [float(np.mean(each <= threshold)) if len(each) else 0.0 for each in (members, others)]
        return shares[0] - shares[1]

    found = best_threshold(members, others)
    best = max((gain(each) for each in (*members, *others)), default=0.0)
    assert gain(found) == pytest.approx(max(best, 0.0))


def test_golden_advantage() -> None:
    """60 of 100 and 45 of 100; of no row nothing is known."""
    found = advantage_of(np.arange(100) < 60, np.arange(100) < 45, ALPHA)
    assert (round(found.lower, 4), round(found.seen, 4), round(found.upper, 4)) == (-0.0555, 0.15, 0.3464)
    nothing = advantage_of(np.zeros(0, bool), np.zeros(0, bool), ALPHA)
    assert (nothing.lower, nothing.seen, nothing.upper) == (-1.0, 0.0, 1.0)


def test_loss_of_an_impossible_class_is_infinite() -> None:
    """It warns of no division."""
    assert loss_of(np.array([1.0, 0.0])).tolist() == [0.0, np.inf]


def test_gain_is_proved_within_its_limit_in_at_most_alpha_of_runs_at_the_limit() -> None:
    """The compressed model alone takes .30 of the members and .25 of the others: the gain is the limit of .05."""
    rng = np.random.default_rng(1)
    runs, proved, accused = 400, 0, 0
    for _ in range(runs):
        masks = [
            {"compressed": rng.random(2000) < share, "baseline": np.zeros(2000, dtype=bool)} for share in (0.30, 0.25)
        ]
        evidence, _needed = weigh_gain(pair_differences(*masks), 0.05, ALPHA)
        proved += evidence.p_within <= ALPHA
        accused += evidence.p_over <= ALPHA
    assert proved <= ALPHA * runs + 3 * np.sqrt(ALPHA * runs)
    assert accused <= ALPHA * runs + 3 * np.sqrt(ALPHA * runs)


def test_gain_is_seen_in_its_own_unit() -> None:
    """Bounds are of the gain and not of its half; a clear one is accused, and one of nothing is proved."""
    harmful, _ = weigh_gain(np.repeat([1.0, 0.0], [300, 200]), 0.05, ALPHA)
    assert harmful.seen == pytest.approx(0.6)
    assert harmful.at_least < 0.6 < harmful.bound
    assert harmful.p_over < ALPHA < harmful.p_within
    nothing, needed = weigh_gain(np.zeros(500), 0.05, ALPHA)
    assert nothing.p_within < ALPHA
    assert needed == 0.0
    few, more = weigh_gain(np.zeros(20), 0.05, ALPHA)
    assert few.p_within > ALPHA
    assert more is not None
    assert 20 < more < 500


def test_rows_of_the_longer_file_that_have_no_partner_are_left_out() -> None:
    """A pair needs one of each."""
    one = {"compressed": np.array([True, True, True]), "baseline": np.array([False, True, False])}
    other = {"compressed": np.array([False]), "baseline": np.array([True])}
    assert pair_differences(one, other).tolist() == [2.0]
