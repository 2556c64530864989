"""Membership: how well a model's loss tells the rows that it was trained on from others.

How it works. A model that answers the rows of its training with a smaller loss than others gives away who was among
them (Yeom et al., CSF 2018). A threshold of the loss is chosen on one part of the rows and judged on the other: the
advantage is the share of members at or below it, less that of other rows. Compression may add to it. The
gain, the compressed model's advantage less the baseline's, is the mean of a member's value less another row's, each in
{-1, 0, 1}; pairing rows at random makes independent observations in [-2, 2] with that mean.
"""

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.evidence import CellEvidence, weigh
from tightrope.monitors.qualification.more_rows import rows_needed
from tightrope.monitors.records import Bools, Floats
from tightrope.monitors.thresholds import rate_bounds

LARGEST_DIFFERENCE = 2


class Advantage(msgspec.Struct, frozen=True):
    """The share of ``members`` at or below the threshold, that of ``others``, and their difference with its bounds,
    each at alpha: of two exact bounds at alpha / 2.

    >>> Advantage(members=0.6, others=0.45, seen=0.15, lower=-0.06, upper=0.35).seen
    0.15
    """

    members: float
    others: float
    seen: float
    lower: float
    upper: float


def loss_of(probability: Floats) -> Floats:
    """The loss of a row whose true class has a probability, (n,) to (n,), infinite for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(-np.log(probability))


def best_threshold(members: Floats, others: Floats) -> float:
    """The loss at which the share of ``members`` (n,) at or below it exceeds that of ``others`` (m,) the most; the
    smallest one of several, and minus infinity where none does.

    >>> best_threshold(np.array([0.1, 0.2, 0.9]), np.array([0.3, 0.8]))
    0.2
    """
    losses = np.unique(np.concatenate([members, others]))
    below = [np.searchsorted(np.sort(each), losses, side="right") / max(len(each), 1) for each in (members, others)]
    gains = below[0] - below[1]
    return float(losses[np.argmax(gains)]) if len(gains) and gains.max() > 0 else -np.inf


def advantage_of(members: Bools, others: Bools, alpha: float) -> Advantage:
    """The advantage of a threshold by masks of the rows at or below it, (n,) and (m,).

    >>> found = advantage_of(np.arange(100) < 60, np.arange(100) < 45, 0.05)
    >>> round(found.seen, 12), round(found.lower, 4), round(found.upper, 4)
    (0.15, -0.0555, 0.3464)
    """
    below, others_below = _share_of(members, alpha / 2), _share_of(others, alpha / 2)
    return Advantage(
        members=below[1],
        others=others_below[1],
        seen=below[1] - others_below[1],
        lower=below[0] - others_below[2],
        upper=below[2] - others_below[0],
    )


def _share_of(below: Bools, delta: float) -> tuple[float, float, float]:
    """The lower bound of the true share, the share that was seen, and the upper bound; of no row nothing is known."""
    if not len(below):
        return 0.0, 0.0, 1.0
    lower, upper = rate_bounds(int(below.sum()), len(below), delta)
    return lower, float(below.mean()), upper


def pair_differences(members: Mapping[str, Bools], others: Mapping[str, Bools]) -> Floats:
    """Each member's value less another row's, (min(n, m),) in [-2, 2]; a value is 1 if the compressed model alone has
    the row at or below its threshold, -1 if the baseline alone. The rows of both must be in random order.

    >>> pair_differences({"compressed": np.array([True]), "baseline": np.array([False])},
    ...                  {"compressed": np.array([False]), "baseline": np.array([True])}).tolist()
    [2.0]
    """
    values = [each["compressed"].astype(np.float64) - each["baseline"].astype(np.float64) for each in (members, others)]
    rows = min(map(len, values))
    return np.asarray(values[0][:rows] - values[1][:rows])


def weigh_gain(differences: Floats, limit: float, alpha: float) -> tuple[CellEvidence, float | None]:
    """The evidence about the gain from differences (n,) in [-2, 2], and the pairs of rows that a proof needs."""
    halves = differences / LARGEST_DIFFERENCE
    found = weigh(Hypothesis.UPPER, halves, limit / LARGEST_DIFFERENCE, alpha)
    needed: float | None = 0.0
    if found.p_within > alpha:
        needed = rows_needed(Hypothesis.UPPER, halves, limit / LARGEST_DIFFERENCE, alpha)
    unit = float(LARGEST_DIFFERENCE)
    seen = None if found.seen is None else unit * found.seen
    return replace(found, seen=seen, bound=unit * found.bound, at_least=unit * found.at_least), needed
