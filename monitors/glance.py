"""What the gateway must know of a model's answers at once: is each one an answer, how sure is it, is it refused.

A single row of a few classes is read by plain arithmetic, because numpy's calls cost more than the additions; the
figures are those of `compare`, up to rounding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitors.compare import ROUNDING, Decision, Scale, Score, confidence, entropy, read, refused
from monitors.records import Fault, Role

FEW = 16
"""Classes up to which plain arithmetic is the quicker way to read a row."""


@dataclass(frozen=True, slots=True)
class Glance:
    """One entry a row, as plain numbers: the `Fault` code, the largest probability, the entropy over its maximum, and
    whether the rule refuses it. A regression has neither confidence nor uncertainty: both are empty.
    """

    fault: Sequence[int]
    confidence: Sequence[float]
    uncertainty: Sequence[float]
    refused: Sequence[bool]


def glance(output: NDArray[np.generic], decision: Decision, role: Role) -> Glance:
    """Look at a decision output of shape (n,) or (n, k)."""
    if decision.scale is Scale.PROBABILITIES and len(output) == 1 and output.size <= FEW:
        single = _single(output.ravel().tolist(), decision, role)
        if single is not None:
            return single
    reading = read(output, decision.scale)
    fault, unsure = reading.fault.tolist(), refused(reading, decision, role).tolist()
    if decision.scale is Scale.REGRESSION:
        return Glance(fault, (), (), unsure)
    most = math.log(reading.values.shape[1])
    uncertainty = (entropy(reading.values) / most).tolist()
    return Glance(fault, confidence(reading.values).tolist(), uncertainty, unsure)


def _single(row: list[float], decision: Decision, role: Role) -> Glance | None:
    """One row of probabilities; None where it is none."""
    raw = row if len(row) > 1 else [1.0 - row[0], row[0]]
    # NaN fails a comparison, and so it does here.
    if not (min(raw) >= -ROUNDING and max(raw) <= 1 + ROUNDING and abs(sum(raw) - 1.0) <= ROUNDING):
        return None
    kept = [max(p, 0.0) for p in raw]
    total = sum(kept)
    values = [p / total for p in kept]
    top, spread = max(values), abs(sum(p * math.log(p) for p in values if p > 0.0))
    unsure = decision.refusal is not None and bool(
        decision.refusal.applies(np.array([_score(decision.refusal.score, values, top, spread)]), role)[0]
    )
    return Glance((int(Fault.NONE),), (top,), (spread / math.log(len(values)),), (unsure,))


def _score(score: Score, values: list[float], top: float, spread: float) -> float:
    if score is Score.MAX_PROBABILITY:
        return top
    return spread if score is Score.ENTROPY else top - sorted(values)[-2]
