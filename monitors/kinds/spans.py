"""Spans of tagged places: `1 - F1` of the spans that two models found, as conlleval and seqeval count them.

A tag is ``O`` or a mark and a type, ``B-PER``. A span begins at B or S, after O, after E or S, and where the type
changes, so that an I without a B begins one; it ends before the next beginning or O. Two spans are the same where
type, beginning and end are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Floats, Ints

_OUTSIDE = {"O"}
_FIRST = {"B", "S", "U"}
_LAST = {"E", "S", "L", "U"}


@dataclass(frozen=True, slots=True)
class SpanTags:
    """The marks and types of tags, by tag id; the entry after the last tag is a place outside.

    >>> tags = SpanTags.of(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
    >>> b, c = np.array([[1, 2, 0, 3, 4]]), np.array([[1, 2, 2, 3, 0]])
    >>> span_loss(b, b, np.ones((1, 5), bool), tags).tolist(), span_loss(b, c, np.ones((1, 5), bool), tags).tolist()
    ([0.0], [1.0])
    """

    outside: Bools
    first: Bools
    last: Bools
    types: Ints

    @classmethod
    def of(cls, tags: Sequence[str]) -> "SpanTags":
        """Take tags apart."""
        marks, _, types = zip(*(tag.partition("-") for tag in (*tags, "O")), strict=True)
        numbers = {name: number for number, name in enumerate(dict.fromkeys(types))}
        outside, first, last = (np.array([mark in group for mark in marks]) for group in (_OUTSIDE, _FIRST, _LAST))
        return cls(outside, first, last, np.array([numbers[name] for name in types], np.int64))


def span_loss(baseline: NDArray[Any], compressed: NDArray[Any], kept: Bools, tags: SpanTags) -> Floats:
    """The share of spans (n,) that only one model found, 1 - F1; 0 where neither found one. Places that are not kept
    do not count: those beside them are neighbours.
    """
    if (kept[:, 1:] & ~kept[:, :-1]).any():
        order = np.argsort(~kept, axis=1, kind="stable")
        baseline, compressed, kept = (np.take_along_axis(each, order, 1) for each in (baseline, compressed, kept))
    start_b, end_b, type_b = _find_spans(np.where(kept, baseline, len(tags.types) - 1), tags)
    start_c, end_c, type_c = _find_spans(np.where(kept, compressed, len(tags.types) - 1), tags)
    same = (start_b & start_c & (end_b == end_c) & (type_b == type_c)).sum(axis=1)
    spans = start_b.sum(axis=1) + start_c.sum(axis=1)
    return np.asarray(np.where(spans > 0, 1 - 2 * same / np.maximum(spans, 1), 0.0))


def _find_spans(ids: Ints, tags: SpanTags) -> tuple[Bools, Ints, Ints]:
    """Mask the places where spans begin; and, for each place, the next end and the type."""
    rows, length = ids.shape
    outside, types = tags.outside[ids], tags.types[ids]
    starts = tags.first[ids]
    starts[:, :1] = True
    starts[:, 1:] |= outside[:, :-1] | tags.last[ids[:, :-1]] | (types[:, 1:] != types[:, :-1])
    starts &= ~outside
    breaks = np.full((rows, length + 1), length)
    breaks[:, :-1] = np.where(starts | outside, np.arange(length), length)
    ends = np.minimum.accumulate(breaks[:, :0:-1], axis=1)[:, ::-1]
    return starts, ends, types
