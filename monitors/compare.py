"""Reading a model's decision output, and pairing what the two models said of the same rows.

Everything is batched: the first axis is the row. Values that cannot be probabilities are reported as faults, never
clipped; only rounding (float16 and int8 outputs do not sum to one exactly) is normalised away, within `ROUNDING`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Fault, Floats, Ints, Role

ROUNDING = 1e-2
"""How far a probability may leave [0, 1], or a row's sum leave 1, as rounding: int8 softmax has steps of 1/256."""

MATRIX = 2
"""Decision outputs are vectors or matrices."""


class Scale(StrEnum):
    """What the numbers of the decision output mean."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    REGRESSION = "regression"


class Score(StrEnum):
    """How certainty is scored for refusals: higher is more certain, but for entropy (nats), where lower is."""

    MAX_PROBABILITY = "max_probability"
    MARGIN = "margin"
    ENTROPY = "entropy"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refuse below a certainty of ``thresholds[role]`` (above it, for entropy)."""

    score: Score
    thresholds: Mapping[Role, float]

    def applies(self, values: Floats, role: Role) -> Bools:
        """Which rows this role is too unsure of; a row that cannot be read is not a refusal but a fault."""
        limit = self.thresholds[role]
        return np.asarray(values > limit if self.score is Score.ENTROPY else values < limit)


@dataclass(frozen=True, slots=True)
class Decision:
    """How to read the decision output: its scale, the refusal rule, and the tolerance (regression only)."""

    scale: Scale
    refusal: Refusal | None = None
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One model's decision on n rows: ``values`` (n, k) probabilities or regression values, NaN where ``fault`` is
    set.
    """

    values: Floats
    fault: NDArray[np.int8]


def read(output: NDArray[np.generic], scale: Scale) -> Reading:
    """Read a decision output of shape (n,) or (n, k); binary models may give one column, the probability of class 1."""
    raw = output.astype(np.float64)
    raw = raw[:, None] if raw.ndim < MATRIX else raw
    if scale is Scale.PROBABILITIES:
        return _normalise(raw if raw.shape[1] > 1 else np.hstack([1 - raw, raw]))
    fault = _faults(raw)
    if scale is Scale.REGRESSION:
        return Reading(raw, fault)
    return Reading(_softmax(raw if raw.shape[1] > 1 else np.hstack([np.zeros_like(raw), raw])), fault)


def _faults(raw: Floats) -> NDArray[np.int8]:
    """Which rows are not finite; they become NaN."""
    fault = np.where(np.isfinite(raw).all(axis=1), Fault.NONE, Fault.NOT_FINITE).astype(np.int8)
    raw[fault > 0] = np.nan
    return fault


def failed(like: Reading) -> Reading:
    """The reading of a model that did not answer at all to the rows that another one read like this."""
    return Reading(np.full_like(like.values, np.nan), np.full_like(like.fault, Fault.RUN_FAILED))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _normalise(raw: Floats) -> Reading:
    with np.errstate(invalid="ignore"):
        total = raw.sum(axis=1)
    # NaN and infinity fail every comparison, so sound rows, all but a few, need no further look.
    sound = (raw.min(axis=1) >= -ROUNDING) & (raw.max(axis=1) <= 1 + ROUNDING) & (np.abs(total - 1) <= ROUNDING)
    fault = np.zeros(len(raw), dtype=np.int8)
    if not sound.all():
        fault = _faults(raw)
        fault[~sound & (fault == Fault.NONE)] = Fault.OUT_OF_RANGE
        raw[~sound] = np.nan
    kept = np.maximum(raw, 0.0)
    return Reading(kept / kept.sum(axis=1, keepdims=True), fault)


def confidence(values: Floats) -> Floats:
    """The largest probability of each row."""
    return np.asarray(values.max(axis=1))


def top(reading: Reading) -> Ints:
    """The class of each row, -1 where it could not be read."""
    return np.where(reading.fault == Fault.NONE, reading.values.argmax(axis=1), -1)


def margin(values: Floats) -> Floats:
    """The largest minus the second largest probability of each row."""
    two = np.partition(values, -MATRIX, axis=1)
    return np.asarray(two[:, -1] - two[:, -MATRIX])


def entropy(values: Floats) -> Floats:
    """Shannon entropy of each row in nats; 0 log 0 is 0."""
    logs = np.log(values, out=np.zeros_like(values), where=values > 0)
    return np.asarray(np.abs(-(values * logs).sum(axis=1)))


_SCORES = {Score.MAX_PROBABILITY: confidence, Score.MARGIN: margin, Score.ENTROPY: entropy}


def certainty(values: Floats, score: Score) -> Floats:
    """The score that a refusal rule looks at, one a row."""
    return _SCORES[score](values)


def refused(reading: Reading, decision: Decision, role: Role) -> Bools:
    """Which rows the role is too unsure of under the decision's refusal rule (none without one)."""
    if decision.refusal is None:
        return np.zeros(len(reading.fault), dtype=bool)
    return decision.refusal.applies(certainty(reading.values, decision.refusal.score), role)


def jensen_shannon(p: Floats, q: Floats) -> Floats:
    """Jensen-Shannon distance of paired rows, base 2, in [0, 1] (Endres, Schindelin, IEEE Trans. Inf. Theory 2003)."""
    middle = (p + q) / 2
    both = entropy(middle) - (entropy(p) + entropy(q)) / 2
    return np.asarray(np.sqrt(np.maximum(both, 0.0) / np.log(2)))


@dataclass(frozen=True, slots=True)
class Paired:
    """What pairing gives, one entry a row: the columns of `records.Comparisons` that come from outputs."""

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


def pair(baseline: Reading, compressed: Reading, decision: Decision) -> Paired:
    """Pair two readings of the same n rows; a row that either model could not answer carries the fault, and NaN, and so
    does every row where the two gave different numbers of classes or values.
    """
    if baseline.values.shape != compressed.values.shape:
        baseline, compressed = _unlike(baseline), _unlike(compressed)
    fault = np.maximum(baseline.fault, compressed.fault)
    if decision.scale is Scale.REGRESSION:
        return _pair_regression(baseline, compressed, decision.tolerance, fault)
    b, c = baseline.values, compressed.values
    sound = fault == Fault.NONE
    return Paired(
        disagree=sound & (b.argmax(axis=1) != c.argmax(axis=1)),
        confidence_baseline=confidence(b),
        confidence_compressed=confidence(c),
        entropy_baseline=entropy(b),
        entropy_compressed=entropy(c),
        margin_baseline=margin(b),
        margin_compressed=margin(c),
        refused_baseline=refused(baseline, decision, Role.BASELINE),
        refused_compressed=refused(compressed, decision, Role.COMPRESSED),
        distance=jensen_shannon(b, c),
        top_baseline=top(baseline),
        top_compressed=top(compressed),
        fault=fault,
    )


def _unlike(reading: Reading) -> Reading:
    return Reading(np.full((len(reading.fault), 2), np.nan), np.maximum(reading.fault, np.int8(Fault.OUT_OF_RANGE)))


def _pair_regression(b: Reading, c: Reading, tolerance: float, fault: NDArray[np.int8]) -> Paired:
    gap = np.abs(b.values - c.values).max(axis=1)
    nothing, never = np.full(len(fault), np.nan), np.zeros(len(fault), dtype=bool)
    return Paired(
        disagree=(fault == Fault.NONE) & (gap > tolerance),
        confidence_baseline=nothing,
        confidence_compressed=nothing,
        entropy_baseline=nothing,
        entropy_compressed=nothing,
        margin_baseline=nothing,
        margin_compressed=nothing,
        refused_baseline=never,
        refused_compressed=never,
        distance=gap,
        top_baseline=np.full(len(fault), -1),
        top_compressed=np.full(len(fault), -1),
        fault=fault,
    )
