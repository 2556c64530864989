import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.compare import Scale, entropy, jensen_shannon
from tightrope.monitors.kinds.rows import count_classes, find_matrix, label_distance, label_entropy, read_probabilities

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=9)


@given(p=SHARES)
def test_entropy_and_distance_are_those_of_two_classes(p: list[float]) -> None:
    """They agree with the functions for classes."""
    first = np.array(p)
    second = first[::-1]
    both = [np.stack([1 - each, each], axis=1) for each in (first, second)]
    assert label_entropy(first) == pytest.approx(entropy(both[0]), abs=1e-12)
    assert label_distance(first, second) ** 2 == pytest.approx(jensen_shannon(*both) ** 2, abs=1e-12)


def test_faults_do_not_reach_other_rows() -> None:
    """Logits that are not finite are no probability."""
    p, fault = read_probabilities(np.array([[0.0], [np.inf], [np.nan], [-800.0]]), Scale.LOGITS)
    assert fault.tolist() == [0, 1, 1, 0]
    np.testing.assert_array_equal(p[:, 0], [0.5, np.nan, np.nan, 0.0])


def test_row_without_entries_has_no_shares() -> None:
    """Its classes are NaN; other rows count only what is kept."""
    ids = np.array([[0, 1], [1, 1]])
    counts = count_classes(ids, ids[::-1], np.array([[False, False], [True, False]]), 2)
    assert counts.baseline.tolist() == [[0, 0], [0, 1]]
    assert counts.both.tolist() == [[0, 0], [0, 0]]
    assert np.isnan(counts.by_class()["mix"][0]).all()
    np.testing.assert_array_equal(counts.by_class()["missed"][1], [np.nan, 1])


def test_matrix_has_one_row_an_entry() -> None:
    """Another number of rows, of columns, or no numbers at all is not found."""
    tensors = {"y": np.zeros((2, 3, 1)), "text": np.array(["a", "b"], object), "empty": np.zeros((2, 0))}
    found = find_matrix(tensors, "y", 2, 3)
    assert found is not None
    assert found.shape == (2, 3)
    absent = [("y", 3, None), ("y", 2, 2), ("text", 2, None), ("empty", 2, None), ("z", 2, None)]
    assert [find_matrix(tensors, *each) is None for each in absent] == [True] * 5
