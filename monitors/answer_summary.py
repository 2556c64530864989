"""Summarize a model's answers for the gateway: faults, confidence, uncertainty and refusals of each row.

A single row with few classes is read with plain arithmetic, because numpy's calls cost more than the additions; the
numbers equal those of `compare` up to rounding.
"""

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.compare import ROUNDING, Decision, Scale, Score, confidence, entropy, read_output, refusal_mask
from tightrope.monitors.records import Fault, Role

SMALL_OUTPUT_SIZE = 16
"""The number of probabilities up to which plain arithmetic is faster than numpy."""


class AnswerSummary(NamedTuple):
    """One entry per row, as plain numbers: `Fault` code, largest probability, normalized entropy, refusal.

    ``uncertainty`` is the entropy over its maximum, in [0, 1]. For a regression, ``confidence`` and ``uncertainty``
    are empty. A row with a fault is as uncertain as can be, and not refused.

    >>> summarize(np.array([[0.5, 0.5]]), Decision(Scale.PROBABILITIES), Role.COMPRESSED)
    AnswerSummary(fault=[0], confidence=[0.5], uncertainty=[1.0], refused=[False])
    """

    fault: Sequence[int]
    confidence: Sequence[float]
    uncertainty: Sequence[float]
    refused: Sequence[bool]


def summarize(output: NDArray[np.generic], decision: Decision, role: Role) -> AnswerSummary:
    """Summarize a decision output of shape (n,) or (n, k)."""
    scale = decision.scales[role]
    if scale is Scale.PROBABILITIES and output.size <= SMALL_OUTPUT_SIZE:
        summary = _summarize_few_rows(output, decision, role)
        if summary is not None:
            return summary
    reading = read_output(output, scale)
    fault, refused = reading.fault.tolist(), refusal_mask(reading, decision, role).tolist()
    if scale is Scale.REGRESSION:
        return AnswerSummary(fault, (), (), refused)
    confident, uncertain = confidence(reading.values), entropy(reading.values) / math.log(reading.values.shape[1])
    if any(fault):
        unsound = reading.fault != Fault.NONE
        confident[unsound], uncertain[unsound] = 0.0, 1.0
    return AnswerSummary(fault, confident.tolist(), uncertain.tolist(), refused)


def _summarize_few_rows(output: NDArray[np.generic], decision: Decision, role: Role) -> AnswerSummary | None:
    """Summarize probabilities row by row; None if a row holds anything else."""
    confident, uncertain, refused = [], [], []
    rule, rows = decision.refusal, output.tolist()
    if output.ndim <= 1 or output.shape[1] == 1:
        rows = [[1.0 - p, p] for p in output.ravel().tolist()]
    for row in rows:
        least, most, total = min(row), max(row), sum(row)
        # NaN fails every comparison, so a row that holds it is left to `compare` too.
        if not (least >= -ROUNDING and most <= 1 + ROUNDING and -ROUNDING <= total - 1.0 <= ROUNDING):
            return None
        positive = row
        if least <= 0.0:  # 0 log 0 is 0
            positive = [p for p in row if p > 0.0]
            total = sum(positive)
        spread = abs(math.log(total) - sum(map(mul, positive, map(math.log, positive))) / total)
        confident.append(most / total)
        uncertain.append(spread / math.log(len(row)))
        if rule is None:
            refused.append(False)
        elif rule.score is Score.ENTROPY:
            refused.append(spread > rule.thresholds[role])
        else:
            second = 0.0 if rule.score is Score.MAX_PROBABILITY else max(sorted(row)[-2], 0.0)
            refused.append((most - second) / total < rule.thresholds[role])
    return AnswerSummary([0] * len(rows), confident, uncertain, refused)
