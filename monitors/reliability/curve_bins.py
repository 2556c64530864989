"""The bins of confidence of reliability curves and of the calibration monitor, fixed before traffic.

How it works. The edges at the model are quintiles of the baseline's confidence on the golden rows: each bin then has a
fifth of the rows of a model that is as sure as its baseline, for two classes as for many. Equal edges are merged,
and a bin with less than a twentieth of the golden rows joins a neighbour. Subgroups have few labels, and two bins.
"""

from dataclasses import dataclass

import numpy as np

from tightrope.monitors.observations import TENTHS, bin_names, bin_of
from tightrope.monitors.records import Floats, Ints

QUINTILES = (0.2, 0.4, 0.6, 0.8)

EDGE_DIGITS = 3
"""Digits of an edge: processors differ in the last digits of a confidence, and all judges need the same edges."""

LEAST_BIN_SHARE = 0.05
"""The share of the golden rows below which a bin joins a neighbour."""

FEWEST_GOLDEN_ROWS = 100
"""Golden rows below which a twentieth of them says nothing."""

DEFAULT_MIDDLE = 0.75
"""The edge of subgroups without golden rows: the middle of the confidences that a decision between two can have."""

CURVE_ROLES = 2
"""The curves of a scope: one of each model."""


def golden_edges(confidence: Floats) -> tuple[float, ...]:
    """The inner edges of the model's bins, from the baseline's confidence on golden rows (n,).

    >>> golden_edges(np.linspace(0.5, 1.0, 1001))
    (0.6, 0.7, 0.8, 0.9)
    >>> golden_edges(np.repeat([0.7, 1.0], [100, 900]))
    (1.0,)
    """
    quantiles = np.unique(np.quantile(confidence, QUINTILES, method="inverted_cdf").round(EDGE_DIGITS))
    edges: list[float] = quantiles.tolist()
    while edges:
        rows = np.bincount(bin_of(confidence, edges), minlength=len(edges) + 1)
        smallest = int(rows.argmin())
        if rows[smallest] >= LEAST_BIN_SHARE * len(confidence):
            break
        joins_below = smallest == len(edges) or (smallest > 0 and rows[smallest - 1] < rows[smallest + 1])
        del edges[smallest - 1 if joins_below else smallest]
    return tuple(edges)


@dataclass(frozen=True, slots=True)
class CurveBins:
    """The inner edges of the bins of the model as a whole, and of each subgroup; ``golden`` tells whether the golden
    rows chose them. Without these they are tenths, and one edge for subgroups.

    The cells of S scopes follow each other: of each scope the difference of both models, then the bins of the baseline
    and those of the compressed model.

    >>> CurveBins().cells(3)
    31
    """

    model: tuple[float, ...] = TENTHS
    subgroups: tuple[float, ...] = (DEFAULT_MIDDLE,)
    golden: bool = False

    @classmethod
    def from_golden(cls, confidence: Floats) -> "CurveBins":
        """Choose them from the baseline's confidence on golden rows (n,), NaN where a row has none."""
        known = confidence[np.isfinite(confidence)]
        if len(known) < FEWEST_GOLDEN_ROWS:
            return cls()
        middle = float(np.quantile(known, 0.5, method="inverted_cdf").round(EDGE_DIGITS))
        return cls(golden_edges(known), (middle,), golden=True)

    def edges(self, scope: int) -> tuple[float, ...]:
        """The inner edges of a scope by its index; the model is the first."""
        return self.subgroups if scope else self.model

    def names(self, scope: int) -> tuple[str, ...]:
        """The names of the bins of a scope by its index."""
        return bin_names(self.edges(scope))

    def first_cell(self, scope: int) -> int:
        """The index of the first cell of a scope."""
        own, others = (1 + CURVE_ROLES * (len(edges) + 1) for edges in (self.model, self.subgroups))
        return own + (scope - 1) * others if scope else 0

    def cells(self, scopes: int) -> int:
        """The number of cells of S scopes."""
        return self.first_cell(scopes)

    def cells_of(self, baseline: Floats, compressed: Floats, scopes: int) -> Ints:
        """The three cells of rows in each scope, (n, S, 3), from both confidences (n,)."""
        first = np.array([self.first_cell(scope) for scope in range(scopes)])
        cells = np.repeat(np.broadcast_to(first, (len(baseline), scopes))[:, :, None], 1 + CURVE_ROLES, axis=2)
        for own, edges in ((slice(0, 1), self.model), (slice(1, None), self.subgroups)):
            cells[:, own, 1] += 1 + bin_of(baseline, edges)[:, None]
            cells[:, own, 2] += 2 + len(edges) + bin_of(compressed, edges)[:, None]
        return cells
