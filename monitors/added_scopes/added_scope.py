"""A scope that no configuration declares: a found group that is watched, or a class of hosts.

A group stands by itself: inputs and columns, not the numbers of one search. So it outlives searches and restarts, and a
gateway that receives it can tell its rows from others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOST_ATTRIBUTE = "host"
"""The attribute of scopes that classes of hosts have; no configuration can declare it."""


@dataclass(frozen=True, slots=True)
class ColumnRange:
    """Values of the column ``index`` of an ``input`` from ``low`` to ``high``, both included.

    >>> ColumnRange("x", 3, 17.0, 17.0).index
    3
    """

    input: str
    index: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AddedScope:
    """The rows whose values lie in all ``ranges`` and that are in all declared subgroups ``within``. ``scope`` is its
    name and ``words`` are for people; ``actor`` added it for a ``reason``, at event ``time`` (s).

    >>> added = AddedScope("residence=17", "residence: 17", (ColumnRange("x", 3, 17.0, 17.0),), ("sex=f",))
    >>> added.members(np.array([[17.0], [17.0], [2.0]]), np.array([[True], [False], [True]]), ("sex=f",)).tolist()
    [True, False, False]
    """

    scope: str
    words: str
    ranges: tuple[ColumnRange, ...]
    within: tuple[str, ...] = ()
    actor: str = ""
    reason: str = ""
    time: float = 0.0

    @property
    def is_host(self) -> bool:
        """Whether the scope is one of a class of hosts, whose rows no value of an input tells."""
        return not self.ranges and not self.within and self.scope.startswith(f"{HOST_ATTRIBUTE}=")

    def members(
        self, values: NDArray[np.floating], member: NDArray[np.bool_], declared: Sequence[str]
    ) -> NDArray[np.bool_]:
        """The rows of the scope, (n,), from the values of its ranges' columns (n, ranges) and the membership (n, D) of
        the ``declared`` subgroups. A value that is not known, NaN, is in no range.
        """
        own = np.ones(len(member), dtype=bool)
        for column, each in enumerate(self.ranges):
            own &= (values[:, column] >= each.low) & (values[:, column] <= each.high)
        for scope in self.within:
            own &= member[:, declared.index(scope)]
        return own
