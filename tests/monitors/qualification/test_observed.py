import numpy as np

from tightrope.monitors.qualification.observed import confident_and_different, confident_wrong, flip_gap
from tightrope.monitors.records import Comparisons


def rows(**columns: object) -> Comparisons:
    """Return three compared rows."""
    return Comparisons.from_columns(3, **columns)


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
