"""The observations of decisions that a kind compares, worked out by hand."""

import numpy as np

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors import observations
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.records import Fault

NAN = np.nan


def test_row_without_a_loss_does_not_speak() -> None:
    """A fault does not speak either."""
    rows = make_comparisons(4, loss=[0.25, NAN, 0.0, 0.5], fault=[0, 0, 0, Fault.NOT_FINITE], disagree=[True] * 4)
    valid, y = observations.loss(rows, 1)
    assert valid[:, 0].tolist() == [True, False, True, False]
    assert y[[0, 2], 0].tolist() == [0.25, 0.0]


def test_disagreement_of_a_row_is_its_loss_or_whether_it_differs() -> None:
    """People see one sum of both."""
    rows = make_comparisons(3, loss=[0.25, NAN, NAN], disagree=[True, True, False])
    assert observations.losses(rows).tolist() == [0.25, 1.0, 0.0]


def test_mix_of_a_kind_has_a_variant_for_each_class() -> None:
    """With one variant for two classes it is the second; classes beyond those that were published do not speak."""
    rows = make_comparisons(2, mix=[[0.5, -0.5], [NAN, 0.25]])
    valid, y = observations.class_mix(rows, 2)
    assert valid.tolist() == [[True, True], [False, True]]
    assert y[0].tolist() == [0.5, -0.5]
    assert observations.class_mix(rows, 1)[1].tolist() == [[-0.5], [0.25]]
    assert observations.class_mix(rows, 3)[0].tolist() == [[True, True, False], [False, True, False]]


def test_bias_is_that_of_rows_that_have_one() -> None:
    """A classifier's rows have none."""
    valid, y = CATALOGUE["bias"].observe(make_comparisons(2, bias=[0.1, NAN]), 1)
    assert valid[:, 0].tolist() == [True, False]
    assert y[0, 0] == 0.1
