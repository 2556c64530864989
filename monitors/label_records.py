"""Records of late labels, and of the compared rows that wait for them."""

from dataclasses import dataclass, field

from tightrope.monitors.records import Bools

RowKey = tuple[str, int]
"""The request id and the row number within the request: the address of a row for its label."""

ADDED_MARK = ","
"""In the digest of a row's plan, before the name of each scope that was added to it."""


@dataclass(frozen=True, slots=True)
class Label:
    """The true class of one row of a request, learnt late; ``time`` in seconds since the epoch.

    ``source`` names the origin of the label (empty: not given), ``probability`` in (0, 1] is the chance with which the
    row was drawn for labelling (0: not recorded; such a label shows nothing about the rows without one).

    >>> Label("m", "r-1", row=0, label=1, time=0.0).label
    1
    """

    model: str
    request_id: str
    row: int
    label: int
    time: float
    source: str = ""
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class PendingRow:
    """One compared row that waits for its label, with the columns that label monitors need.

    ``member`` (S - 1,) marks its subgroups, ``digest`` is that of the plan it was compared under, with the
    names of its added scopes, ``joined`` tells
    whether its label has arrived. A disagreement that was drawn for a label has ``agreed`` and ``request_rows``, both
    of S entries: the rows since the one before it in each scope, and the rows of its request. ``chances`` are the
    probabilities of its draw, as a disagreement and as any row, where a daily cap holds; empty: those of the plan.
    ``partition`` and ``offset`` locate its sample (-1: unknown, as of rows that were stored).

    >>> import numpy as np
    >>> PendingRow("r-1", 0, 0.0, "d", np.zeros(0, dtype=bool), 0.5, False, 0.9, 0.8, 1, 1).key
    ('r-1', 0)
    """

    request_id: str
    row: int
    time: float
    digest: str
    member: Bools
    draw: float
    disagree: bool
    confidence_baseline: float
    confidence_compressed: float
    top_baseline: int
    top_compressed: int
    joined: bool = False
    caller: int = 0
    loss: float = float("nan")
    agreed: tuple[int, ...] = ()
    request_rows: tuple[int, ...] = ()
    chances: tuple[float, ...] = ()
    partition: int = field(default=-1, compare=False)
    offset: int = field(default=-1, compare=False)

    @property
    def plan_digest(self) -> str:
        """The digest of the plan without its added scopes; empty where no plan covers the row."""
        return self.digest.partition(ADDED_MARK)[0]

    @property
    def key(self) -> RowKey:
        """The address that a label gives."""
        return self.request_id, self.row
