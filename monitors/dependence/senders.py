"""The callers of the latest rows: those that send most of the rows that differ, or that repeat, in words for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Comparisons, Hashes

SENDER_ROWS = 4096
"""The latest rows whose callers are remembered."""

MIN_SENT_SHARE, MAX_NAMED = 0.5, 3
"""A few callers are named: at most this number of them, which together send more than this share."""

MIN_SENT_ROWS = 20
"""The rows from which on the callers behind them are named."""

NUMERALS: Mapping[int, str] = {1: "one caller sends", 2: "two callers send", 3: "three callers send"}


@dataclass(frozen=True, slots=True)
class Senders:
    """The keyed digests of the ``callers`` of the latest `SENDER_ROWS` rows, newest last, and whether each row
    ``differs`` between the models, and ``repeats`` an earlier one; all (rows,).

    >>> Senders().differing
    ''
    """

    callers: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    differs: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))
    repeats: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def add(self, rows: Comparisons, differs: Bools, repeats: Bools) -> "Senders":
        """Add rows, (n,)."""
        return Senders(
            np.concatenate([self.callers, rows.caller])[-SENDER_ROWS:],
            np.concatenate([self.differs, differs])[-SENDER_ROWS:],
            np.concatenate([self.repeats, repeats])[-SENDER_ROWS:],
        )

    @property
    def differing(self) -> str:
        """The callers that send most of the rows that differ, and what to do; empty if they are many."""
        return _most(self.callers[self.differs], "rows on which the models differ")

    @property
    def repeating(self) -> str:
        """The callers that send most of the rows that repeat, and what to do; empty if they are many."""
        return _most(self.callers[self.repeats], "repeated rows")


def _most(callers: NDArray[np.uint64], what: str) -> str:
    known = callers[callers != 0]
    if len(known) < MIN_SENT_ROWS:
        return ""
    names, count = np.unique(known, return_counts=True)
    order = np.argsort(-count, kind="stable")[:MAX_NAMED]
    share = np.cumsum(count[order]) / len(callers)
    enough = np.flatnonzero(share > MIN_SENT_SHARE)
    if not len(enough):
        return ""
    number = int(enough[0]) + 1
    digests = ", ".join(f"{int(name):016x}" for name in names[order[:number]])
    return (
        f"{NUMERALS[number]} {share[number - 1]:.0%} of the {what} ({digests}): name callers as an attribute of "
        "subgroups, so that these are judged apart"
    )
