"""Rows drawn for labels: uniform, independent of the sampling, the same for every retry; and the rows between them."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from tests.support.judgement.comparisons import make_comparisons, make_plan
from tightrope.monitors.intake.sampling import DrawKey
from tightrope.monitors.label_join import rows_awaiting_labels
from tightrope.monitors.records import Comparisons
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
    of_disagreements, of_all = (
        draw.of_rows(Comparisons.from_columns(len(numbers), draw=numbers, disagree=disagree)).drawn
        for disagree in (True, False)
    )
    assert abs(of_disagreements.mean() - 0.25) < 0.01
    assert abs(of_all.mean() - 0.05) < 0.005
    assert not (of_all & ~of_disagreements).any()
    sampled = draw.of_rows(Comparisons.from_columns(len(numbers), draw=numbers, disagree=True)).sampled
    assert (sampled == of_all).all()


def test_every_disagreement_is_drawn_by_default() -> None:
    """And one row in a hundred."""
    rows = Comparisons.from_columns(20_000, draw=draws(20_000), disagree=np.arange(20_000) % 2 == 0)
    drawn = LabelDraw().of_rows(rows).drawn
    assert drawn[rows.disagree].all()
    assert 50 < drawn[~rows.disagree].sum() < 150


def test_rows_are_drawn_with_the_probabilities_that_they_bring() -> None:
    """A row that brings none has those of the configuration; whether it is compared or waits makes no difference."""
    draw, numbers = LabelDraw(disagreements=0.8, random=0.4, floor=0.1), np.array([0.05, 0.2, 0.5, 0.7])
    chances = np.array([[0.3, 0.1], [0.3, 0.1], [np.nan, np.nan], [0.6, 0.3]])
    rows = Comparisons.from_columns(4, draw=numbers * 2.0**-27, disagree=[True, False, True, True], chances=chances)
    draws_ = draw.of_rows(rows)
    assert draws_.probabilities.tolist() == [0.3, 0.1, 0.8, 0.6]
    assert draws_.drawn.tolist() == [True, False, True, False]
    assert draws_.sampled.tolist() == [True, False, False, False]
    waiting = draw.of_waiting([*rows_awaiting_labels(make_plan("accuracy", scopes=()), rows)])
    assert waiting.chances.tolist() == draws_.chances.tolist()


def test_rows_below_the_least_probability_are_not_drawn() -> None:
    """They were drawn under another configuration; the bets are not made for so large a weight."""
    chances = np.array([[0.05, 0.05], [0.1, 0.05]])
    rows = Comparisons.from_columns(2, draw=0.0, disagree=True, chances=chances)
    assert LabelDraw(1.0, 0.1, floor=0.1).of_rows(rows).drawn.tolist() == [False, True]
    assert LabelDraw(1.0, 0.1).of_rows(rows).drawn.tolist() == [False, False]


def test_another_number_of_probabilities_is_none() -> None:
    """No worker of this release writes such a record."""
    rows = Comparisons.from_columns(1, draw=0.0, disagree=True, chances=np.full((1, 3), 0.01))
    assert LabelDraw(0.5, 0.1).of_rows(rows).probabilities.tolist() == [0.5]


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
