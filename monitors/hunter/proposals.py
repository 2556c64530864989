"""The slices of up to three predicates that past rows suggest, found by a beam search.

A slice of n rows with the rate f of losses has the score n KL(f || limit) where f is over the limit, else 0: about the
evidence that these rows would have given. Harm where three columns meet can leave each of them below the limit, so a
second search starts from the columns that exceed the rate of the whole model. How slices are chosen has no part in the
promise on false alarms, because they are judged by later rows alone.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tightrope.monitors.catalogue import SLOTS
from tightrope.monitors.hunter.evidence import LOSS_UNITS
from tightrope.monitors.hunter.row_bits import RowBits, packed, row_counts
from tightrope.monitors.records import Bools, Floats, Ints

MIN_PROPOSED_ROWS = 20
"""Rows of a slice below which it is not proposed."""

BEAM, DEPTH = 3, 3
"""Slices that are made narrower at each depth, and the most predicates of a slice."""

GAIN = 1.05
"""The factor by which one more predicate has to raise the score."""

Found = tuple[float, tuple[int, ...]]
"""The score of a slice, and its predicates by number."""


def slice_scores(rows: Floats, lost: Floats, rate: float) -> Floats:
    """The scores of slices by their numbers of rows and losses, (S,): n KL(f || rate).

    >>> slice_scores(np.array([100.0, 100.0, 19.0]), np.array([40.0, 5.0, 19.0]), 0.1).round(2).tolist()
    [31.3, 0.0, 0.0]
    """
    own = np.clip((lost + 0.5) / (rows + 1), 1e-6, 1 - 1e-6)
    score = rows * (own * np.log(own / rate) + (1 - own) * np.log((1 - own) / (1 - rate)))
    return np.where((own > rate) & (rows >= MIN_PROPOSED_ROWS), score, 0.0)


class Proposer:
    """Proposes slices by past rows: those that satisfy each of P predicates (P, n), their units of loss (n,), and the
    attribute of each predicate (P,); predicates of one attribute are never combined.

    >>> satisfied = np.array([[True, True, False, False] * 40, [True, False, True, False] * 40])
    >>> proposer = Proposer(satisfied, 1024 * (satisfied[0] & satisfied[1]), np.array([0, 1]), limit=0.1)
    >>> proposer.proposals()
    [(0, 1), (0,), (1,)]
    """

    def __init__(self, satisfied: Bools, units: Ints, attribute: Ints, limit: float) -> None:
        self._units, self._attribute, self._limit = units, attribute, limit
        self._words = packed(satisfied)
        bits = [(units >> bit & 1).astype(bool) for bit in range(LOSS_UNITS.bit_length())]
        self._lost = [(float(1 << bit), packed(lost)) for bit, lost in enumerate(bits) if lost.any()]

    def proposals(self) -> list[tuple[int, ...]]:
        """All slices over the limit that the search came across, the one with the highest score first."""
        found = dict.fromkeys(self._beamed(self._limit))
        if self._model_rate < self._limit:
            found |= dict.fromkeys(self._beamed(self._model_rate))
        rows = np.array([np.bitwise_and.reduce(self._words[[*own]]) for own in found], np.uint64)
        scored = zip(
            self._scored(rows.reshape(len(found), self._words.shape[1]), self._limit).tolist(), found, strict=True
        )
        return [own for score, own in _ordered(scored) if score > 0]

    @property
    def _model_rate(self) -> float:
        """The rate of losses in all rows."""
        return float((self._units.sum() / LOSS_UNITS + 0.5) / (len(self._units) + 1))

    def _beamed(self, rate: float) -> Iterator[tuple[int, ...]]:
        """The slices that a beam search by the excess over a rate comes across."""
        scores = self._scores((), rate)
        beam: list[Found] = [(float(scores[index]), (index,)) for index in _highest(scores, SLOTS)]
        for depth in range(1, DEPTH + 1):
            yield from (own for _, own in beam)
            parents = _ordered(beam)[:BEAM] if depth < DEPTH else []
            beam = [each for parent in parents for each in self._narrower(parent, rate)]

    def _narrower(self, parent: Found, rate: float) -> Iterator[Found]:
        """The best slices with one predicate more that have a clearly higher score."""
        score, own = parent
        scores = self._scores(own, rate)
        scores[np.isin(self._attribute, self._attribute[list(own)])] = 0.0
        for index in _highest(scores, BEAM):
            if scores[index] > GAIN * score:
                yield float(scores[index]), tuple(sorted((*own, index)))

    def _scores(self, within: tuple[int, ...], rate: float) -> Floats:
        """The scores of the rows that satisfy some predicates, and each other one, (P,)."""
        return self._scored(self._words & np.bitwise_and.reduce(self._words[[*within]]), rate)

    def _scored(self, rows: RowBits, rate: float) -> Floats:
        """The scores of slices by their rows (S, words), (S,)."""
        lost = sum((units * row_counts(rows & own) for units, own in self._lost), np.zeros(len(rows)))
        return slice_scores(row_counts(rows), lost / LOSS_UNITS, rate)


def rows_in(satisfied: Bools, own: Sequence[int]) -> Bools:
    """The rows of the slice of these predicates, (n,), by the rows of each predicate (P, n)."""
    return np.asarray(satisfied[list(own)].all(axis=0))


def _highest(scores: Floats, most: int) -> list[int]:
    """The indices of the highest scores above 0; of equal ones the first."""
    order = np.argsort(-scores, kind="stable")[:most]
    return [int(index) for index in order if scores[index] > 0]


def _ordered(slices: Iterable[Found]) -> list[Found]:
    """The slices, the highest score first; of equal ones the one with fewer and lower predicates."""
    return sorted(slices, key=lambda each: (-each[0], len(each[1]), each[1]))
