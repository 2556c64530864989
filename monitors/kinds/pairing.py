"""Readings of a kind as the gateway and the worker use them: read safely, their refusals, and the paired columns."""

from collections.abc import Mapping, Sequence

import numpy as np

from tightrope.monitors.compare import PairedOutputs, Refusal, Score
from tightrope.monitors.kinds.seam import NO_CLASS, Compared, DecisionKind, KindReading
from tightrope.monitors.records import Bools, Fault, Ints, Role, Tensors, stacked

SCORES: Mapping[Score, str] = {
    Score.MAX_PROBABILITY: "confidence",
    Score.MARGIN: "margin",
    Score.ENTROPY: "entropy",
}
"""The numbers of a reading that a refusal rule compares with its threshold."""


def read_safely(kind: DecisionKind, outputs: Tensors, inputs: Tensors, role: Role, rows: int) -> KindReading:
    """Read outputs; an exception in a kind's code, and a reading of another length, are a fault of every row."""
    try:
        reading = kind.read(outputs, inputs, role, rows)
    except Exception:  # noqa: BLE001 - trouble of a kind is never trouble of serving
        return KindReading.failed(rows, Fault.UNREADABLE)
    return reading if len(reading) == rows else KindReading.failed(rows, Fault.UNREADABLE)


def refused_rows(reading: KindReading, refusal: Refusal | None, role: Role) -> Bools:
    """Mask the rows that the role refuses, (n,); a row without the score is not refused."""
    if refusal is None:
        return np.zeros(len(reading), dtype=bool)
    return refusal.applies(getattr(reading, SCORES[refusal.score]), role)


def pair_kind_readings(
    kind: DecisionKind, baseline: KindReading, compressed: KindReading, refusal: Refusal | None
) -> PairedOutputs:
    """Pair two readings of the same n rows. Readings of different layout cannot be compared: every row is a fault."""
    compared = _compare(kind, baseline, compressed)
    fault = compared.fault
    is_sound = fault == Fault.NONE
    return PairedOutputs(
        disagree=is_sound & (np.nan_to_num(compared.loss) > 0),
        confidence_baseline=np.where(is_sound, baseline.confidence, np.nan),
        confidence_compressed=np.where(is_sound, compressed.confidence, np.nan),
        entropy_baseline=np.where(is_sound, baseline.entropy, np.nan),
        entropy_compressed=np.where(is_sound, compressed.entropy, np.nan),
        margin_baseline=np.where(is_sound, baseline.margin, np.nan),
        margin_compressed=np.where(is_sound, compressed.margin, np.nan),
        refused_baseline=refused_rows(baseline, refusal, Role.BASELINE),
        refused_compressed=refused_rows(compressed, refusal, Role.COMPRESSED),
        distance=compared.distance,
        top_baseline=np.where(is_sound, baseline.top, NO_CLASS),
        top_compressed=np.where(is_sound, compressed.top, NO_CLASS),
        fault=fault,
        loss=compared.loss,
        missed=compared.missed,
        gained=compared.gained,
        mix=compared.mix,
        bias=compared.bias,
    )


def _compare(kind: DecisionKind, baseline: KindReading, compressed: KindReading) -> Compared:
    """Compare two readings; where the kind's code fails, every row is a fault."""
    fault = np.maximum(baseline.fault, compressed.fault)
    if not (fault == Fault.NONE).any():
        return Compared.failed(fault)
    try:
        compared = kind.compare(baseline, compressed)
    except Exception:  # noqa: BLE001 - trouble of a kind is told as a fault of the rows
        return Compared.failed(np.full(len(fault), Fault.UNREADABLE, np.int8))
    return compared if len(compared.fault) == len(fault) else Compared.failed(fault)


def join_pairs(parts: Sequence[tuple[Ints, PairedOutputs]], rows: int) -> PairedOutputs:
    """Put the paired outputs of parts of n rows, each with the indices of its rows, in order."""
    order = np.argsort(np.concatenate([index for index, _ in parts]), kind="stable")
    if len(order) != rows:
        raise ValueError(f"{len(order)} rows are paired of {rows}")
    columns = [pair.columns() for _, pair in parts]
    joined = {name: stacked([column[name] for column in columns])[order] for name in columns[0]}
    return PairedOutputs(**joined)
