"""Rows that resemble earlier ones are seen among the first rows; independent ones are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.monitors.dependence.likeness import EARLY_ROWS, LOOK_ROWS, MIN_LIKENESS, Likeness, lag_scores


def bursts(rng: np.random.Generator, callers: np.ndarray, mean: float) -> np.ndarray:
    """Confidences of callers, each equal within bursts of this mean length."""
    values = rng.random(len(callers))
    for caller in np.unique(callers):
        own = np.flatnonzero(callers == caller)
        begins = np.maximum.accumulate(np.where(rng.random(len(own)) < 1 / mean, np.arange(len(own)), 0))
        values[own] = values[own][begins]
    return values


def first_look(values: np.ndarray) -> int:
    """The rows after which the likeness shows; 0 if it never does."""
    likeness = Likeness()
    for begin in range(0, len(values), LOOK_ROWS):
        likeness = likeness.add(values[begin : begin + LOOK_ROWS])
        if likeness.is_at_look and likeness.lag:
            return begin + LOOK_ROWS
        likeness = likeness.looked(likeness.lag) if likeness.is_at_look else likeness
    return 0


@pytest.mark.parametrize(
    ("callers", "mean", "most"),
    [("one", 5, 128), ("one", 20, 64), ("in turn", 20, 192)],
)
def test_bursts_show_within_a_few_hundred_rows(callers: str, mean: float, most: int) -> None:
    """Thousands of rows before losses can show them."""
    ids = {"one": np.zeros(EARLY_ROWS, int), "in turn": np.arange(EARLY_ROWS) % 20}[callers]
    found = [first_look(bursts(np.random.default_rng(seed), ids, mean)) for seed in range(10)]
    assert min(found) > 0
    assert np.median(found) <= most


def test_callers_at_random_are_left_to_the_losses() -> None:
    """At each lag one row in twenty is of the same caller: too little to be told in a thousand rows."""
    callers = np.random.default_rng(3).integers(0, 20, EARLY_ROWS)
    assert [first_look(bursts(np.random.default_rng(seed), callers, 20)) for seed in range(5)] == [0] * 5


def test_lag_of_callers_in_turn_is_their_number() -> None:
    """It is told in the event."""
    assert Likeness().add(bursts(np.random.default_rng(0), np.arange(256) % 20, 20)).lag == 20


@pytest.mark.parametrize("kind", ["uniform", "nearly sure", "two values", "heavy"])
def test_independent_rows_show_nothing(kind: str) -> None:
    """In 200 models, for each distribution."""
    draw = {
        "uniform": lambda rng: rng.random(EARLY_ROWS),
        "nearly sure": lambda rng: np.maximum(rng.normal(1, 0.05, EARLY_ROWS).clip(0, 1), 0.5),
        "two values": lambda rng: np.where(rng.random(EARLY_ROWS) < 0.1, 0.6, 1.0),
        "heavy": lambda rng: 1 / (1 + rng.pareto(1, EARLY_ROWS)),
    }[kind]
    assert [first_look(draw(np.random.default_rng(seed))) for seed in range(200)] == [0] * 200


def test_scores_of_independent_rows_are_about_standard_normal() -> None:
    """Their standard deviation is nearly 1 at each lag: a large score is made smaller."""
    scores = np.array([lag_scores(np.random.default_rng(seed).random(256)) for seed in range(400)])
    assert np.allclose(scores.std(axis=0), 1, atol=0.15)
    assert abs(scores.mean()) < 0.2 < MIN_LIKENESS


def test_few_rare_values_score_less_than_many_levels() -> None:
    """That some of them meet at a lag is no wonder: by Bernstein's inequality, which z alone does not follow."""
    values = np.zeros(192)
    values[np.arange(6) * 30] = 1.0
    scores = lag_scores(values)
    assert scores[29] == pytest.approx(3.7428853561634337)  # z is 12.49, and b is 31
    assert scores[29] < MIN_LIKENESS


def test_equal_or_unknown_confidences_show_nothing() -> None:
    """Rows without a confidence tell nothing, and are not kept."""
    assert Likeness().add(np.ones(64)).lag == 0
    assert lag_scores(np.array([0.5])).tolist() == []
    unknown = Likeness().add(np.full(10, np.nan))
    assert (unknown.known, len(unknown.confidence)) == (True, 0)
    assert unknown.add(np.zeros(64)) is unknown
    assert not unknown.is_at_look


@settings(deadline=None)
@given(st.lists(st.integers(1, LOOK_ROWS), min_size=1, max_size=20))
def test_looks_come_after_the_same_rows_however_they_are_cut(sizes: list[int]) -> None:
    """Each cut ends at a look at the latest, and the next looks are known beforehand."""
    likeness, looks, rows = Likeness(), list[int](), 0
    ahead = np.arange(EARLY_ROWS)[likeness.next_looks(EARLY_ROWS)] + 1
    for size in sizes:
        step = min(size, likeness.rows_to_look)
        likeness, rows = likeness.add(np.random.default_rng(rows).random(step)), rows + step
        if likeness.is_at_look:
            looks.append(rows)
            likeness = likeness.looked(likeness.lag)
    assert looks == ahead[: len(looks)].tolist()


def test_nothing_is_looked_at_after_the_first_rows() -> None:
    """The memory is given back."""
    likeness = Likeness().add(np.random.default_rng(0).random(EARLY_ROWS)).looked(0)
    assert (likeness.known, len(likeness.confidence)) == (True, 0)
    assert len(np.arange(5000)[likeness.next_looks(5000)]) == 0
    assert likeness.rows_to_look > 1e18
