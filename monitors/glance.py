"""What the gateway must know of a model's answers at once: is each one an answer, how sure is it, is it refused.

A single row of a few classes is read by plain arithmetic, because numpy's calls cost more than the additions; the
figures are those of `compare`, up to rounding.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitors.compare import ROUNDING, Decision, Scale, Score, confidence, entropy, read, refused
from monitors.records import Fault, Role

FEW = 16
"""Probabilities up to which plain arithmetic is the quicker way to read them."""


class Glance(NamedTuple):
    """One entry a row, as plain numbers: the `Fault` code, the largest probability, the entropy over its maximum, and
    whether the rule refuses it. A regression has neither confidence nor uncertainty: both are empty.
    """

    fault: Sequence[int]
    confidence: Sequence[float]
    uncertainty: Sequence[float]
    refused: Sequence[bool]


def glance(output: NDArray[np.generic], decision: Decision, role: Role) -> Glance:
    """Look at a decision output of shape (n,) or (n, k)."""
    if decision.scale is Scale.PROBABILITIES:
        quick = _few(output, decision, role) if output.size <= FEW else None
        if quick is not None:
            return quick
    reading = read(output, decision.scale)
    fault, unsure = reading.fault.tolist(), refused(reading, decision, role).tolist()
    if decision.scale is Scale.REGRESSION:
        return Glance(fault, (), (), unsure)
    most = math.log(reading.values.shape[1])
    uncertainty = (entropy(reading.values) / most).tolist()
    return Glance(fault, confidence(reading.values).tolist(), uncertainty, unsure)


def _few(output: NDArray[np.generic], decision: Decision, role: Role) -> Glance | None:
    """A few rows of probabilities, one by one; None where any is none."""
    confident, uncertain, unsure = [], [], []
    rule = decision.refusal
    for row in output.reshape(len(output), -1).tolist():
        raw = row if len(row) > 1 else [1.0 - row[0], row[0]]
        total = sum(raw)
        # NaN fails a comparison, and so it does here.
        if not (min(raw) >= -ROUNDING and max(raw) <= 1 + ROUNDING and -ROUNDING <= total - 1.0 <= ROUNDING):
            return None
        if min(raw) < 0.0:
            raw = [max(p, 0.0) for p in raw]
            total = sum(raw)
        top, spread = max(raw) / total, 0.0
        for p in raw:
            if p > 0.0:
                spread -= p / total * math.log(p / total)
        confident.append(top)
        uncertain.append(spread / math.log(len(raw)))
        unsure.append(rule is not None and rule.refuses(_score(rule.score, raw, total, spread), role))
    return Glance([int(Fault.NONE)] * len(unsure), confident, uncertain, unsure)


def _score(score: Score, raw: list[float], total: float, spread: float) -> float:
    if score is Score.MAX_PROBABILITY:
        return max(raw) / total
    return spread if score is Score.ENTROPY else (max(raw) - sorted(raw)[-2]) / total
