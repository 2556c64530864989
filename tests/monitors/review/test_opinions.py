"""The class that follows from an opinion, and how far two reviewers agree."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.review.opinions import Opinion, kappa, true_class

A, B, NEITHER, BOTH, UNKNOWN = Opinion
OPINIONS = st.sampled_from(list(Opinion))


@pytest.mark.parametrize(
    ("opinion", "a", "b", "classes", "named", "label"),
    [
        (A, 3, 1, 5, None, 3),
        (B, 3, 1, 5, None, 1),
        (BOTH, 3, 1, 5, None, None),
        (BOTH, 2, 2, 5, None, 2),
        (UNKNOWN, 2, 2, 5, None, None),
        (NEITHER, 3, 1, 5, None, None),
        (NEITHER, 3, 1, 5, 4, 4),
        (NEITHER, 3, 1, 5, 3, None),
        (NEITHER, 0, 0, 2, None, 1),
        (NEITHER, 1, 1, 2, None, 0),
        (NEITHER, 1, 1, 3, None, None),
    ],
)
def test_true_class_follows_only_where_it_is_certain(
    opinion: Opinion, a: int, b: int, classes: int, named: int | None, label: int | None
) -> None:
    """The other one of two classes is; one of many is only if the reviewer names it."""
    assert true_class(opinion, a, b, classes=classes, named=named) == label


def test_kappa_is_that_of_a_worked_example() -> None:
    """Both say A in 20 of 50 rows and B in 15, and they differ in 5 and 10: .7 agreed, .5 expected by chance."""
    pairs = [(A, A)] * 20 + [(A, B)] * 5 + [(B, A)] * 10 + [(B, B)] * 15
    assert kappa(pairs) == pytest.approx(0.4)


def test_kappa_without_a_choice_is_not_defined() -> None:
    """No row could have shown a disagreement."""
    assert math.isnan(kappa([]))
    assert math.isnan(kappa([(A, A)] * 3))


@given(st.lists(st.tuples(OPINIONS, OPINIONS), min_size=1, max_size=40))
def test_kappa_does_not_depend_on_who_is_first(pairs: list[tuple[Opinion, Opinion]]) -> None:
    """It lies between -1 and 1."""
    value = kappa(pairs)
    assert value == pytest.approx(kappa([(second, first) for first, second in pairs]), nan_ok=True)
    assert math.isnan(value) or -1 <= value <= 1
