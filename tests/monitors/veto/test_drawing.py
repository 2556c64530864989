"""Rows drawn for labels: uniform, independent of the sampling, the same for every retry; and the rows between them."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors.intake.sampling import DrawKey
from tightrope.monitors.veto.drawing import LabelDraw, agreed_before, label_numbers, request_row_counts

KEY = DrawKey(bytes(range(32)))


def draws(n: int) -> np.ndarray:
    """The draws of n requests."""
    digests = [b"0" * 16] * n
    return KEY.draws("m", 0.0, [f"r-{number}" for number in range(n)], digests)


def test_numbers_of_labels_are_uniform_among_the_sampled_requests() -> None:
    """Those that a sampling rate of 1 % keeps have the whole range of numbers."""
    sampled = draws(200_000)
    sampled = sampled[sampled < 0.01]
    assert len(sampled) > 1800
    assert kstest(label_numbers(sampled), "uniform").pvalue > 0.001


def test_disagreements_and_other_rows_are_drawn_with_their_probabilities() -> None:
    """By the same numbers: the random sample lies within the disagreements that are drawn."""
    draw, numbers = LabelDraw(disagreements=0.25, random=0.05), draws(40_000)
    of_disagreements = draw.drawn(numbers, np.ones(len(numbers), dtype=bool))
    of_all = draw.drawn(numbers, np.zeros(len(numbers), dtype=bool))
    assert abs(of_disagreements.mean() - 0.25) < 0.01
    assert abs(of_all.mean() - 0.05) < 0.005
    assert not (of_all & ~of_disagreements).any()
    assert (draw.in_random_sample(numbers) == of_all).all()


def test_every_disagreement_is_drawn_by_default() -> None:
    """And one row in a hundred."""
    numbers = draws(10_000)
    assert LabelDraw().drawn(numbers, np.ones(len(numbers), dtype=bool)).all()
    assert 50 < LabelDraw().drawn(numbers, np.zeros(len(numbers), dtype=bool)).sum() < 150


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.data())
def test_batches_do_not_change_the_rows_between_drawn_disagreements(seed: int, rows: int, data: st.DataObject) -> None:
    """Cut anywhere, with the rest of one part as the start of the next; all rows are counted once."""
    rng = np.random.default_rng(seed)
    member, drawn = rng.random((rows, 3)) < 0.6, rng.random(rows) < 0.3
    start = rng.integers(0, 5, 3)
    whole, rest = agreed_before(start, member, drawn)
    cut = data.draw(st.integers(0, rows))
    first, middle = agreed_before(start, member[:cut], drawn[:cut])
    second, last = agreed_before(middle, member[cut:], drawn[cut:])
    assert (np.concatenate([first, second]) == whole).all()
    assert (last == rest).all()
    own = member & drawn[:, None]
    assert (np.where(own, whole + 1, 0).sum(axis=0) + rest == start + member.sum(axis=0)).all()


def test_rows_of_a_request_are_counted_by_scope() -> None:
    """Neighbours of one id and offset; rows that cannot be compared do not count."""
    names = ("a", "a", "a", "b", "b")
    rows = replace(make_comparisons(5, offset=[0, 0, 0, 1, 2]), request_id=names)
    member = np.array([[True, True], [True, False], [True, True], [True, True], [True, False]])
    sound = np.array([True, True, False, True, True])
    assert request_row_counts(rows, sound, member).tolist() == [[2, 1], [2, 1], [2, 1], [1, 1], [1, 0]]
