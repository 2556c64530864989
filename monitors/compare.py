"""Read decision outputs, and pair the two models' outputs for the same rows.

Everything is batched: the first axis is the row. Values that cannot be probabilities become faults and are never
clipped; rounding (float16 and int8 outputs do not sum to one exactly) is normalised away, within `ROUNDING`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Fault, Floats, Ints, Role

ROUNDING = 1e-2
"""How far a probability may leave [0, 1], or a row's sum leave 1, as rounding: int8 softmax has steps of 1/256."""


RELATIVE_NOISE, ABSOLUTE_NOISE = 1e-6, 1e-7
"""The rounding of floats, relative to the larger value and besides: values this close are equal."""

MATRIX_DIMENSIONS = 2
"""Dimensions of a tensor of rows and columns."""


class Scale(StrEnum):
    """The meaning of the numbers in a decision output."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    REGRESSION = "regression"


class Score(StrEnum):
    """The certainty score of a refusal rule: higher is more certain, except for entropy (nats), where lower is."""

    MAX_PROBABILITY = "max_probability"
    MARGIN = "margin"
    ENTROPY = "entropy"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that refuses rows below a certainty of ``thresholds[role]`` (above it, for entropy).

    >>> rule = Refusal(Score.MAX_PROBABILITY, {Role.BASELINE: 0.6})
    >>> rule.applies(np.array([0.55, 0.9, np.nan]), Role.BASELINE).tolist()
    [True, False, False]
    """

    score: Score
    thresholds: Mapping[Role, float]

    def applies(self, values: Floats, role: Role) -> Bools:
        """Mask the scores (n,) that the role refuses; a NaN score belongs to a fault and is not refused."""
        limit = self.thresholds[role]
        return np.asarray(values > limit if self.score is Score.ENTROPY else values < limit)


@dataclass(frozen=True, slots=True)
class Decision:
    """The scale of a decision output, the refusal rule, and the tolerance of agreement (regression only).

    ``compressed_scale`` is the scale of the compressed model where it is not the baseline's; a regression has one.

    >>> decision = Decision(Scale.PROBABILITIES, compressed_scale=Scale.LOGITS)
    >>> [decision.scales[role].value for role in (Role.BASELINE, Role.COMPRESSED)]
    ['probabilities', 'logits']
    """

    scale: Scale
    refusal: Refusal | None = None
    tolerance: float = 0.0
    compressed_scale: Scale | None = None
    scales: Mapping[Role, Scale] = field(init=False, repr=False, compare=False)
    """The scale of each role's output."""

    def __post_init__(self) -> None:
        """Look up the scales once: the request path reads them."""
        scales = {Role.BASELINE: self.scale, Role.COMPRESSED: self.compressed_scale or self.scale}
        object.__setattr__(self, "scales", scales)


@dataclass(frozen=True, slots=True)
class Reading:
    """One model's decisions on n rows: ``values`` (n, k) probabilities or regression values, NaN on a fault.

    >>> read_output(np.array([[0.25, 0.75], [0.9, 0.9]]), Scale.PROBABILITIES).fault.tolist()
    [0, 2]
    """

    values: Floats
    fault: NDArray[np.int8]


def drop_single_sides(output: NDArray[Any]) -> NDArray[Any]:
    """An output of shape (n, 1, k) or (n, k, 1) as (n, k); any other as it is.

    >>> drop_single_sides(np.zeros((5, 1, 3))).shape
    (5, 3)
    """
    shape = output.shape
    if len(shape) <= MATRIX_DIMENSIONS or len(shape) - 1 - shape[1:].count(1) > 1:
        return output
    return output.reshape(shape[0], max(shape[1:]))


def read_output(output: NDArray[np.generic], scale: Scale) -> Reading:
    """Read a decision output of shape (n,) or (n, k), beside sides of length 1; one column of a classifier is the
    probability of class 1.
    """
    raw = drop_single_sides(output).astype(np.float64)
    raw = raw[:, None] if raw.ndim <= 1 else raw
    if scale is Scale.PROBABILITIES:
        return _normalise(raw if raw.shape[1] > 1 else np.hstack([1 - raw, raw]))
    fault = _faults(raw)
    if scale is Scale.REGRESSION:
        return Reading(raw, fault)
    return Reading(_softmax(raw if raw.shape[1] > 1 else np.hstack([np.zeros_like(raw), raw])), fault)


def _faults(raw: Floats) -> NDArray[np.int8]:
    """Mark the rows that are not finite, and set them to NaN in place."""
    fault = np.where(np.isfinite(raw).all(axis=1), Fault.NONE, Fault.NOT_FINITE).astype(np.int8)
    raw[fault > 0] = np.nan
    return fault


def failed_reading(other: Reading) -> Reading:
    """Build the reading of a model that failed on these rows, in the shape of the other model's reading."""
    return Reading(np.full_like(other.values, np.nan), np.full_like(other.fault, Fault.RUN_FAILED))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _normalise(raw: Floats) -> Reading:
    # NaN and infinity fail every comparison, so the common case of sound rows needs no further check.
    if len(raw) and raw.min() >= 0.0 and raw.max() <= 1 + ROUNDING:
        total = raw.sum(axis=1, keepdims=True)
        if np.abs(total - 1).max() <= ROUNDING:
            return Reading(raw / total, np.zeros(len(raw), np.int8))
    return _normalise_sound_rows(raw)


def _normalise_sound_rows(raw: Floats) -> Reading:
    with np.errstate(invalid="ignore"):
        total = raw.sum(axis=1)
    sound = (raw.min(axis=1) >= -ROUNDING) & (raw.max(axis=1) <= 1 + ROUNDING) & (np.abs(total - 1) <= ROUNDING)
    fault = _faults(raw)
    fault[~sound & (fault == Fault.NONE)] = Fault.OUT_OF_RANGE
    raw[~sound] = np.nan
    kept = np.maximum(raw, 0.0)
    return Reading(kept / kept.sum(axis=1, keepdims=True), fault)


def confidence(values: Floats) -> Floats:
    """The largest probability of each row, (n,)."""
    return np.asarray(values.max(axis=1))


def top_class(reading: Reading) -> Ints:
    """The class of each row, (n,); -1 where the row has a fault."""
    return np.where(reading.fault == Fault.NONE, reading.values.argmax(axis=1), -1)


def margin(values: Floats) -> Floats:
    """The largest minus the second largest probability of each row, (n,)."""
    largest = np.partition(values, -2, axis=1)
    return np.asarray(largest[:, -1] - largest[:, -2])


def entropy(values: Floats) -> Floats:
    """Shannon entropy of each row in nats, (n,); 0 log 0 is 0."""
    logs = np.log(values, out=np.zeros_like(values), where=values > 0)
    return np.asarray(np.abs(-(values * logs).sum(axis=1)))


_SCORES = {Score.MAX_PROBABILITY: confidence, Score.MARGIN: margin, Score.ENTROPY: entropy}


def certainty(values: Floats, score: Score) -> Floats:
    """The score of each row that a refusal rule compares with its threshold, (n,)."""
    return _SCORES[score](values)


def refusal_mask(reading: Reading, decision: Decision, role: Role) -> Bools:
    """Mask the rows that the role refuses under the decision's rule, (n,); without a rule, none."""
    if decision.refusal is None:
        return np.zeros(len(reading.fault), dtype=bool)
    return decision.refusal.applies(certainty(reading.values, decision.refusal.score), role)


def jensen_shannon(p: Floats, q: Floats) -> Floats:
    """Jensen-Shannon distance of paired rows, base 2, in [0, 1] (Endres, Schindelin, IEEE Trans. Inf. Theory 2003)."""
    middle = (p + q) / 2
    divergence = entropy(middle) - (entropy(p) + entropy(q)) / 2
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0) / np.log(2)))


@dataclass(frozen=True, slots=True)
class PairedOutputs:
    """The columns of `records.Comparisons` that come from outputs, one entry per row; None for one that is left out.

    >>> baseline, compressed = (read_output(np.array([p]), Scale.PROBABILITIES) for p in (0.9, 0.4))
    >>> pair_readings(baseline, compressed, Decision(Scale.PROBABILITIES)).disagree.tolist()
    [True]
    """

    disagree: Bools
    confidence_baseline: Floats
    confidence_compressed: Floats
    entropy_baseline: Floats
    entropy_compressed: Floats
    margin_baseline: Floats
    margin_compressed: Floats
    refused_baseline: Bools
    refused_compressed: Bools
    distance: Floats
    top_baseline: Ints
    top_compressed: Ints
    fault: NDArray[np.int8]
    loss: Floats | None = None
    missed: Floats | None = None
    gained: Floats | None = None
    mix: Floats | None = None
    bias: Floats | None = None

    def columns(self) -> dict[str, Any]:
        """The columns that are given, by name."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: column for name, column in given.items() if column is not None}


def pair_readings(baseline: Reading, compressed: Reading, decision: Decision) -> PairedOutputs:
    """Pair two readings of the same n rows. A row with a fault on either side has that fault and NaN values.

    Readings of different width cannot be compared: every row becomes a fault.
    """
    if baseline.values.shape != compressed.values.shape:
        baseline, compressed = _incomparable(baseline), _incomparable(compressed)
    fault = np.maximum(baseline.fault, compressed.fault)
    if decision.scale is Scale.REGRESSION:
        return _pair_regression(baseline, compressed, decision.tolerance, fault)
    b, c = baseline.values, compressed.values
    sound = fault == Fault.NONE
    return PairedOutputs(
        disagree=sound & (b.argmax(axis=1) != c.argmax(axis=1)),
        confidence_baseline=confidence(b),
        confidence_compressed=confidence(c),
        entropy_baseline=entropy(b),
        entropy_compressed=entropy(c),
        margin_baseline=margin(b),
        margin_compressed=margin(c),
        refused_baseline=refusal_mask(baseline, decision, Role.BASELINE),
        refused_compressed=refusal_mask(compressed, decision, Role.COMPRESSED),
        distance=jensen_shannon(b, c),
        top_baseline=top_class(baseline),
        top_compressed=top_class(compressed),
        fault=fault,
    )


def _incomparable(reading: Reading) -> Reading:
    return Reading(np.full((len(reading.fault), 2), np.nan), np.maximum(reading.fault, np.int8(Fault.OUT_OF_RANGE)))


def _pair_regression(b: Reading, c: Reading, tolerance: float, fault: NDArray[np.int8]) -> PairedOutputs:
    gaps = np.abs(b.values - c.values)
    gap = gaps.max(axis=1)
    noise = RELATIVE_NOISE * np.maximum(np.abs(b.values), np.abs(c.values)) + ABSOLUTE_NOISE
    beyond = (gaps > np.maximum(tolerance, noise)).any(axis=1)
    unknown, never = np.full(len(fault), np.nan), np.zeros(len(fault), dtype=bool)
    return PairedOutputs(
        disagree=(fault == Fault.NONE) & beyond,
        confidence_baseline=unknown,
        confidence_compressed=unknown,
        entropy_baseline=unknown,
        entropy_compressed=unknown,
        margin_baseline=unknown,
        margin_compressed=unknown,
        refused_baseline=never,
        refused_compressed=never,
        distance=gap,
        top_baseline=np.full(len(fault), -1),
        top_compressed=np.full(len(fault), -1),
        fault=fault,
    )
