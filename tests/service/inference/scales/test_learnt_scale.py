"""The scale of an output is learnt from enough finite rows, and only a clear contradiction refuses what is written."""

import numpy as np
import pytest

from tightrope.monitors.compare import Scale, read_output
from tightrope.monitors.records import Fault
from tightrope.service.inference.scales.learnt_scale import (
    MIN_ROWS,
    LearntScale,
    OutputRange,
    contradiction,
    learn_scale,
    row_of,
)

RANDOM = np.random.default_rng(3)
LOGITS = RANDOM.normal(0.0, 20.0, (12, 10))
SOFTMAX = read_output(LOGITS, Scale.LOGITS).values
SIGMOID = 1 / (1 + np.exp(-LOGITS / 10))

RANGES = [
    (SOFTMAX, OutputRange.SUMS_TO_ONE),
    (np.vstack([SOFTMAX[:8], SIGMOID[:4]]), OutputRange.UNCLEAR),
    (SIGMOID, OutputRange.IN_UNIT_INTERVAL),
    (SIGMOID[:, :1], OutputRange.IN_UNIT_INTERVAL),
    (np.log(np.maximum(SOFTMAX, 1e-30)), OutputRange.LOG_PROBABILITIES),
    (LOGITS / np.linalg.norm(LOGITS, axis=1, keepdims=True), OutputRange.UNIT_LENGTH),
    (LOGITS, OutputRange.UNBOUNDED),
    (LOGITS[:, :1], OutputRange.UNBOUNDED),
]
"""Rows, and the range of their numbers."""


def learnt(values: np.ndarray) -> LearntScale:
    """The scale of these rows."""
    found = learn_scale(list(values))
    assert found is not None
    return found


@pytest.mark.parametrize(("values", "expected"), RANGES, ids=[f"{one[1]}-{one[0].shape[1]}" for one in RANGES])
def test_range_of_the_numbers_is_learnt(values: np.ndarray, expected: OutputRange) -> None:
    """Beside the number of rows and columns, and the least and the largest number."""
    rows, columns = values.shape
    assert learnt(values) == LearntScale(expected, rows, columns, values.min(), values.max())


def test_few_rows_teach_nothing() -> None:
    """And neither do rows of several widths."""
    assert learn_scale(list(LOGITS[: MIN_ROWS - 1])) is None
    assert learn_scale(list(LOGITS[:MIN_ROWS])) is not None
    assert learn_scale([*LOGITS, LOGITS[0, :3]]) is None


@pytest.mark.parametrize("shape", [(1, 4), (1, 1, 4), (1, 4, 1)])
def test_sides_of_length_one_beside_the_row_are_dropped(shape: tuple[int, ...]) -> None:
    """The other side holds the classes."""
    row = row_of(np.arange(4, dtype=np.float32).reshape(shape))
    assert row is not None
    assert row.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "output",
    [np.zeros((2, 4)), np.zeros((1, 2, 2)), np.zeros(4), np.float64(1.0), np.array([[1]]), np.array([[np.nan, 1.0]])],
)
def test_other_outputs_have_no_row_of_numbers(output: np.ndarray) -> None:
    """Several rows, two sides, integers; and NaN proves nothing."""
    assert row_of(np.asarray(output)) is None


AS_PROBABILITIES, AS_LOGITS = (f"is {scale}, but 'p' holds -51.7 … 44.7" for scale in ("probabilities", "logits"))
LABELS = "is probabilities, but the rows of 'p' are in [0, 1] and do not sum to one: these are several labels; "
SUMMING = "is logits, but each row of 'p' sums to one; write scale: probabilities"
SENTENCES = [
    (OutputRange.UNBOUNDED, 12, Scale.PROBABILITIES, f"{AS_PROBABILITIES}; write scale: logits"),
    (OutputRange.UNBOUNDED, 1, Scale.PROBABILITIES, f"{AS_PROBABILITIES}; write scale: logits, or scale: regression"),
    (
        OutputRange.LOG_PROBABILITIES,
        12,
        Scale.PROBABILITIES,
        f"{AS_PROBABILITIES}, which are log-probabilities; write scale: logits",
    ),
    (
        OutputRange.UNIT_LENGTH,
        12,
        Scale.PROBABILITIES,
        f"{AS_PROBABILITIES} in rows of unit length: an embedding; write kind: embedding",
    ),
    (OutputRange.IN_UNIT_INTERVAL, 12, Scale.PROBABILITIES, f"{LABELS}write kind: multilabel"),
    (
        OutputRange.SUMS_TO_ONE,
        12,
        Scale.LOGITS,
        "is logits, but each row of 'p' sums to one; write scale: probabilities",
    ),
    (
        OutputRange.IN_UNIT_INTERVAL,
        1,
        Scale.LOGITS,
        f"{AS_LOGITS}, which as logits is always class 1; write scale: probabilities",
    ),
]


@pytest.mark.parametrize(("numbers", "columns", "scale", "sentence"), SENTENCES)
def test_contradiction_says_what_to_write(numbers: OutputRange, columns: int, scale: Scale, sentence: str) -> None:
    """The scale, or the kind."""
    assert contradiction(LearntScale(numbers, 8, columns, -51.7, 44.7), scale, "'p'") == sentence


KIND_SENTENCES = [
    ("multilabel", OutputRange.IN_UNIT_INTERVAL, Scale.PROBABILITIES, ""),
    ("binary", OutputRange.SUMS_TO_ONE, Scale.PROBABILITIES, ""),
    ("multilabel", OutputRange.UNBOUNDED, Scale.PROBABILITIES, f"{AS_PROBABILITIES}; write scale: logits"),
    ("binary", OutputRange.IN_UNIT_INTERVAL, Scale.LOGITS, f"{AS_LOGITS}; write scale: probabilities"),
    ("embedding", OutputRange.UNIT_LENGTH, Scale.PROBABILITIES, ""),
    ("positions", OutputRange.UNBOUNDED, Scale.PROBABILITIES, ""),
    ("classes", OutputRange.UNBOUNDED, Scale.PROBABILITIES, f"{AS_PROBABILITIES}; write scale: logits"),
]


@pytest.mark.parametrize(("kind", "numbers", "scale", "sentence"), KIND_SENTENCES)
def test_scale_of_a_kind_is_contradicted_by_its_own_rules(
    kind: str, numbers: OutputRange, scale: Scale, sentence: str
) -> None:
    """Labels need not sum to one; directions and places have no scale."""
    assert contradiction(LearntScale(numbers, 8, 12, -51.7, 44.7), scale, "'p'", kind) == sentence


def test_everything_else_is_accepted() -> None:
    """A regression may hold anything, and an unclear or unknown scale contradicts nothing."""
    refused = {(numbers, columns, scale) for numbers, columns, scale, _ in SENTENCES}
    single = {OutputRange.IN_UNIT_INTERVAL, OutputRange.UNBOUNDED, OutputRange.UNCLEAR}
    assert not contradiction(None, Scale.PROBABILITIES, "'p'")
    for numbers in OutputRange:
        for columns in (1, 12) if numbers in single else (12,):
            for scale in Scale:
                told = contradiction(LearntScale(numbers, 8, columns, 0.0, 1.0), scale, "'p'")
                assert bool(told) == ((numbers, columns, scale) in refused)


def test_constant_column_is_no_contradiction() -> None:
    """A logit that is .3 for every made-up row may be one."""
    assert not contradiction(learnt(np.full((8, 1), 0.3)), Scale.LOGITS, "'p'")


def test_rows_of_one_scale_are_read_under_it() -> None:
    """Accepted probabilities have no fault."""
    assert learnt(SOFTMAX).range is OutputRange.SUMS_TO_ONE
    assert (read_output(SOFTMAX, Scale.PROBABILITIES).fault == Fault.NONE).all()
