"""The unit of evidence: the rows of a stream that count as one step, because they may depend on each other."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tightrope.monitors.intake.repeats import first_rows
from tightrope.monitors.records import Bools, Comparisons, Ints, Stream

WINDOW_ROWS, BLOCK_WINDOW_ROWS = 4096, 1024
"""The rows of a window where callers are known, and where they are not: then its rows are one step together."""

WINDOW_CALLERS = 16
"""Groups into which the callers of a window are dealt by their digests: one of several callers is as sound as one of
each, and the sums of an open window stay small.
"""


class Independence(StrEnum):
    """The rows that are taken to be independent: those of different requests, of different callers in a tick, or of
    different windows. ``auto``: callers, or requests where these are unknown, and windows after a warning.
    """

    AUTO = "auto"
    REQUEST = "request"
    CALLER = "caller"
    WINDOW = "window"


@dataclass(frozen=True, slots=True)
class EvidenceUnit:
    """The unit as configured. ``has_callers`` tells whether rows name their callers; those that do not are one.

    >>> EvidenceUnit(has_callers=True).by_caller, EvidenceUnit(Independence.REQUEST, has_callers=True).by_caller
    (True, False)
    """

    independence: Independence = Independence.AUTO
    has_callers: bool = False

    @property
    def by_caller(self) -> bool:
        """Whether the rows of one caller are one step."""
        return self.has_callers and self.independence is not Independence.REQUEST

    @property
    def widens(self) -> bool:
        """Whether a warning widens the unit."""
        return self.independence is Independence.AUTO

    def is_window(self, *, warned: bool) -> bool:
        """Tell whether the unit is the window, given whether rows were seen to depend on each other."""
        return self.independence is Independence.WINDOW or (self.widens and warned)

    @property
    def window_rows(self) -> int:
        """The rows of the stream after which a window ends."""
        return WINDOW_ROWS if self.by_caller else BLOCK_WINDOW_ROWS

    @property
    def window_clusters(self) -> int:
        """The steps of one window."""
        return WINDOW_CALLERS if self.by_caller else 1

    def in_window(self, rows: Comparisons) -> Ints:
        """The step of each row in its window, (n,)."""
        if not self.by_caller:
            return np.zeros(len(rows), dtype=np.int64)
        return np.asarray(rows.caller % np.uint64(WINDOW_CALLERS)).astype(np.int64)

    def in_tick(self, rows: Comparisons, requests: Ints) -> Ints:
        """The step of each row in its tick, (n,), from the numbers of requests (n,): equal numbers are one step."""
        return np.unique(rows.caller, return_inverse=True)[1] if self.by_caller else requests


def request_numbers(rows: Comparisons, stream: Stream) -> Ints:
    """Number the requests that rows belong to, (n,): compared rows of one follow each other, and share time and place.

    The labels of one request may arrive among others; their ids end with the number of the row.
    """
    if stream is Stream.LABELS:
        numbers: dict[str, int] = {}  # by first appearance: the text of an id has no part in the result
        ids = (name.rpartition("#")[0] or name for name in rows.request_id)
        return np.fromiter((numbers.setdefault(each, len(numbers)) for each in ids), np.int64, len(rows))
    starts = first_rows(rows.request_id, rows.time)
    for column in (rows.partition, rows.offset):
        starts[1:] |= np.diff(column) != 0
    return np.cumsum(starts) - 1


def request_starts(requests: Ints) -> Bools:
    """Mask the first row of each run of rows of one request, (n,), from their numbers (n,)."""
    return np.asarray(np.diff(requests, prepend=-1) != 0)


def shared_rows(tick: Ints, step: Ints, counted: Bools) -> Bools:
    """Mask the counted rows whose step in their tick has another counted row, (n,)."""
    shared = np.zeros(len(tick), dtype=bool)
    if (np.diff(step) == 1).all():
        return shared
    index = np.flatnonzero(counted)
    key = tick[index] * (int(step.max(initial=0)) + 1) + step[index]
    _, number, count = np.unique(key, return_inverse=True, return_counts=True)
    shared[index] = count[number] > 1
    return shared
