"""The beginning of a change, estimated from counts at checkpoints after an alarm, with a 95 % confidence set.

How it works. R(s, t) is the evidence that the rate lies above its limit in (s, t]: the mixture of the detector's own
alternatives. D(s, t) is the evidence that it lies below. The estimate is the checkpoint s with the largest R up to the
alarm, which is the largest part of the detector's mass. The set holds each s for which no stretch that ends at s is
already over the limit, and none that begins at s is still under it, both at 1 in 40. The first needs steps that are
independent before the change; given an alarm after s, each fails with a probability of at most 1 / 40 / (1 - c s / A).

Source: Saha, Ramdas, "Post-detection inference for sequential changepoint localization" (arXiv 2502.06096).
"""

import numpy as np

from tightrope.monitors.detector import Bernoulli
from tightrope.monitors.records import Floats

DOUBT_NATS = float(np.log(40.0))
"""The evidence that excludes a checkpoint from the set, on either side."""


def evidence_since(steps: Floats, total: Floats, limit: float) -> Floats:
    """R(s, T) of every checkpoint before the last, (P - 1,), from steps and sums up to each checkpoint (P,)."""
    above = Bernoulli.above(limit)
    return above.evidence(above.log_e((steps[-1] - steps)[:-1], (total[-1] - total)[:-1]))


def locate(steps: Floats, total: Floats, limit: float) -> tuple[int, int, int]:
    """Estimate where a rate went over its limit: the checkpoint, and the first and last of its 95 % set.

    ``steps`` and ``total`` (P,), P > 1, are the counts and sums up to each checkpoint; the last one is the alarm.

    >>> ones = np.array([1, 0, 1, 1, 0, 2, 1, 0, 5, 6, 4, 7, 6, 5])
    >>> locate(64.0 * np.arange(15), np.append(0.0, ones.cumsum()), 0.02)
    (8, 0, 9)
    """
    above, below = Bernoulli.above(limit), Bernoulli.below(limit)
    n, k = (values[None, :] - values[:, None] for values in (steps, total))  # from s (rows) to t (columns)
    later = np.triu(np.ones(n.shape, dtype=bool), 1)
    harmed_before = (later & (above.evidence(above.log_e(n, k)) >= DOUBT_NATS)).any(axis=0)
    sound_after = (later & (below.evidence(below.log_e(n, k)) >= DOUBT_NATS)).any(axis=1)
    estimate = int(evidence_since(steps, total, limit).argmax())
    possible = np.flatnonzero(~np.asarray(harmed_before | sound_after)[:-1])
    if not len(possible):
        return estimate, estimate, estimate
    return estimate, int(possible[0]), int(possible[-1])
