import numpy as np

from tightrope.monitors.qualification.gap_search import (
    FOUND_GAP,
    MOST_CHANGED,
    NO_GAP_FOUND,
    SEARCH_STARTS,
    search_gaps,
)
from tightrope.monitors.records import Floats

ROWS = np.random.default_rng(1).random((1000, 8))


def test_gap_of_two_columns_is_climbed_to_and_no_further() -> None:
    """Rows are changed in two columns at most, each to a value of its own column; a start ends at its gap."""
    asked: list[Floats] = []

    def gaps(rows: Floats) -> Floats:
        asked.append(rows)
        return np.asarray(0.16 * (rows[:, 0] > 0.9) + 0.16 * (rows[:, 1] > 0.9))

    found = search_gaps(ROWS, gaps, np.random.default_rng(2))
    starts = asked[0]
    assert len(starts) == SEARCH_STARTS
    assert all(((rows != starts).sum(axis=1) <= MOST_CHANGED).all() for rows in asked)
    assert np.isin(np.concatenate(asked)[:, 3], ROWS[:, 3]).all()
    hits = found.query != NO_GAP_FOUND
    assert 0 < hits.sum() < SEARCH_STARTS
    assert (found.largest[hits] >= FOUND_GAP).all()
    assert (found.largest[~hits] < FOUND_GAP).all()


def test_equal_seeds_search_alike() -> None:
    """The generator alone decides."""
    runs = [
        search_gaps(ROWS, lambda rows: rows[:, 0] * rows[:, 1] / 3, np.random.default_rng(seed)) for seed in (5, 5, 6)
    ]
    assert np.array_equal(runs[0].query, runs[1].query)
    assert not np.array_equal(runs[0].query, runs[2].query)


def test_gap_of_the_row_itself_is_found_without_a_query() -> None:
    """And missing values count as unchanged."""
    rows = np.full((5, 3), np.nan)
    rows[:, 0] = 1.0
    found = search_gaps(rows, lambda each: np.where(each[:, 0] == 1.0, 0.5, 0.0), np.random.default_rng(1))
    assert found.query.tolist() == [0] * 5
