"""The interface of the methods: their input, their output, and helpers that several of them use."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.records import Floats, Ints


class Cost(StrEnum):
    """The computing cost of a method, which decides its number of repetitions."""

    ARRAYS = "arrays"
    LOOP = "loop"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class CellSpec:
    """The hypothesis of one cell: a rate of at most ``limit``, or a mean in [-limit, limit].

    ``healthy`` is a reference sample for the methods that need one, ``window`` the window length of the methods that
    have one, ``share`` the cell's part of the false-alarm budget.
    """

    kind: Hypothesis
    limit: float
    healthy: Floats
    window: int = 1000
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Rows:
    """One cell's rows: values ``y`` (m,) and their ``indices`` (m,) in the stream of ``total`` samples."""

    y: Floats
    indices: Ints
    total: int

    @classmethod
    def whole(cls, y: Floats) -> "Rows":
        """The rows of the cell that has every sample of the stream."""
        return cls(y, np.arange(len(y)), len(y))

    def only(self, rows: slice | Ints) -> "Rows":
        """The cell with only the selected rows."""
        return Rows(self.y[rows], self.indices[rows], self.total)


class Method(Protocol):
    """A method that raises alarms. After an alarm it starts again, as if an operator had reset it."""

    @property
    def name(self) -> str:
        """The name in the tables."""

    @property
    def cost(self) -> Cost:
        """The computing cost."""

    def alarms(self, spec: CellSpec, rows: Rows, stop: int) -> Ints:
        """Indices of the alarms in the stream, ascending; those after the first at ``stop`` or later may be omitted."""


def until_stop(alarms: Ints, stop: int) -> Ints:
    """The alarms up to and including the first at ``stop`` or later."""
    return alarms[: int(np.searchsorted(alarms, stop)) + 1]


def first_spaced(candidates: Ints, gap: int) -> Ints:
    """From ascending candidates, the first, then always the next that is at least ``gap`` after the last one kept."""
    kept: list[int] = []
    index = 0
    while index < len(candidates):
        kept.append(int(candidates[index]))
        index = int(np.searchsorted(candidates, kept[-1] + gap))
    return np.array(kept, dtype=np.int64)
