import numpy as np

from tightrope.monitors.qualification.observed import (
    clear_disagreement,
    clear_margin,
    confident_and_different,
    confident_wrong,
    flip_gap,
)
from tightrope.monitors.records import Comparisons


def rows(**columns: object) -> Comparisons:
    """Return three compared rows."""
    return Comparisons.from_columns(3, **columns)


def test_clear_rows_lie_above_the_tenth_of_small_margins() -> None:
    """One of ten margins is not clear; a row without a margin never is."""
    assert clear_margin(np.arange(1.0, 11.0)) == 1.9
    counts, y = clear_disagreement(rows(margin_baseline=[0.1, 0.5, np.nan], disagree=[True, True, True]), 0.2)
    assert counts.tolist() == [False, True, False]
    assert y.tolist() == [1.0, 1.0, 1.0]


def test_kinds_count_by_their_loss() -> None:
    """A loss between 0 and 1 is the disagreement of a row."""
    _, y = clear_disagreement(rows(margin_baseline=[0.5] * 3, disagree=[True] * 3, loss=[0.25, np.nan, 0.0]), 0.2)
    assert y.tolist() == [0.25, 1.0, 0.0]


def test_a_confident_mistake_counts_for_its_model() -> None:
    """1 for one of the compressed model, -1 for one of the baseline, 0 for none or both."""
    columns = {
        "confidence_compressed": [0.95, 0.95, 0.5], "confidence_baseline": [0.6, 0.95, 0.95],
        "correct_compressed": [0.0, 1.0, 0.0], "correct_baseline": [1.0, 1.0, 0.0],
    }  # fmt: skip
    counts, y = confident_wrong(rows(**columns), 0.9)
    assert (counts.tolist(), y.tolist()) == ([True] * 3, [1.0, 0.0, -1.0])


def test_without_labels_the_baseline_stands_for_the_truth() -> None:
    """Confident and different counts."""
    columns = {"confidence_compressed": [0.95, 0.95, 0.5], "disagree": [True, False, True]}
    counts, y = confident_and_different(rows(**columns), 0.9)
    assert (counts.tolist(), y.tolist()) == ([True] * 3, [1.0, 0.0, 0.0])


def test_a_flip_of_both_models_is_no_gap() -> None:
    """Only what the compressed model changes beyond the baseline counts against it."""
    assert flip_gap(np.array([1.0, 1.0, 0.0]), np.array([1.0, 0.0, 1.0])).tolist() == [0.0, 1.0, -1.0]
