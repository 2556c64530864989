"""What the gateway must know of a model's answers at once: is each one an answer, how sure is it, is it refused.

A single row of a few classes is read by plain arithmetic, because numpy's calls cost more than the additions; the
figures are those of `compare`, up to rounding.
"""

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.compare import MATRIX, ROUNDING, Decision, Scale, Score, confidence, entropy, read, refused
from tightrope.monitors.records import Role

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
    rule, rows = decision.refusal, output.tolist()
    if output.ndim < MATRIX or output.shape[1] == 1:
        rows = [[1.0 - p, p] for p in output.ravel().tolist()]
    for row in rows:
        least, most, total = min(row), max(row), sum(row)
        # NaN fails a comparison, and so it does here.
        if not (least >= -ROUNDING and most <= 1 + ROUNDING and -ROUNDING <= total - 1.0 <= ROUNDING):
            return None
        some = row
        if least <= 0.0:  # 0 log 0 is 0
            some = [p for p in row if p > 0.0]
            total = sum(some)
        spread = abs(math.log(total) - sum(map(mul, some, map(math.log, some))) / total)
        confident.append(most / total)
        uncertain.append(spread / math.log(len(row)))
        if rule is None:
            unsure.append(False)
        elif rule.score is Score.ENTROPY:
            unsure.append(spread > rule.thresholds[role])
        else:
            next_ = 0.0 if rule.score is Score.MAX_PROBABILITY else max(sorted(row)[-2], 0.0)
            unsure.append((most - next_) / total < rule.thresholds[role])
    return Glance([0] * len(rows), confident, uncertain, unsure)
