"""The likeness of a model's first rows to the rows shortly before them: a sign of dependence before losses can show it.

How it works. Losses are rare, so the Allan variance needs thousands of rows to see bursts, and the first burst of
losses alarms before that. Both models are functions of their inputs: rows that are lost together have inputs that
resemble each other, and the baseline's confidence shows it on every row. Its ranks over the first n rows, centred, have
the autocorrelation r at lag l, and of independent rows z = r sqrt(n - l) has mean 0 and variance 1. With the largest
square of a rank, as a multiple b of the mean one, the score

    z / sqrt(1 + b z / (3 sqrt(n - l)))

is above 5 with a probability of about exp(-12.5) at most, by Bernstein's inequality for martingales. Bursts of one
caller raise it at lag 1, callers in turn at the lag of their number; callers at random hardly do. After the first rows
nothing more is looked at: by then the losses speak for themselves.

It is a sign, not a proof: inputs that resemble each other may be lost independently, and callers who take turns and
merely differ resemble themselves. So its warning ends after fewer quiet rows than that of the losses.
"""

from dataclasses import dataclass, field

import numpy as np

from tightrope.monitors.records import Floats

EARLY_ROWS, LOOK_ROWS = 1024, 64
"""The rows that are looked at, and the rows between two looks."""

MAX_LAG = 64
"""The largest lag that is looked at; at most half of the rows."""

MIN_LIKENESS = 5.0
"""The score above which rows resemble each other: of independent ones none did, in 800 simulated models."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """The baseline's ``confidence`` on the first rows, (n,), up to `EARLY_ROWS`; none once they are ``known``.

    >>> Likeness().add(np.tile([0.5, 0.6, 0.7, 0.8], 16)).lag
    4
    """

    confidence: Floats = field(default_factory=lambda: np.zeros(0))
    known: bool = False

    @property
    def rows_to_look(self) -> int:
        """The rows until the next look, at least 1; as many as can be once no more follows."""
        return 2**62 if self.known else LOOK_ROWS - len(self.confidence) % LOOK_ROWS

    def next_looks(self, rows: int) -> slice:
        """The indices of the next rows, of a number of them, after which the first rows are looked at."""
        end = 0 if self.known else min(rows, EARLY_ROWS - len(self.confidence))
        return slice(LOOK_ROWS - 1 - len(self.confidence) % LOOK_ROWS, end, LOOK_ROWS)

    def add(self, confidence: Floats) -> "Likeness":
        """Add rows, (n,), in order; of a kind without a confidence nothing is ever known."""
        if self.known:
            return self
        return Likeness(known=True) if np.isnan(confidence).any() else Likeness(np.append(self.confidence, confidence))

    @property
    def is_at_look(self) -> bool:
        """Whether the rows so far are looked at now."""
        return not self.known and len(self.confidence) > 0 and len(self.confidence) % LOOK_ROWS == 0

    def looked(self, lag: int) -> "Likeness":
        """The likeness after a look that showed a ``lag``: nothing more is looked at once it showed something, or after
        the first rows.
        """
        return Likeness(known=True) if lag or len(self.confidence) >= EARLY_ROWS else self

    @property
    def lag(self) -> int:
        """The lag at which rows resemble earlier ones most, where they do; 0 where they do not."""
        scores = lag_scores(self.confidence)
        return 1 + int(scores.argmax()) if scores.max(initial=0.0) > MIN_LIKENESS else 0


def lag_scores(values: Floats) -> Floats:
    """The scores of n values at the lags 1, 2 … up to `MAX_LAG` and half of n; none where all are equal."""
    n = len(values)
    _, index, count = np.unique(values, return_inverse=True, return_counts=True)
    if len(count) <= 1:
        return np.zeros(0)
    ranks = (np.cumsum(count) - (count + n) / 2)[index]  # the mean of equal values' ranks, centred
    lags = np.arange(1, min(MAX_LAG, n // 2) + 1)
    # halves of whole numbers: their sums are exact in any order
    products = np.correlate(np.append(ranks, np.zeros(len(lags))), ranks, "valid")[1:]
    square = float(ranks @ ranks) / n
    z = products / square / np.sqrt(n - lags)
    heaviest = float((ranks**2).max()) / square
    return np.asarray(z / np.sqrt(1 + heaviest * np.maximum(z, 0.0) / (3 * np.sqrt(n - lags))))
