"""How near the baseline's answer to a row is to another one: where a good compressed model differs, if anywhere.

By the margin between its two likeliest classes where it has one, by the least distance of a label's probability from
its threshold, by the distance of a number from the next edge of a band, or else by its confidence. A number that is
compared by a tolerance, and a label without a score, are near to no other answer more than elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.kinds.multilabel import MultilabelKind
from tightrope.monitors.kinds.regression import RegressionKind
from tightrope.monitors.kinds.rows import column
from tightrope.monitors.kinds.seam import DecisionKind, KindReading
from tightrope.monitors.records import Comparisons, Floats, Role

NO_MARGINS = "the decision has neither a margin nor a confidence"


@dataclass(frozen=True, slots=True)
class DecisionMargins:
    """The ``values`` of n rows, (n,), by which they are ordered, and their name in a sentence.

    >>> DecisionMargins("margin", np.array([0.1, 0.8])).name
    'margin'
    """

    name: str
    values: Floats


def margins_of(
    kind: DecisionKind | None, rows: Comparisons, baseline: Sequence[KindReading] = ()
) -> DecisionMargins | str:
    """The margins of n compared rows, with the baseline's readings of them where a kind reads; or why there are
    none.
    """
    if isinstance(kind, MultilabelKind) and baseline:
        return DecisionMargins("distance from a threshold", _joined(baseline, "p", kind.thresholds[Role.BASELINE]))
    if isinstance(kind, RegressionKind) and kind.loss == "bands" and baseline:
        return DecisionMargins("distance from an edge", _joined(baseline, "value", kind.edges[:, None, None]))
    for name, found in (("margin", rows.margin_baseline), ("confidence", rows.confidence_baseline)):
        if len(found) and np.isfinite(found).all():
            return DecisionMargins(name, found)
    return NO_MARGINS


def _joined(readings: Sequence[KindReading], name: str, bounds: Floats) -> Floats:
    """The least distance of each row's values (n, k) from bounds that spread over (n, k), (n,)."""
    distances = [np.abs(column(each, name) - bounds) for each in readings]
    rows = [np.moveaxis(each, -2, 0).reshape(each.shape[-2], -1).min(axis=1) for each in distances]
    return np.concatenate(rows)
