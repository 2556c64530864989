"""The plan and the state of the search for undeclared groups in one model's compared rows.

The lattice comes from the plan's reference rows or, without them, from the first compared rows; slices by the
compressed model's answer join it after those.
"""

from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.hunter.columns import InputColumn, Layout
from tightrope.monitors.hunter.evidence import slice_test
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.monitors.hunter.lattice import Lattice, common_slices
from tightrope.monitors.hunter.past_rows import PastRows
from tightrope.monitors.records import Bools, Features, Floats

WindowCounts = NDArray[np.int32]

SEARCHED_MONITOR = "disagreement"
"""The monitor whose observations are searched."""

REFERENCE_ROWS = 5_000
"""Compared rows from which the lattice is built."""

MOST_REFERENCE_VALUES = 120_000
"""Values of columns that are kept for it; of wide inputs fewer rows are taken."""


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """The scope of the search: the input ``columns`` of a row's features, the declared ``scopes``, and the ``limit`` of
    the rate of a slice; ``reference`` is the lattice of the reference rows, without slices by the answer. Where it
    ``arms``, a found group becomes a scope in safe mode. With ``slots`` slices of up to three predicates are chosen
    from the rows so far, beside the lattice.

    >>> SearchPlan((), (), limit=0.1).reference is None
    True
    """

    columns: tuple[InputColumn, ...]
    scopes: tuple[str, ...]
    limit: float
    reference: Lattice | None = None
    arms: bool = False
    slots: bool = True

    @property
    def layout(self) -> Layout:
        """The columns of a row's vector."""
        return Layout(self.columns, self.scopes)

    @property
    def key(self) -> str:
        """A digest of all that evidence depends on; the words of columns are not."""
        columns = [(each.input, each.index, each.searched) for each in self.columns]
        own = (columns, self.scopes, self.limit, *(() if self.slots else ("no slots",)))
        return sha256(repr(own).encode()).hexdigest()[:16]

    @property
    def reference_rows(self) -> int:
        """The compared rows from which the lattice is built."""
        return min(REFERENCE_ROWS, MOST_REFERENCE_VALUES // max(self.layout.declared, 1))


def known_rows(vectors: Floats, plan: SearchPlan) -> Bools:
    """Mask the rows (n, width) from which the lattice can be built, (n,): those that have a value of an input column,
    where there are any.
    """
    inputs = len(plan.columns)
    return np.asarray(np.isfinite(vectors[:, :inputs]).any(axis=1) | (not inputs))


def _empty(*shape: int) -> Floats:
    return np.zeros(shape)


@dataclass(frozen=True, slots=True)
class Search:
    """The state of the search. ``mass`` (K, S); ``waiting`` rows whose seed is due at the end of the window; ``window``
    (S, steps, 2) the rows and units of loss of the open window; ``cohorts`` (2, 2, S) the steps and their losses since
    the latest start of a cohort, and those of the cohort before; ``support`` (S,) the rows since evidence started, of
    ``rows`` of the model; ``excess`` (S,) the logarithm of the evidence since ``onset`` (2, S), the row and time where
    it was last zero; ``row`` and ``time`` are those of the end of the latest tick. ``past`` are the latest rows, from
    which slots are chosen; ``begun`` (S,) is the number of the ``rows`` that came before the support of a slice.

    ``learned`` (n, width + 1) are the first rows, with their losses, until the lattice is built from them; ``found``
    counts all findings and ``findings`` are those that go on.

    >>> Search("k").lattice is None
    True
    """

    key: str
    lattice: Lattice | None = None
    mass: Floats = field(default_factory=lambda: _empty(0, 0))
    waiting: int = 0
    window: WindowCounts = field(default_factory=lambda: _empty(0, 0, 2).astype(np.int32))
    cohorts: Floats = field(default_factory=lambda: _empty(2, 2, 0))
    cohort_rows: int = 0
    support: Floats = field(default_factory=lambda: _empty(0))
    excess: Floats = field(default_factory=lambda: _empty(0))
    onset: Floats = field(default_factory=lambda: _empty(2, 0))
    learned: Features = field(default_factory=lambda: _empty(0, 0).astype(np.float32))
    row: int = 0
    time: float = 0.0
    rows: int = 0
    found: int = 0
    findings: tuple[FoundGroup, ...] = ()
    past: PastRows = field(default_factory=PastRows)
    begun: Floats = field(default_factory=lambda: _empty(0))

    @property
    def is_complete(self) -> bool:
        """Whether the lattice changes no more."""
        return self.lattice is not None and self.lattice.is_complete

    @classmethod
    def fresh(cls, plan: SearchPlan) -> "Search":
        """The state before the first row."""
        empty = cls(plan.key, past=PastRows() if plan.slots else PastRows(next_look=0))
        return empty if plan.reference is None else empty.with_lattice(plan.reference)

    def with_lattice(self, lattice: Lattice) -> "Search":
        """Go on with another lattice; slices that stay keep what they have."""
        size = len(lattice)
        new, kept = (np.zeros(0, np.int64),) * 2 if self.lattice is None else common_slices(lattice, self.lattice)
        mass, cohorts = np.zeros((slice_test(lattice).width, size)), np.zeros((2, 2, size))
        support, begun, excess, onset = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros((2, size))
        if len(kept):
            mass[:, new], cohorts[..., new], support[new] = (
                self.mass[:, kept],
                self.cohorts[..., kept],
                self.support[kept],
            )
            excess[new], onset[:, new], begun[new] = self.excess[kept], self.onset[:, kept], self.begun[kept]
        window = np.zeros((size, self.window.shape[1], 2), np.int32)
        window[new] = self.window[kept]
        return replace(
            self,
            lattice=lattice,
            mass=mass,
            cohorts=cohorts,
            support=support,
            excess=excess,
            onset=onset,
            window=window,
            begun=begun,
        )

    def begin_of(self, row: int, seed: int, time: float) -> tuple[float, float]:
        """The row number and event time before a tick that ends at these and has this number of rows of the stream."""
        return float(self.row or row - seed), self.time or time

    def in_unit(self, steps: int) -> "Search":
        """Go on in a unit of evidence whose windows have this number of steps, 0 without windows. A wider unit starts
        the evidence anew.
        """
        if self.window.shape[1] == steps:
            return self
        window = np.zeros((len(self.support), steps, 2), np.int32)
        return replace(self.anew() if steps else self, window=window, waiting=0)

    def copied(self) -> "Search":
        """Return it with arrays of its own, which ticks may overwrite."""
        copies = {name: getattr(self, name).copy() for name in ("mass", "excess", "onset", "cohorts")}
        return replace(self, **copies)

    def anew(self) -> "Search":
        """Start the evidence of all slices anew; slots are chosen anew as well, from the rows to come."""
        kept = self
        if self.lattice is not None and self.lattice.slots:
            kept = self.with_lattice(self.lattice.with_slots((), 1.0))
        names = ("mass", "support", "begun", "excess", "cohorts", "window")
        cleared = {name: np.zeros_like(getattr(kept, name)) for name in names}
        return replace(kept, cohort_rows=0, rows=0, past=self.past.anew(), **cleared)
