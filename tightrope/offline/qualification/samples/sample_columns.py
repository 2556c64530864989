"""The kept rows that are a random sample of a scope, and the labels that are one of its rows.

How it works. A floor keeps more requests of a subgroup than of all traffic, so the kept rows are no sample of it. The
draw that kept a request is a uniform number which depends on nothing in the request. So the rows whose draw lies below
the rate of all requests are a random sample of all rows, and those of a subgroup whose draw lies below its own rate one
of that subgroup: each cell takes these, and its binomial is exact. Where a rate changed within the period, the least
one counts. Labels count likewise: of those that were drawn for a label, the random sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.records import Bools, Floats, Ints
from tightrope.monitors.veto.drawing import label_numbers
from tightrope.offline.qualification.samples.kept_rows import KeptRow


@dataclass(frozen=True, slots=True)
class SampleColumns:
    """The columns of n rows; ``rates`` (S,) are the least rates of the period, the model first."""

    time: Floats
    draw: Floats
    label: Ints
    label_probability: Floats
    rates: Floats

    @classmethod
    def of(cls, rows: Sequence[KeptRow], scopes: Sequence[str]) -> "SampleColumns":
        """The columns of these rows. A scope that was not declared then was kept at the rate of all requests."""
        headers = {id(row.header): row.header for row in rows}.values()
        rates = [dict(zip((scopes[0], *header.scopes), header.rates, strict=True)) for header in headers]
        least = [min(rate.get(scope, rate[scopes[0]]) for rate in rates) for scope in scopes]
        names = ("time", "draw", "label", "label_probability")
        return cls(**{name: np.array([row.record[name] for row in rows]) for name in names}, rates=np.array(least))

    def drawn(self) -> Bools:
        """The rows that were drawn for each scope, (n, S)."""
        return np.asarray(self.draw[:, None] < self.rates)

    def counted_labels(self, random: float) -> Ints:
        """The labels that a sample of all rows has, (n,), -1 for others: those that came without a draw, and those of
        the random draw. Labels that were drawn because the models disagree say nothing of the rows that agree.
        """
        drawn = (self.label >= 0) & (self.label_probability > 0)
        least = min([random, *self.label_probability[drawn].tolist()])
        counted = (self.label >= 0) & (~drawn | (label_numbers(self.draw) < least))
        return np.where(counted, self.label, -1)
