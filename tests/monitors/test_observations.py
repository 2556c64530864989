"""The observations of every monitor, worked out by hand."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors import observations
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.clear_monitor import clear_above
from tightrope.monitors.definitions.definition import Hypothesis, MonitorDefinition
from tightrope.monitors.records import Comparisons, Fault

MONITORS = [clear_above(monitor, -1.0) for monitor in CATALOGUE.values()]
"""All monitors; that of clear rows counts every row."""


@pytest.mark.parametrize(
    ("name", "counted", "values"),
    [
        ("disagreement", [True, True, True, True, False], [0, 1, 0, 0, 0]),
        ("confidence", [True, True, True, True, False], [0.25, -0.5, 0, 0, np.nan]),
        ("refusal_rate", [True, True, True, True, False], [0, -1, 1, 0, 0]),
        ("refusal_persistence", [False, True, False, True, False], [1, 1, 0, 0, 1]),
    ],
)
def test_monitor_observes_its_statistic(name: str, counted: list[bool], values: list[float]) -> None:
    """Rows: confident and more so; unlike, only the baseline refuses; only the compressed does; both do; a fault."""
    rows = make_comparisons(
        5,
        disagree=[False, True, False, False, False],
        confidence_baseline=[0.5, 0.75, 0.5, 0.5, np.nan],
        confidence_compressed=[0.75, 0.25, 0.5, 0.5, np.nan],
        refused_baseline=[False, True, False, True, False],
        refused_compressed=[False, False, True, True, False],
        fault=[Fault.NONE] * 4 + [Fault.RUN_FAILED],
    )
    valid, y = CATALOGUE[name].observe(rows, 1)
    assert valid[:, 0].tolist() == counted
    assert y.dtype == np.float64
    assert np.array_equal(y[:, 0], np.array(values, dtype=float), equal_nan=True)


def labelled_rows() -> Comparisons:
    """Rows: both right; only the baseline; only the compressed; both wrong, unlike; no label yet; a fault."""
    return make_comparisons(
        6,
        disagree=[False, True, True, True, True, True],
        confidence_baseline=[0.5, 0.75, 0.5, 0.5, 0.5, np.nan],
        confidence_compressed=[0.75, 0.25, 1.0, 0.5, 0.5, np.nan],
        correct_baseline=[1, 1, 0, 0, np.nan, 1],
        correct_compressed=[1, 0, 1, 0, np.nan, 0],
        fault=[Fault.NONE] * 5 + [Fault.RUN_FAILED],
    )


@pytest.mark.parametrize(
    ("name", "counted", "values"),
    [
        ("accuracy", [True, True, True, True], [0, 1, -1, 0]),
        ("excess_risk", [False, True, True, True], [0, 1, -1, 0]),
        ("brier", [True, True, True, True], [-0.1875, 0.0, -0.25, 0.0]),
    ],
)
def test_label_monitor_observes_its_statistic(name: str, counted: list[bool], values: list[float]) -> None:
    """By hand: 1/16 - 1/4, 1/16 - 1/16, 0 - 1/4, 1/4 - 1/4; a row without a label does not count."""
    valid, y = CATALOGUE[name].observe(labelled_rows(), 1)
    assert valid[:, 0].tolist() == [*counted, False, False]
    assert y[:4, 0].tolist() == values


def test_calibration_files_a_row_under_the_tenth_of_its_confidence() -> None:
    """A confidence of one belongs to the last tenth; the value is the confidence minus being right."""
    names = CATALOGUE["calibration"].variants(2)
    assert names == tuple(f"{low / 10:g} to {(low + 1) / 10:g}" for low in range(10))
    valid, y = CATALOGUE["calibration"].observe(labelled_rows(), 10)
    assert [np.flatnonzero(row).tolist() for row in valid] == [[7], [2], [9], [5], [], []]
    assert [y[row, index] for row, index in enumerate([7, 2, 9, 5])] == [-0.25, 0.25, 0.0, 0.5]


def test_confidence_shape_compares_two_distribution_functions() -> None:
    """At each of .1 … .9: 1 if only the compressed model's confidence is at most that, -1 if only the baseline's."""
    rows = make_comparisons(3, confidence_baseline=[0.85, 0.35, 0.6], confidence_compressed=[0.65, 0.55, 0.6])
    valid, y = CATALOGUE["confidence_shape"].observe(rows, 9)
    assert valid.all()
    assert y.tolist() == [[0, 0, 0, 0, 0, 0, 1, 1, 0], [0, 0, 0, -1, -1, 0, 0, 0, 0], [0] * 9]
    assert CATALOGUE["confidence_shape"].variants(7) == tuple(f"at 0.{step}" for step in range(1, 10))


def test_confidence_jump_counts_far_differences_by_their_side() -> None:
    """More than 0.15 below the baseline, and more than that above it; one that is unknown is no zero."""
    rows = make_comparisons(4, confidence_baseline=[0.9, 0.6, 0.6, np.nan], confidence_compressed=[0.5, 0.8, 0.5, 0.5])
    valid, y = CATALOGUE["confidence_jump"].observe(rows, 2)
    assert valid.all()
    assert y[:3].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert np.isnan(y[3]).all()
    assert CATALOGUE["confidence_jump"].variants(2) == ("down", "up")


def test_mix_counts_a_class_that_only_one_model_predicts() -> None:
    """1 if only the compressed model predicts it, -1 if only the baseline does."""
    rows = make_comparisons(4, top_baseline=[0, 0, 1, 2], top_compressed=[0, 1, 0, 1])
    assert CATALOGUE["mix"].observe(rows, 3)[1].tolist() == [[0, 0, 0], [-1, 1, 0], [1, -1, 0], [0, 1, -1]]
    binary = make_comparisons(3, top_baseline=[0, 0, 1], top_compressed=[0, 1, 0])
    assert CATALOGUE["mix"].observe(binary, 1)[1].tolist() == [[0], [1], [-1]]


def test_class_cells_count_the_rows_on_which_one_model_says_the_class() -> None:
    """A miss is of the baseline's class, a gain of the compressed model's; without a class no row counts."""
    rows = make_comparisons(4, top_baseline=[0, 0, 2, -1], top_compressed=[0, 1, 2, 1])
    miss, y = CATALOGUE["class_miss"].observe_variants(rows, 3)
    assert [np.flatnonzero(row).tolist() for row in miss] == [[0], [0], [2], []]
    assert y[:3].tolist() == [[0] * 3, [1] * 3, [0] * 3]
    gain, y = CATALOGUE["class_gain"].observe_variants(rows, 3)
    assert [np.flatnonzero(row).tolist() for row in gain] == [[0], [1], [2], []]
    assert CATALOGUE["class_miss"].observe_variants(rows, 2)[0][2].tolist() == [False, True], "the last has all others"


def test_kinds_give_their_loss_by_class() -> None:
    """A class that a row does not speak of has NaN; classes without a column do not speak."""
    rows = make_comparisons(2, missed=[[0.5, np.nan], [np.nan, 1.0]], gained=[[np.nan, 0.25], [0.0, np.nan]])
    valid, y = observations.missed(rows, 3)
    assert valid.tolist() == [[True, False, False], [False, True, False]]
    assert y[valid].tolist() == [0.5, 1.0]
    valid, y = observations.gained(rows, 3)
    assert y[valid].tolist() == [0.25, 0.0]


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor.name)
def test_row_with_a_fault_counts_for_no_monitor(monitor: MonitorDefinition, fault: Fault) -> None:
    """Its other columns may look sound."""
    truth = {"correct_baseline": 1, "correct_compressed": 0}
    rows = make_comparisons(2, fault=[fault, Fault.NONE], refused_baseline=True, disagree=True, bias=0.5, **truth)
    variants = len(monitor.variants(2))
    valid, y = monitor.observe_variants(rows, variants)
    assert valid.shape == y.shape == (2, variants)
    assert valid.any(axis=1).tolist() == [False, True]


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor.name)
def test_observations_lie_in_the_range_of_their_hypothesis(monitor: MonitorDefinition) -> None:
    """Rates are zeros and ones, means lie in [-1, 1], and ternary values are declared so, for any pair of answers."""
    flags = np.array(np.meshgrid(*[[0, 1]] * 5)).reshape(5, -1).T
    rows = make_comparisons(
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
        bias=flags[:, 1] * 0.7 - flags[:, 2] * 0.2,
    )
    valid, y = monitor.observe(rows, len(monitor.variants(2)))
    observed = set(y[valid].tolist())
    if monitor.hypothesis is Hypothesis.RATE:
        assert observed == {0.0, 1.0}
    elif monitor.ternary:
        assert observed == {-1.0, 0.0, 1.0}
    else:
        assert min(observed) >= -1
        assert max(observed) <= 1
        assert not observed <= {-1.0, 0.0, 1.0}, "it could be declared ternary"
