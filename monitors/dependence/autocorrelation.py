"""The lag-1 autocorrelation of rows."""

from dataclasses import dataclass

import numpy as np

from tightrope.monitors.records import Floats


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """Running sums for the lag-1 autocorrelation of rows: pairs seen, sum of y, sum of products, and the last y.

    >>> Autocorrelation(pairs=100, total=50.0, products=25.0).correlation
    0.0
    """

    pairs: int = 0
    total: float = 0.0
    products: float = 0.0
    last: float = 0.0

    def after(self, y: Floats) -> "Autocorrelation":
        """Return the sums after more rows (n,)."""
        if not len(y):
            return self
        before = np.concatenate([[self.last], y[:-1]])
        return Autocorrelation(
            self.pairs + len(y), self.total + float(y.sum()), self.products + float(before @ y), float(y[-1])
        )

    @property
    def correlation(self) -> float | None:
        """Lag-1 autocorrelation of a 0/1 quantity, or None while it has no variance."""
        mean = self.total / self.pairs if self.pairs else 0.0
        spread = mean - mean**2
        return (self.products / self.pairs - mean**2) / spread if spread > 0 else None
