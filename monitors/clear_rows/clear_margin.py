"""The margin above which the baseline is clear about a row, and the disagreement of such rows.

How it works. A good compressed model differs only where its baseline hesitates. The margin is how far the baseline's
two largest probabilities lie apart; a row is clear above the 10 % quantile of all margins. The quantile is fixed before
the rows that it judges: by the plan, or from the first compared rows, which it does not judge.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Self

import numpy as np

from tightrope.monitors import observations
from tightrope.monitors.observations import Observed
from tightrope.monitors.records import Bools, Comparisons, Fault, Floats

CLEAR_QUANTILE = 0.1
"""The share of rows with the smallest margins of the baseline, which are not clear."""

MARGIN_ROWS = 1_000
"""Compared rows from which the margin is learned: the share of rows below it is then 8 to 12 %, in 19 of 20 cases."""

LEAST_GAP = 1e-9
"""The distance below the quantile where no margin lies above it: of a baseline that is nearly always sure, all rows
with the largest margin are clear.
"""

RowValues = tuple[Bools, Floats]
"""The rows that count, (n,), and their values, (n,)."""


def clear_margin(margin: Floats) -> float | None:
    """The margin of the baseline above which a row is clear, from the margins (n,) of all rows; None if none is known.

    >>> clear_margin(np.array([0.1, 0.5, 0.9])), clear_margin(np.array([np.nan]))
    (0.18, None)
    """
    known = finite_margins(margin)
    if not len(known):
        return None
    least = round(float(np.quantile(known, CLEAR_QUANTILE)), 12)
    return least if (known > least).any() else max(least - LEAST_GAP, 0.0)


def clear_losses(rows: Comparisons, margin: float) -> RowValues:
    """The disagreement of the rows in which the baseline's two largest probabilities lie further apart."""
    with np.errstate(invalid="ignore"):
        clear = (rows.fault == Fault.NONE) & (rows.margin_baseline > margin)
    return np.asarray(clear), observations.losses(rows)


@dataclass(frozen=True, slots=True)
class ClearDisagreement:
    """The observation of clear rows; without a ``margin``, which is then still to be learned, no row counts.

    >>> rows = Comparisons.from_columns(2, margin_baseline=[0.1, 0.9], disagree=True)
    >>> ClearDisagreement(0.18)(rows, 1)[0].tolist(), ClearDisagreement()(rows, 1)[0].tolist()
    ([[False], [True]], [[False], [False]])
    """

    margin: float | None = None

    def __call__(self, rows: Comparisons, _: int) -> Observed:
        """The rows that count, and their values, both (n, 1)."""
        counts, y = clear_losses(rows, np.inf if self.margin is None else self.margin)
        return counts[:, None], y[:, None]


@dataclass(frozen=True, slots=True)
class LearnedMargin:
    """The margin that the first compared rows fix: ``margins`` (n,) are those so far, kept until there are enough.

    >>> LearnedMargin().after([np.linspace(0, 1, 999)]).margin, LearnedMargin().after([np.linspace(0, 1, 1001)]).margin
    (None, 0.1)
    """

    margin: float | None = None
    margins: Floats = field(default_factory=lambda: np.zeros(0))

    def after(self, ticks: Sequence[Floats]) -> Self:
        """Add the margins of the rows of some ticks, up to the one that fixes it."""
        upto = self.fixed_by(ticks)
        margins = np.concatenate(
            [self.margins, *(finite_margins(each) for each in ticks[: None if upto is None else upto + 1])]
        )
        if upto is None:
            return replace(self, margins=margins)
        return replace(self, margin=clear_margin(margins), margins=np.zeros(0))

    def fixed_by(self, ticks: Sequence[Floats]) -> int | None:
        """The index of the tick whose rows fix the margin; None if the margin stays unknown."""
        counts = len(self.margins) + np.cumsum([len(finite_margins(each)) for each in ticks])
        enough = counts >= MARGIN_ROWS
        return int(enough.argmax()) if enough.any() else None


def margins_of_ticks(margin: Floats, counted: Bools, sizes: Sequence[int]) -> list[Floats]:
    """The margins of the counted rows of each tick, from those of all rows, (n,), and the ticks' ``sizes``."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [margin[begin:end][counted[begin:end]] for begin, end in pairwise(ends)]


def finite_margins(margin: Floats) -> Floats:
    """The margins that are known."""
    return margin[np.isfinite(margin)]
