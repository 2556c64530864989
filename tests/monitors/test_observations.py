"""What rows say to every monitor, worked out by hand."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import comparisons
from tightrope.monitors.catalogue import CATALOGUE, Kind, Question
from tightrope.monitors.records import Comparisons, Fault

QUESTIONS = list(CATALOGUE.values())


@pytest.mark.parametrize(
    ("name", "speaks", "says"),
    [
        ("disagreement", [True, True, True, True, False], [0, 1, 0, 0, 0]),
        ("confidence", [True, True, True, True, False], [0.25, -0.5, 0, 0, np.nan]),
        ("refusal_rate", [True, True, True, True, False], [0, -1, 1, 0, 0]),
        ("refusal_persistence", [False, True, False, True, False], [1, 1, 0, 0, 1]),
    ],
)
def test_monitor_observes_what_it_says(name: str, speaks: list[bool], says: list[float]) -> None:
    """Rows: sure and surer; unlike, and only the baseline refused; only the compressed did; both did; a fault."""
    rows = comparisons(
        5,
        disagree=[False, True, False, False, False],
        confidence_baseline=[0.5, 0.75, 0.5, 0.5, np.nan],
        confidence_compressed=[0.75, 0.25, 0.5, 0.5, np.nan],
        refused_baseline=[False, True, False, True, False],
        refused_compressed=[False, False, True, True, False],
        fault=[Fault.NONE] * 4 + [Fault.RUN_FAILED],
    )
    valid, y = CATALOGUE[name].observe(rows, 1)
    assert valid[:, 0].tolist() == speaks
    assert y.dtype == np.float64
    assert np.array_equal(y[:, 0], np.array(says, dtype=float), equal_nan=True)


def labelled() -> Comparisons:
    """Rows: both right; only the baseline; only the compressed; both wrong, unlike; no label yet; a fault."""
    return comparisons(
        6,
        disagree=[False, True, True, True, True, True],
        confidence_baseline=[0.5, 0.75, 0.5, 0.5, 0.5, np.nan],
        confidence_compressed=[0.75, 0.25, 1.0, 0.5, 0.5, np.nan],
        correct_baseline=[1, 1, 0, 0, np.nan, 1],
        correct_compressed=[1, 0, 1, 0, np.nan, 0],
        fault=[Fault.NONE] * 5 + [Fault.RUN_FAILED],
    )


@pytest.mark.parametrize(
    ("name", "speaks", "says"),
    [
        ("accuracy", [True, True, True, True], [0, 1, -1, 0]),
        ("excess_risk", [False, True, True, True], [0, 1, -1, 0]),
        ("brier", [True, True, True, True], [-0.1875, 0.0, -0.25, 0.0]),
    ],
)
def test_monitor_of_labels_observes_what_it_says(name: str, speaks: list[bool], says: list[float]) -> None:
    """By hand: 1/16 - 1/4, 1/16 - 1/16, 0 - 1/4, 1/4 - 1/4; a row without a label says nothing."""
    valid, y = CATALOGUE[name].observe(labelled(), 1)
    assert valid[:, 0].tolist() == [*speaks, False, False]
    assert y[:4, 0].tolist() == says


def test_calibration_files_a_row_under_the_tenth_of_its_confidence() -> None:
    """A confidence of one belongs to the last tenth; what it says is the confidence minus being right."""
    names = CATALOGUE["calibration"].variants(2)
    assert names == tuple(f"{low / 10:g} to {(low + 1) / 10:g}" for low in range(10))
    valid, y = CATALOGUE["calibration"].observe(labelled(), 10)
    assert [np.flatnonzero(row).tolist() for row in valid] == [[7], [2], [9], [5], [], []]
    assert [y[row, place] for row, place in enumerate([7, 2, 9, 5])] == [-0.25, 0.25, 0.0, 0.5]


def test_confidence_shape_compares_two_distribution_functions() -> None:
    """At each of .1 … .9: 1 if only the compressed model's confidence is at most that, -1 if only the baseline's."""
    rows = comparisons(3, confidence_baseline=[0.85, 0.35, 0.6], confidence_compressed=[0.65, 0.55, 0.6])
    valid, y = CATALOGUE["confidence_shape"].observe(rows, 9)
    assert valid.all()
    assert y.tolist() == [[0, 0, 0, 0, 0, 0, 1, 1, 0], [0, 0, 0, -1, -1, 0, 0, 0, 0], [0] * 9]
    assert CATALOGUE["confidence_shape"].variants(7) == tuple(f"at 0.{step}" for step in range(1, 10))


def test_mix_counts_a_class_that_only_one_model_said() -> None:
    """1 if only the compressed model said it, -1 if only the baseline did."""
    rows = comparisons(4, top_baseline=[0, 0, 1, 2], top_compressed=[0, 1, 0, 1])
    assert CATALOGUE["mix"].observe(rows, 3)[1].tolist() == [[0, 0, 0], [-1, 1, 0], [1, -1, 0], [0, 1, -1]]
    binary = comparisons(3, top_baseline=[0, 0, 1], top_compressed=[0, 1, 0])
    assert CATALOGUE["mix"].observe(binary, 1)[1].tolist() == [[0], [1], [-1]]


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_row_with_any_fault_speaks_to_no_question(question: Question, fault: Fault) -> None:
    """Not even when its other columns look sound."""
    truth = {"correct_baseline": 1, "correct_compressed": 0}
    rows = comparisons(2, fault=[fault, Fault.NONE], refused_baseline=True, disagree=True, **truth)
    variants = len(question.variants(2))
    valid, y = question.observe(rows, variants)
    assert valid.shape == y.shape == (2, variants)
    assert valid.any(axis=1).tolist() == [False, True]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_observations_lie_in_the_range_of_their_kind(question: Question) -> None:
    """A rate's are zeros and ones; a mean's lie in [-1, 1]; what is called ternary is, whatever the two models do."""
    flags = np.array(np.meshgrid(*[[0, 1]] * 5)).reshape(5, -1).T
    rows = comparisons(
        len(flags),
        disagree=flags[:, 0],
        confidence_baseline=flags[:, 1] * 0.9,
        confidence_compressed=flags[:, 2] * 0.8,
        refused_baseline=flags[:, 1],
        refused_compressed=flags[:, 2],
        top_baseline=flags[:, 1],
        top_compressed=flags[:, 2],
        correct_baseline=flags[:, 3],
        correct_compressed=flags[:, 4],
    )
    valid, y = question.observe(rows, len(question.variants(2)))
    found = set(y[valid].tolist())
    if question.kind is Kind.RATE:
        assert found == {0.0, 1.0}
    elif question.ternary:
        assert found == {-1.0, 0.0, 1.0}
    else:
        assert min(found) >= -1
        assert max(found) <= 1
        assert not found <= {-1.0, 0.0, 1.0}, "it could be called ternary"
