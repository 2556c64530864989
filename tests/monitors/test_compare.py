"""Reading and pairing decision outputs: hand-made cases, and scipy as the reference for the figures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr, softmax
from scipy.stats import entropy as scipy_entropy

from tightrope.monitors.compare import (
    Decision,
    Reading,
    Refusal,
    Scale,
    Score,
    confidence,
    entropy,
    jensen_shannon,
    margin,
    pair_readings,
    read_output,
    refusal_mask,
)
from tightrope.monitors.records import Fault, Floats, Role

PROBABILITIES = Decision(Scale.PROBABILITIES)
LOGITS = arrays.arrays(float, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-700, 700))


def probabilities(*rows: tuple[float, ...]) -> Reading:
    """Build a reading of probabilities."""
    return read_output(np.array(rows), Scale.PROBABILITIES)


def test_probabilities_are_read_as_they_are() -> None:
    """Rows that sum to one keep every bit and have no fault."""
    reading = probabilities((0.25, 0.75), (1.0, 0.0))
    assert reading.values.tolist() == [[0.25, 0.75], [1.0, 0.0]]
    assert reading.fault.tolist() == [Fault.NONE, Fault.NONE]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_one_column_is_the_probability_of_class_one(shape: tuple[int, ...]) -> None:
    """A binary model may give a vector or a single column."""
    reading = read_output(np.array([0.25, 1.0]).reshape(shape), Scale.PROBABILITIES)
    assert reading.values.tolist() == [[0.75, 0.25], [0.0, 1.0]]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_one_column_of_logits_is_the_logit_of_class_one(shape: tuple[int, ...]) -> None:
    """Class 0 has logit zero, so the reading is the logistic function."""
    reading = read_output(np.array([0.0, np.log(3.0)]).reshape(shape), Scale.LOGITS)
    assert reading.values == pytest.approx(np.array([[0.5, 0.5], [0.25, 0.75]]))


@settings(deadline=None, max_examples=50)
@given(logits=LOGITS)
def test_logits_become_probabilities_as_in_scipy(logits: Floats) -> None:
    """The softmax does not overflow, even for large logits."""
    reading = read_output(logits, Scale.LOGITS)
    assert reading.values == pytest.approx(softmax(logits, axis=1), rel=1e-12, abs=1e-300)
    assert not reading.fault.any()


def test_figures_of_a_row_by_hand() -> None:
    """Confidence, margin and entropy (nats) of rows computed on paper."""
    values = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0], [0.4, 0.2, 0.4]])
    assert confidence(values).tolist() == [0.5, 0.7, 1.0, 0.4]
    assert margin(values) == pytest.approx([0.25, 0.5, 1.0, 0.0])
    assert entropy(values) == pytest.approx([1.5 * np.log(2), 0.8018185525433372, 0.0, 1.0549201679861442])
    assert str(entropy(values)[2]) == "0.0"


@settings(deadline=None, max_examples=50)
@given(logits=LOGITS, shift=st.integers(0, 4))
def test_entropy_and_distance_are_those_of_scipy(logits: Floats, shift: int) -> None:
    """Entropy is in nats; the Jensen-Shannon distance is the root of the divergence in bits, in [0, 1]."""
    p = softmax(logits, axis=1)
    q = np.roll(p, shift, axis=1)
    assert entropy(p) == pytest.approx(scipy_entropy(p, axis=1), rel=1e-9, abs=1e-12)
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=1) / 2 / np.log(2)
    assert jensen_shannon(p, q) ** 2 == pytest.approx(divergence, rel=1e-9, abs=1e-12)


def test_jensen_shannon_gives_the_golden_number() -> None:
    """The base-2 distance of a published pair; equal rows have 0, opposite rows 1."""
    p, q = np.array([[0.1, 0.2, 0.3, 0.25, 0.15]]), np.array([[0.12, 0.18, 0.25, 0.28, 0.17]])
    assert jensen_shannon(p, q) == pytest.approx([0.06117294478125072], abs=1e-9)
    sure = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert jensen_shannon(sure, np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [0.0, 1.0]


def test_pair_gives_every_column_of_both_models() -> None:
    """No column mixes up baseline and compressed model."""
    refusal = Refusal(Score.MAX_PROBABILITY, {Role.BASELINE: 0.75, Role.COMPRESSED: 0.55})
    paired = pair_readings(
        probabilities((0.7, 0.3), (0.9, 0.1)), probabilities((0.4, 0.6), (0.5, 0.5)), Decision(Scale.LOGITS, refusal)
    )
    assert paired.disagree.tolist() == [True, False]
    assert (paired.confidence_baseline.tolist(), paired.confidence_compressed.tolist()) == ([0.7, 0.9], [0.6, 0.5])
    assert paired.margin_baseline == pytest.approx([0.4, 0.8])
    assert paired.margin_compressed == pytest.approx([0.2, 0.0])
    assert paired.entropy_baseline == pytest.approx(scipy_entropy([[0.7, 0.3], [0.9, 0.1]], axis=1))
    assert paired.entropy_compressed == pytest.approx(scipy_entropy([[0.4, 0.6], [0.5, 0.5]], axis=1))
    assert (paired.refused_baseline.tolist(), paired.refused_compressed.tolist()) == ([True, False], [False, True])
    expected = [jensenshannon([0.7, 0.3], [0.4, 0.6], 2), jensenshannon([0.9, 0.1], [0.5, 0.5], 2)]
    assert paired.distance == pytest.approx(expected)
    assert not paired.fault.any()


def test_top_class_of_many_is_compared() -> None:
    """Only the index of the winner counts, not the order of the rest."""
    baseline = probabilities((0.5, 0.3, 0.2), (0.2, 0.3, 0.5))
    paired = pair_readings(baseline, probabilities((0.4, 0.25, 0.35), (0.3, 0.5, 0.2)), PROBABILITIES)
    assert paired.disagree.tolist() == [False, True]


@pytest.mark.parametrize(
    ("score", "threshold", "expected"),
    [
        (Score.MAX_PROBABILITY, 0.6, [True, False, False]),
        (Score.MAX_PROBABILITY, 0.61, [True, True, False]),
        (Score.MARGIN, 0.5, [True, True, False]),
        (Score.ENTROPY, 0.9, [True, False, False]),
        (Score.ENTROPY, 0.4, [True, True, False]),
    ],
)
def test_refusal_is_below_the_threshold_or_above_it_for_entropy(
    score: Score, threshold: float, expected: list[bool]
) -> None:
    """A certainty of exactly the threshold is answered. Rows: unsure, middling, sure."""
    reading = probabilities((0.4, 0.3, 0.3), (0.6, 0.4, 0.0), (0.9, 0.1, 0.0))
    decision = Decision(Scale.PROBABILITIES, Refusal(score, {Role.BASELINE: threshold}))
    assert refusal_mask(reading, decision, Role.BASELINE).tolist() == expected


def test_each_role_has_its_own_threshold() -> None:
    """One role refuses a certainty that the other answers."""
    decision = Decision(Scale.PROBABILITIES, Refusal(Score.MARGIN, {Role.BASELINE: 0.1, Role.COMPRESSED: 0.3}))
    reading = probabilities((0.6, 0.4))
    assert refusal_mask(reading, decision, Role.BASELINE).tolist() == [False]
    assert refusal_mask(reading, decision, Role.COMPRESSED).tolist() == [True]


def test_nothing_is_refused_without_a_rule() -> None:
    """A row of equal probabilities is answered."""
    assert refusal_mask(probabilities((0.5, 0.5)), PROBABILITIES, Role.COMPRESSED).tolist() == [False]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_regression_disagrees_beyond_its_tolerance(shape: tuple[int, ...]) -> None:
    """The distance is the absolute difference; exactly the tolerance still agrees; there is no certainty."""
    baseline = read_output(np.array([1.0, 1.0, -1.0, 5.0]).reshape(shape), Scale.REGRESSION)
    compressed = read_output(np.array([1.5, 1.75, 1.0, 5.0]).reshape(shape), Scale.REGRESSION)
    paired = pair_readings(baseline, compressed, Decision(Scale.REGRESSION, tolerance=0.5))
    assert paired.disagree.tolist() == [False, True, True, False]
    assert paired.distance.tolist() == [0.5, 0.75, 2.0, 0.0]
    assert np.isnan(paired.confidence_baseline).all()
    assert not (paired.refused_baseline | paired.refused_compressed).any()
    assert not paired.fault.any()


def test_regression_of_many_values_takes_the_widest_gap() -> None:
    """One value of a row is enough to disagree."""
    baseline, compressed = np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([[1.1, 2.1], [1.0, 4.0]])
    paired = pair_readings(
        read_output(baseline, Scale.REGRESSION),
        read_output(compressed, Scale.REGRESSION),
        Decision(Scale.REGRESSION, tolerance=1.0),
    )
    assert paired.disagree.tolist() == [False, True]
    assert paired.distance == pytest.approx([0.1, 2.0])


@pytest.mark.parametrize("shape", [(2, 1, 3), (2, 3, 1), (2, 1, 3, 1)])
def test_sides_of_length_one_are_dropped(shape: tuple[int, ...]) -> None:
    """The reading is that of rows and classes."""
    rows = np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])
    assert read_output(rows.reshape(shape), Scale.PROBABILITIES).values.tolist() == probabilities_of(rows)


def probabilities_of(rows: np.ndarray) -> list[list[float]]:
    """The values of a reading of rows and classes."""
    return read_output(rows, Scale.PROBABILITIES).values.tolist()  # type: ignore[no-any-return]
