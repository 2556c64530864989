"""Rows drawn for labels: disagreements with one probability, all rows with another, both fixed before the row.

Both are those of the configuration, or lower ones that a row brings with it where a daily cap holds
(`monitors/review/daily_cap.py`).

How it works. The draw of a request is a keyed 53-bit fraction. Its last bits are another uniform number, independent of
whether the request was sampled: the same for every retry, and no caller can choose it. A row is drawn where that number
lies below its probability, so the random sample of all rows lies within the disagreements that are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.label_records import PendingRow
from tightrope.monitors.records import Bools, Comparisons, Fault, Floats, Ints

_FIRST_BITS = 27
"""The bits of a draw that decide whether its request is sampled; the last 26 decide whether its rows are labelled."""


CHANCES = 2
"""The probabilities of a row: as a disagreement, and as any row."""


@dataclass(frozen=True, slots=True)
class LabelDraw:
    """The probabilities with which rows are drawn for labels: of a disagreement, and of any row. Where a daily cap may
    lower them, ``floor`` is the least one of a disagreement; 0: there is no cap.

    >>> draw = LabelDraw(disagreements=0.5, random=0.1)
    >>> draw.most, draw.least
    (0.5, 0.5)
    """

    disagreements: float = 1.0
    random: float = 0.01
    floor: float = 0.0

    @property
    def most(self) -> float:
        """The probability of a disagreement that no cap lowers."""
        return max(self.disagreements, self.random)

    @property
    def least(self) -> float:
        """The least probability of a disagreement."""
        return self.floor or self.most

    def of_rows(self, rows: Comparisons) -> "RowDraws":
        """The draws of compared rows."""
        return self._draws(rows.draw, rows.disagree, rows.chances if has_chances(rows) else None)

    def of_waiting(self, rows: Sequence[PendingRow]) -> "RowDraws":
        """The draws of rows that wait for their labels."""
        draws, disagree = np.array([row.draw for row in rows]), np.array([row.disagree for row in rows], dtype=bool)
        own = [row.chances or (np.nan, np.nan) for row in rows]
        return self._draws(draws, disagree, np.array(own).reshape(len(rows), CHANCES))

    def _draws(self, draws: Floats, disagree: Bools, own: Floats | None) -> "RowDraws":
        chances = np.broadcast_to([self.most, self.random], (len(draws), CHANCES))
        if own is not None:
            own = np.where(own[:, :1] < self.least, 0.0, own)  # of another configuration: too heavy for the bets
            chances = np.where(np.isnan(own), chances, own)
        return RowDraws(label_numbers(draws), disagree, chances)


@dataclass(frozen=True, slots=True)
class RowDraws:
    """The draws of n rows: their ``numbers`` (n,) in [0, 1), whether they ``disagree`` (n,), and their ``chances``
    (n, 2), the probabilities with which they are drawn as a disagreement and as any row.

    >>> draws = RowDraws(np.array([0.3, 0.3]), np.array([True, False]), np.array([[0.5, 0.1], [0.5, 0.4]]))
    >>> draws.drawn.tolist(), draws.sampled.tolist(), draws.probabilities.tolist()
    ([True, True], [False, True], [0.5, 0.4])
    """

    numbers: Floats
    disagree: Bools
    chances: Floats

    @property
    def probabilities(self) -> Floats:
        """The probability of each row, (n,)."""
        return np.where(self.disagree, self.chances[:, 0], self.chances[:, 1])

    @property
    def drawn(self) -> Bools:
        """Mask the rows that are drawn, (n,)."""
        return np.asarray(self.numbers < self.probabilities)

    @property
    def sampled(self) -> Bools:
        """Mask the rows of the random sample of all rows, (n,)."""
        return np.asarray(self.numbers < self.chances[:, 1])


def has_chances(rows: Comparisons) -> bool:
    """Whether rows bring probabilities of their own; a record with another number of them brings none."""
    return bool(rows.chances.shape[1] == CHANCES)


def label_numbers(draws: Floats) -> Floats:
    """The numbers in [0, 1) that decide on labels, from the draws of requests, (n,).

    >>> label_numbers(np.array([0.25 + 2.0**-28])).tolist()
    [0.5]
    """
    return np.asarray(np.asarray(draws, dtype=np.float64) * 2.0**_FIRST_BITS % 1.0)


def awaits_label(rows: Comparisons) -> Bools:
    """Mask the rows whose labels can be joined: sound ones with a class, (n,)."""
    return np.asarray((rows.fault == Fault.NONE) & (rows.top_baseline >= 0))


def row_numbers(rows: Comparisons) -> list[int]:
    """Return the number of each row in its request, from 0; rows of a request are neighbours."""
    keys = list(zip(rows.request_id, rows.offset.tolist(), strict=True))
    numbers: list[int] = []
    for index, key in enumerate(keys):
        numbers.append(numbers[-1] + 1 if index and keys[index - 1] == key else 0)
    return numbers


def agreed_before(start: Ints, member: Bools, drawn: Bools) -> tuple[Ints, Ints]:
    """For each row, the rows of each scope since the drawn disagreement before it, (n, S), without itself; and those
    after the last one, (S,).

    ``start`` (S,) are the rows before these; ``member`` (n, S), ``drawn`` (n,) masks the drawn disagreements. Rows
    that are neither labelled nor drawn enter the evidence as zeros, with the next label of their scope.

    >>> scope = np.ones((4, 1), dtype=bool)
    >>> agreed, rest = agreed_before(np.array([5]), scope, np.array([False, True, False, False]))
    >>> agreed.ravel().tolist(), rest.tolist()
    ([5, 6, 0, 1], [2])
    """
    rows = start + np.cumsum(member, axis=0)
    ends = np.maximum.accumulate(np.where(member & drawn[:, None], rows, 0), axis=0)
    before = np.vstack([np.zeros((1, len(start)), dtype=np.int64), ends])
    counted = np.vstack([start[None], rows])
    return rows - member - before[:-1], counted[-1] - before[-1]


def request_row_counts(rows: Comparisons, sound: Bools, member: Bools) -> Ints:
    """For each row, the sound rows of its request in each scope, (n, S); rows of a request are neighbours."""
    if not len(rows):
        return np.zeros(member.shape, dtype=np.int64)
    names = np.array(rows.request_id, dtype=object)
    starts = np.ones(len(rows), dtype=bool)
    starts[1:] = (names[1:] != names[:-1]) | (np.diff(rows.offset) != 0)
    counts = np.add.reduceat((member & sound[:, None]).astype(np.int64), np.flatnonzero(starts), axis=0)
    return np.asarray(counts[np.cumsum(starts) - 1])
