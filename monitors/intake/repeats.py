"""Repeats among the compared rows of a model: which of them count, and how many people should know about.

How it works. A `RepeatMemory` holds 32 bits of a hash of the inputs of the latest rows, and of ids of the latest
requests. A row repeats an input if an equal one is among the 4,096 rows before it; a request repeats another if id and
input are equal. Shares are measured over fixed numbers of requests, at any distance in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import compress
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Bools, Comparisons, Floats, Ints

MEMORY_ROWS = 4096
"""Rows, and requests, within which a repeat is recognised."""

SHARE_REQUESTS, MAX_REPEATED_SHARE = 10_000, 0.2
"""Requests over which the share of repeated ones is measured, and the largest share that is normal."""

ID_REQUESTS, MAX_ID_SHARE = 1_000, 0.5
"""Latest requests, and the largest share of them that one id has normally: the early warning."""

WARNING_END = 0.5
"""Part of its largest normal share below which a warning ends."""

MIN_SHARE_ROWS, MAX_INPUT_SHARE = 512, 0.5
"""Rows from which the share of repeated inputs is known, and the largest share at which verdicts are reliable."""

POPULAR_ROWS, MAX_POPULAR = MEMORY_ROWS // 100, 8
"""Rows of one input in the memory from which it is popular, and the number of popular inputs that are told."""

Hashes32 = NDArray[np.uint32]
_SPREAD = np.uint32(2_654_435_761)


class Repeats(StrEnum):
    """The rows that count once: those of one input within 4,096 rows (``distinct``), within a tick those of one request
    id and input (``retries``) or of one input (``inputs``); or none.
    """

    DISTINCT = "distinct"
    RETRIES = "retries"
    INPUTS = "inputs"
    NONE = "none"


class RepeatWarning(StrEnum):
    """A pattern of repeats that people should know about."""

    REQUESTS = "requests"
    ONE_ID = "one_id"


@dataclass(frozen=True, slots=True)
class PopularInput:
    """An input that came often in the latest rows and on which the models differ: its ``rows``, and the ``differing``
    ones. Nothing tells which input it is.

    >>> PopularInput(rows=310, differing=310).rows
    310
    """

    rows: int
    differing: int


@dataclass(frozen=True, slots=True)
class RepeatMemory:
    """The latest `MEMORY_ROWS` rows and requests of a model, newest last: ``inputs`` (rows,), whether the models
    ``differ`` on each (rows,), ``requests`` (requests,), and of the latest `ID_REQUESTS` requests the ``ids``
    (requests,).

    ``uncounted`` counts the rows that were not counted, by reason: retry or input. Of the open block of
    `SHARE_REQUESTS` requests, ``open_requests`` have come and ``open_repeated`` repeat another; ``repeated_share`` is
    that of the last full block, or of the open one where it must become higher. ``id_share`` is the share of the most
    frequent id among the latest `ID_REQUESTS` requests, 0 while they are fewer. ``warnings`` are the patterns that are
    not normal; one ends once its share is below half of what is normal, so that it does not come and go.

    >>> RepeatMemory().warnings
    ()
    """

    inputs: Hashes32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    ids: Hashes32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    requests: Hashes32 = field(default_factory=lambda: np.zeros(0, np.uint32))
    uncounted: Mapping[str, int] = field(default_factory=dict)
    open_requests: int = 0
    open_repeated: int = 0
    repeated_share: float = 0.0
    id_share: float = 0.0
    warnings: tuple[RepeatWarning, ...] = ()
    differ: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))

    @property
    def popular(self) -> tuple[PopularInput, ...]:
        """The popular inputs on which the models differ, those with the most differing rows first."""
        known = self.inputs != 0
        hashes, index, rows = np.unique(self.inputs[known], return_inverse=True, return_counts=True)
        differing = np.bincount(index, _aligned(self)[known], len(hashes)).astype(int)
        order = np.lexsort((-rows, -differing))
        found = order[(rows[order] >= POPULAR_ROWS) & (differing[order] > 0)][:MAX_POPULAR].tolist()
        return tuple(PopularInput(int(rows[each]), int(differing[each])) for each in found)

    @property
    def input_share(self) -> float:
        """The share of the latest rows that repeat an input of another one of them; 0 while they are few."""
        return 0.0 if len(self.inputs) < MIN_SHARE_ROWS else 1.0 - len(_runs(self.inputs)) / len(self.inputs)


def warning_text(memory: RepeatMemory, warning: RepeatWarning) -> str:
    """Describe one pattern."""
    if warning is RepeatWarning.REQUESTS:
        return f"{memory.repeated_share:.0%} of {SHARE_REQUESTS} requests repeat the id and the inputs of another"
    return f"one request id has {memory.id_share:.0%} of the last {ID_REQUESTS} requests"


def popular_text(memory: RepeatMemory) -> str:
    """Describe the popular inputs on which the models differ, and what to do; empty without any."""
    popular = memory.popular
    if not popular:
        return ""
    rows, first = sum(each.rows for each in popular), popular[0]
    inputs = "one input makes" if len(popular) == 1 else f"{len(popular)} inputs make"
    most = "" if len(popular) == 1 else f", the first alone {first.rows:,}"
    return (
        f"{inputs} {rows:,} of the latest {len(memory.inputs):,} rows{most}, and the models differ there, which is one "
        "finding each: look for a request that callers repeat, such as a health check or a default"
    )


def repeated_inputs(memory: RepeatMemory, rows: Comparisons) -> Bools:
    """Mask the rows whose input is among the `MEMORY_ROWS` rows before, (n,); a row without a hash repeats none."""
    return np.asarray(_seen(memory.inputs, _short(rows)) & (rows.twin != 0))


def remember_rows(memory: RepeatMemory, rows: Comparisons, retries: int, inputs: int) -> RepeatMemory:
    """Add rows to the memory, with the numbers of those not counted because they are retries, or repeat an input."""
    first = first_rows(rows.request_id, rows.time)
    short = _short(rows)
    ids = np.fromiter(map(crc32, map(str.encode, compress(rows.request_id, first))), np.uint32)
    requests = ids * _SPREAD + short[first]
    repeated = _seen(memory.requests, requests) & (rows.twin[first] != 0)
    uncounted = {"retry": retries, "input": inputs}
    return _with_warnings(
        _with_requests(memory, repeated),
        inputs=np.concatenate([memory.inputs, short])[-MEMORY_ROWS:],
        differ=np.concatenate([_aligned(memory), rows.disagree])[-MEMORY_ROWS:],
        ids=np.concatenate([memory.ids, ids])[-ID_REQUESTS:],
        requests=np.concatenate([memory.requests, requests])[-MEMORY_ROWS:],
        uncounted={reason: memory.uncounted.get(reason, 0) + more for reason, more in uncounted.items()},
    )


def retried_rows(rows: Comparisons, tick: Ints) -> Bools:
    """Mask the rows whose request id and input came before at another time; rows of one request share their time."""
    repeated = np.zeros(len(rows), dtype=bool)
    if len(set(rows.request_id)) == len(rows):
        return repeated
    first: dict[tuple[int, str, int], float] = {}
    columns = (tick.tolist(), rows.request_id, rows.twin.tolist(), rows.time.tolist())
    for row, (index, name, twin, time) in enumerate(zip(*columns, strict=True)):
        repeated[row] = first.setdefault((index, name, twin), time) != time
    return repeated


def _aligned(memory: RepeatMemory) -> Bools:
    """Whether the models differ on the remembered rows; a state of an earlier version does not tell it."""
    absent = len(memory.inputs) - len(memory.differ)
    return np.concatenate([np.zeros(absent, dtype=bool), memory.differ]) if absent > 0 else memory.differ


def _with_warnings(memory: RepeatMemory, **changes: Any) -> RepeatMemory:  # noqa: ANN401 - any field
    """Apply the changes, and update the share of the most frequent id and the warnings."""
    latest = changes["ids"]
    share = 0.0 if len(latest) < ID_REQUESTS else float(_runs(latest).max() / ID_REQUESTS)
    after = replace(memory, **changes, id_share=share)
    shares = {
        RepeatWarning.REQUESTS: after.repeated_share / MAX_REPEATED_SHARE,
        RepeatWarning.ONE_ID: after.id_share / MAX_ID_SHARE,
    }
    bounds = {warning: WARNING_END if warning in memory.warnings else 1.0 for warning in shares}
    return replace(after, warnings=tuple(w for w, share in shares.items() if share > bounds[w]))


def first_rows(request_ids: Sequence[str], times: Floats) -> Bools:
    """Mask the first row of each request, (n,): the rows of one request follow each other and share their time."""
    first = np.ones(len(request_ids), dtype=bool)
    first[1:] = times[1:] != times[:-1]
    at_once = np.flatnonzero(~first)  # mostly few: other rows need no look at their ids
    first[at_once] = [request_ids[row] != request_ids[row - 1] for row in at_once.tolist()]
    return first


def _with_requests(memory: RepeatMemory, repeated: Bools) -> RepeatMemory:
    """Count requests, (n,), block by block."""
    share, seen, count, start = memory.repeated_share, memory.open_requests, memory.open_repeated, 0
    while start < len(repeated):
        part = repeated[start : start + SHARE_REQUESTS - seen]
        start, seen, count = start + len(part), seen + len(part), count + int(part.sum())
        if seen == SHARE_REQUESTS:
            share, seen, count = count / SHARE_REQUESTS, 0, 0
    return replace(memory, open_requests=seen, open_repeated=count, repeated_share=max(share, count / SHARE_REQUESTS))


def _runs(hashes: Hashes32) -> Ints:
    """The number of entries of each distinct hash."""
    ordered = np.sort(hashes)
    ends = np.flatnonzero(np.concatenate([np.diff(ordered) != 0, [True]]))
    return np.diff(ends, prepend=-1)


def _short(rows: Comparisons) -> Hashes32:
    return (rows.twin & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def _seen(before: Hashes32, new: Hashes32) -> Bools:
    """Mask the new entries that equal one of the `MEMORY_ROWS` entries before them, (n,)."""
    whole = np.concatenate([before, new]).astype(np.uint64)
    ordered = np.sort(whole << np.uint64(32) | np.arange(len(whole), dtype=np.uint64))
    position = (ordered & np.uint64(0xFFFFFFFF)).astype(np.int64)
    equal = (np.diff(ordered >> np.uint64(32)) == 0) & (np.diff(position) <= MEMORY_ROWS)
    seen = np.zeros(len(whole), dtype=bool)
    seen[position[1:][equal]] = True
    return seen[len(before) :]
