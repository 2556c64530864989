"""What every method is given, and what it gives back: nothing here knows which method it is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from tightrope.monitors.catalogue import Kind
from tightrope.monitors.records import Floats, Ints


class Cost(StrEnum):
    """How dear a method is, which decides how many repetitions of a stream it is given."""

    ARRAYS = "arrays"
    LOOP = "loop"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Watch:
    """What is asked of one cell: a rate at most ``limit``, or a mean in [-limit, limit].

    ``healthy`` are rows from before, for the methods that compare with a reference; ``window`` the rows of the methods
    that have windows; ``share`` the cell's part of the alarm budget.
    """

    kind: Kind
    limit: float
    healthy: Floats
    window: int = 1000
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Rows:
    """One cell's rows: values ``y`` (m,), and ``places`` (m,), where each stands in the stream of ``total`` samples."""

    y: Floats
    places: Ints
    total: int

    @classmethod
    def whole(cls, y: Floats) -> "Rows":
        """The cell that counts every sample."""
        return cls(y, np.arange(len(y)), len(y))

    def only(self, rows: slice | Ints) -> "Rows":
        """The same stream with only some of the cell's rows."""
        return Rows(self.y[rows], self.places[rows], self.total)


class Method(Protocol):
    """One way to raise alarms. After an alarm it starts again, as an operator who reset it would see."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    @property
    def cost(self) -> Cost:
        """How dear it is."""

    def alarms(self, watch: Watch, rows: Rows, stop: int) -> Ints:
        """Where in the stream alarms were raised, ascending. From the first one at ``stop`` or later on nobody asks."""


def until(alarms: Ints, stop: int) -> Ints:
    """Alarms up to the first that is not before ``stop``."""
    return alarms[: int(np.searchsorted(alarms, stop)) + 1]


def spaced(candidates: Ints, gap: int) -> Ints:
    """Of ascending candidates, the first, and then the first that is at least ``gap`` after the one before."""
    kept: list[int] = []
    place = 0
    while place < len(candidates):
        kept.append(int(candidates[place]))
        place = int(np.searchsorted(candidates, kept[-1] + gap))
    return np.array(kept, dtype=np.int64)
