"""Bounds of the values in a record, by the name of the field.

A number that fits its type may still be no row, offset or time; an integer beyond 64 bits, a NaN or a size that no
member writes must not get past the decoder. Fields that are not named here have the bounds of their type.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_COUNT = 2**62
"""The largest count, offset and epoch: sums of two of them fit into 64 bits."""

MAX_INDEX = 2**31 - 1
"""The largest row of a request, class, partition, and side of an array."""

MAX_TIME_SECONDS = 1e12
"""Seconds from 1970, either way: a time in milliseconds is no time."""

MAX_EPOCH_STEP = 1_000
"""The most by which an epoch grows plausibly between two records of one model."""

MAX_RECORD_SAMPLE_ROWS = 2**20
"""Rows in one record of samples: four times what a gateway writes."""

MAX_CLASS_COLUMNS = 1024
"""Columns by class in one record of comparisons; batches of rows are padded to the widest of them."""

MAX_NAMES = 10_000
"""Names in a list of scopes or monitors."""

MAX_TEXT_CHARS, MAX_REQUEST_ID_CHARS, MAX_REASON_CHARS = 4096, 1024, 65_536
"""Characters of a text, of a request's id, and of a reason, which lists monitors."""

MAX_RECORD_BYTES: Mapping[str, int] = {
    "tightrope.event": 4 << 20,
    "tightrope.order": 1 << 20,
    "tightrope.traffic": 1 << 20,
    "tightrope.heartbeat": 4 << 20,
    "tightrope.routes": 8 << 20,
}
"""Bytes of a record by schema, where they are far below the bus's own limit: decoded maps take many times the room."""


class NumberRange(NamedTuple):
    """The least and the largest value; ``unknown``: NaN is allowed, for a value that is not known."""

    low: float
    high: float
    unknown: bool = False

    def contains(self, value: float) -> bool:
        """Whether a number is in the range; NaN is in none that does not allow it."""
        return self.low <= value <= self.high or (self.unknown and math.isnan(value))

    def __str__(self) -> str:
        return f"from {self.low} to {self.high}{', or NaN' * self.unknown}"


COUNTS, INDICES, CLASSES = NumberRange(0, MAX_COUNT), NumberRange(0, MAX_INDEX), NumberRange(-1, MAX_INDEX)
TIMES = NumberRange(-MAX_TIME_SECONDS, MAX_TIME_SECONDS)
SHARES, KNOWN_SHARES = NumberRange(0, 1), NumberRange(0, 1, unknown=True)
DIFFERENCES = NumberRange(-1, 1, unknown=True)
AMOUNTS = NumberRange(0, math.inf, unknown=True)
WHOLE_NUMBERS, NUMBERS = NumberRange(-(2**63), 2**63 - 1), NumberRange(-1.7e308, 1.7e308)

FIELD_RANGES: Mapping[str, NumberRange] = {
    "row": INDICES,
    "label": INDICES,
    "epoch": NumberRange(-1, MAX_COUNT),
    "block": NumberRange(-1, MAX_COUNT),
    "probability": SHARES,
    **dict.fromkeys(("total", "products", "last"), NumberRange(-MAX_COUNT, MAX_COUNT)),
    "returned": NumberRange(-1e18, MAX_TIME_SECONDS),
    "answered": NumberRange(-math.inf, MAX_TIME_SECONDS),
    "stale_since": NumberRange(-math.inf, MAX_TIME_SECONDS),
    "stale_until": NumberRange(-math.inf, MAX_TIME_SECONDS),
    **dict.fromkeys(("time", "since", "until", "clock"), TIMES),
    **dict.fromkeys(("low", "high"), NumberRange(-math.inf, math.inf)),
    **dict.fromkeys(
        ("kept", "judged", "stale", "pairs", "rows", "slow", "closed", "flaps", "open_requests", "open_repeated"),
        COUNTS,
    ),
}
"""Numbers in fields of their own."""

FIELD_CHARS: Mapping[str, int] = {"reason": MAX_REASON_CHARS, "request_id": MAX_REQUEST_ID_CHARS}

COLUMN_RANGES: Mapping[str, NumberRange] = {
    "partition": INDICES,
    "offset": COUNTS,
    "time": TIMES,
    "fault": NumberRange(0, 127),
    "draw": SHARES,
    **dict.fromkeys(("top_baseline", "top_compressed"), CLASSES),
    **dict.fromkeys(("seconds", "distance", "entropy_baseline", "entropy_compressed"), AMOUNTS),
    **dict.fromkeys(
        (
            *("confidence_baseline", "confidence_compressed", "margin_baseline", "margin_compressed"),
            *("inclusion", "self_disagree", "correct_baseline", "correct_compressed", "loss", "missed", "gained"),
            "chances",
        ),
        KNOWN_SHARES,
    ),
    **dict.fromkeys(("mix", "bias"), DIFFERENCES),
    **dict.fromkeys(("agreed", "request_rows"), AMOUNTS),
}
"""Numbers in columns of samples and comparisons."""

CLASS_COLUMNS = ("missed", "gained", "mix", "agreed", "request_rows", "chances")
"""Columns with an entry for each class or scope, or with several."""


def position_violation(positions: Mapping[tuple[str, Any], Any]) -> str:
    """The bound that the offsets by topic and partition in a snapshot violate; empty if they do not."""
    for (name, partition), offset in positions.items():
        are_numbers = type(partition) is int and type(offset) is int
        if not are_numbers or not INDICES.contains(partition) or not COUNTS.contains(offset):
            return f"{name}, partition {partition!r}: an offset is {offset!r}, must be {COUNTS}"
    return ""


def plausible_epoch(last: int, now: float) -> int:
    """The largest plausible epoch of modes after ``last``. A judge of the release before that lost its state continues
    from the wall clock, ``now``, in seconds since the epoch of the clock.
    """
    return int(min(max(last, now), MAX_COUNT)) + MAX_EPOCH_STEP


def number_violation(name: str, value: float, default: NumberRange) -> str:
    """The bound that a number in this field violates; empty if it does not.

    >>> number_violation("row", 2**63, WHOLE_NUMBERS)
    'must be from 0 to 2147483647'
    """
    limits = FIELD_RANGES.get(name, default)
    return "" if limits.contains(value) else f"must be {limits}"


def text_violation(name: str, text: str) -> str:
    """The bound that a text in this field violates; empty if it does not."""
    limit = FIELD_CHARS.get(name, MAX_TEXT_CHARS)
    return "" if len(text) <= limit else f"has {len(text)} characters; it must have at most {limit}"


def names_violation(name: str, texts: Collection[str]) -> str:
    """The bound that a list of texts violates; empty if it does not."""
    if name != "request_id" and len(texts) > MAX_NAMES:
        return f"has {len(texts)} names; it must have at most {MAX_NAMES}"
    longest = max(map(len, texts), default=0)
    limit = FIELD_CHARS.get(name, MAX_TEXT_CHARS)
    return "" if longest <= limit else f"has a text of {longest} characters; it must have at most {limit}"


def shape_violation(shape: Iterable[int]) -> str:
    """The bound that the sides of an array violate; empty if they do not."""
    return "" if max(shape, default=0) <= MAX_INDEX else f"shape must have sides of at most {MAX_INDEX}"


class _Group(NamedTuple):
    """Columns of numbers that are checked together; the first ``known`` of them may not hold NaN."""

    names: tuple[str, ...]
    known: int
    low: NDArray[Any]
    high: NDArray[Any]


def column_violation(columns: Mapping[str, NDArray[Any]]) -> str:
    """The first column with a value out of its range, and the range; empty without one. All have one length.

    Columns are checked together, because each check by itself costs as much as that of a hundred rows.
    """
    names = tuple([name for name in COLUMN_RANGES if name in columns])
    if not names or not len(columns[names[0]]):
        return ""
    classes = [name for name in CLASS_COLUMNS if name in columns and columns[name].size]
    if _are_sound(_order(names), columns) and all(_is_sound(columns, name) for name in classes):
        return ""
    wrong = next(name for name in names if not _is_sound(columns, name))
    return f"{wrong}: must be {COLUMN_RANGES[wrong]}"


@cache
def _order(names: tuple[str, ...]) -> _Group:
    """Order these columns: those that may not hold NaN first; class columns, which have more sides, are left out."""
    flat = tuple(sorted({*names} - {*CLASS_COLUMNS}, key=lambda name: (COLUMN_RANGES[name].unknown, name)))
    ranges = [COLUMN_RANGES[name] for name in flat]
    low, high = (np.array([getattr(limits, end) for limits in ranges], dtype=np.float64) for end in ("low", "high"))
    return _Group(flat, sum(not limits.unknown for limits in ranges), low, high)


def _are_sound(group: _Group, columns: Mapping[str, NDArray[Any]]) -> bool:
    """Whether all columns are in their ranges; whole numbers are compared as floats, which moves no bound."""
    rows = np.concatenate([columns[name] for name in group.names], dtype=np.float64).reshape(len(group.names), -1)
    if (np.fmin.reduce(rows, axis=1) < group.low).any() or (np.fmax.reduce(rows, axis=1) > group.high).any():
        return False
    lowest = np.minimum.reduce(rows[: group.known], axis=None, initial=0)  # NaN, if one of them holds it
    return bool(lowest == lowest)  # noqa: PLR0124 - NaN differs from itself


def _is_sound(columns: Mapping[str, NDArray[Any]], name: str) -> bool:
    values, limits = columns[name], COLUMN_RANGES[name]
    unknown = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    return bool((((values >= limits.low) & (values <= limits.high)) | (unknown & limits.unknown)).all())
