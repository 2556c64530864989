"""The scale of an output, as finite rows show it, and whether it contradicts the one that is configured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tightrope.monitors.compare import ROUNDING, Scale
from tightrope.monitors.records import Floats
from tightrope.service.protocol.tensors import Tensor

MIN_ROWS = 8
"""Finite rows below which an output's scale is not known."""

MIN_UNIT_COLUMNS = 9
"""Columns below which rows of unit length are not taken for an embedding."""

MIN_SPREAD = 0.1
"""Least range of one column in [0, 1] that is taken for probabilities."""


class OutputRange(StrEnum):
    """The range of the numbers in each row of an output. ``UNCLEAR``: some rows sum to one, others do not."""

    SUMS_TO_ONE = "sums to one"
    IN_UNIT_INTERVAL = "in [0, 1]"
    LOG_PROBABILITIES = "log-probabilities"
    UNIT_LENGTH = "unit length"
    UNBOUNDED = "unbounded"
    UNCLEAR = "unclear"

    @property
    def scale(self) -> Scale | None:
        """The scale of numbers in this range, if they decide; None where it does not tell."""
        if self in {OutputRange.SUMS_TO_ONE, OutputRange.IN_UNIT_INTERVAL}:
            return Scale.PROBABILITIES
        return Scale.LOGITS if self in {OutputRange.LOG_PROBABILITIES, OutputRange.UNBOUNDED} else None


@dataclass(frozen=True, slots=True)
class LearntScale:
    """The range of an output's numbers, from ``low`` to ``high``, in finite ``rows`` of ``columns`` numbers each."""

    range: OutputRange
    rows: int
    columns: int
    low: float
    high: float


def row_of(output: Tensor) -> Floats | None:
    """The numbers of one row, from an output of shape (1,), (1, k), (1, 1, k) or (1, k, 1); None for any other, and
    where they are not all finite.
    """
    if output.dtype.kind != "f" or not output.ndim or len(output) != 1 or output.size != max(output.shape):
        return None
    row = output.astype(np.float64).ravel()
    return row if row.size and np.isfinite(row).all() else None


def learn_scale(rows: Sequence[Floats]) -> LearntScale | None:
    """Learn the scale of finite rows; None where they are too few, or differ in width."""
    if len(rows) < MIN_ROWS or len({len(row) for row in rows}) > 1:
        return None
    values = np.stack(rows)
    count, columns = values.shape
    return LearntScale(_range(values), count, columns, float(values.min()), float(values.max()))


def _range(values: Floats) -> OutputRange:
    columns, inside = values.shape[1], (values.min(axis=1) >= -ROUNDING) & (values.max(axis=1) <= 1 + ROUNDING)
    probable = inside & (np.abs(values.sum(axis=1) - 1) <= ROUNDING) if columns > 1 else inside
    if columns > 1 and probable.all():
        return OutputRange.SUMS_TO_ONE
    if not probable.all() and 2 * np.count_nonzero(probable) >= len(values):
        return OutputRange.UNCLEAR
    if inside.all():
        return OutputRange.IN_UNIT_INTERVAL
    if columns > 1 and values.max() <= ROUNDING and _sum_of_powers_is_one(values):
        return OutputRange.LOG_PROBABILITIES
    has_unit_length = columns >= MIN_UNIT_COLUMNS and np.abs(np.linalg.norm(values, axis=1) - 1).max() <= ROUNDING
    return OutputRange.UNIT_LENGTH if has_unit_length else OutputRange.UNBOUNDED


def _sum_of_powers_is_one(values: Floats) -> bool:
    return bool(np.abs(np.exp(values).sum(axis=1) - 1).max() <= ROUNDING)


LABEL_KINDS = frozenset({"binary", "multilabel"})
"""Kinds whose probabilities are each in [0, 1], and need not sum to one."""

CLASS_KINDS = frozenset({None, "classes"})
"""Kinds whose probabilities sum to one."""


def contradiction(
    learnt: LearntScale | None,
    scale: Scale,
    output: str,
    kind: str | None = None,
    advice: Callable[[Scale], str] = str,
) -> str:
    """The sentence that refuses a configured scale of ``output``, as people call it; empty where nothing contradicts
    it. ``kind`` is that of the decision, None for a plain one; ``advice`` writes the scale that is right.
    """
    if learnt is None or scale is Scale.REGRESSION or kind not in CLASS_KINDS | LABEL_KINDS:
        return ""
    holds = f"{output} holds {learnt.low:.3g} … {learnt.high:.3g}"
    if kind in LABEL_KINDS:
        return _no_labels(learnt, scale, holds, advice)
    if scale is Scale.PROBABILITIES:
        return _no_probabilities(learnt, output, holds, advice)
    if learnt.range is OutputRange.SUMS_TO_ONE:
        return f"is logits, but each row of {output} sums to one; write scale: {advice(Scale.PROBABILITIES)}"
    spread = learnt.high - learnt.low
    if learnt.range is OutputRange.IN_UNIT_INTERVAL and learnt.columns == 1 and spread >= MIN_SPREAD:
        right = advice(Scale.PROBABILITIES)
        return f"is logits, but {holds}, which as logits is always class 1; write scale: {right}"
    return ""


def _no_probabilities(learnt: LearntScale, output: str, holds: str, advice: Callable[[Scale], str]) -> str:
    match learnt.range:
        case OutputRange.IN_UNIT_INTERVAL if learnt.columns > 1:
            several = "these are several labels; write kind: multilabel"
            return f"is probabilities, but the rows of {output} are in [0, 1] and do not sum to one: {several}"
        case OutputRange.UNIT_LENGTH:
            return f"is probabilities, but {holds} in rows of unit length: an embedding; write kind: embedding"
        case OutputRange.LOG_PROBABILITIES:
            return f"is probabilities, but {holds}, which are log-probabilities; write scale: {advice(Scale.LOGITS)}"
        case OutputRange.UNBOUNDED:
            other = ", or scale: regression" if learnt.columns == 1 else ""
            return f"is probabilities, but {holds}; write scale: {advice(Scale.LOGITS)}{other}"
    return ""


def _no_labels(learnt: LearntScale, scale: Scale, holds: str, advice: Callable[[Scale], str]) -> str:
    """The sentence that refuses the scale of labels that are each given or not."""
    inside = learnt.range in {OutputRange.IN_UNIT_INTERVAL, OutputRange.SUMS_TO_ONE}
    if scale is Scale.PROBABILITIES and learnt.range in {OutputRange.UNBOUNDED, OutputRange.UNIT_LENGTH}:
        return f"is probabilities, but {holds}; write scale: {advice(Scale.LOGITS)}"
    if scale is Scale.LOGITS and inside and learnt.high - learnt.low >= MIN_SPREAD:
        return f"is logits, but {holds}; write scale: {advice(Scale.PROBABILITIES)}"
    return ""
