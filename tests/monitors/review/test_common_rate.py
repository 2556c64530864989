"""Excess risk of disagreements that are drawn with different probabilities."""

import numpy as np
import pytest

from tightrope.monitors import observations
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.records import Comparisons
from tightrope.monitors.review.common_rate import CommonRateExcess, at_common_rate


def labelled(chances: list[float], harmed: list[bool], n: int = 40_000) -> Comparisons:
    """Return the labelled ones of disagreements of two kinds, drawn with these probabilities: in the harmed kind the
    baseline is right, in the other the compressed model.
    """
    rng = np.random.default_rng(4)
    kind = rng.integers(0, 2, n)
    numbers, p = rng.random(n), np.array(chances)[kind]
    right = np.array(harmed)[kind]
    rows = Comparisons.from_columns(
        n, disagree=True, draw=numbers * 2.0**-27, inclusion=p, agreed=np.zeros((n, 1)),
        correct_baseline=right.astype(float), correct_compressed=(~right).astype(float),
    )  # fmt: skip
    return rows.take(numbers < p)


def mean(rows: Comparisons, observe: observations.Observed | object) -> float:
    """Return the mean of an observation over the rows that count."""
    counts, y = observe(rows, 1)  # type: ignore[operator]
    return float(y[counts].mean())


def test_rows_of_the_least_probability_have_the_mean_of_all() -> None:
    """Half of the disagreements are of each kind, so the mean is 0; over all labels it is far from it."""
    rows = labelled([0.8, 0.1], [True, False])
    assert mean(rows, observations.excess) == pytest.approx(7 / 9, abs=0.05)
    assert mean(rows, CommonRateExcess(0.1)) == pytest.approx(0, abs=0.05)


def test_labels_without_a_probability_all_count() -> None:
    """They are of all rows, or of none in particular, as ever."""
    rows = Comparisons.from_columns(
        2, disagree=True, draw=0.25 + 2.0**-28, correct_baseline=1.0, correct_compressed=0.0, agreed=np.zeros((2, 1))
    )
    assert CommonRateExcess(0.05)(rows, 1)[0].all()


def test_other_monitors_stay_as_they_are() -> None:
    """Accuracy weights by the probability itself."""
    assert [name for name, each in CATALOGUE.items() if at_common_rate(each, 0.05) is not each] == ["excess_risk"]
