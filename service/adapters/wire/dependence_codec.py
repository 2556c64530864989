"""The dependence of a model's rows in a snapshot. Snapshots of earlier versions do not have it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tightrope.monitors.dependence.allan import BLOCK_ROWS, LEFT_OUT, STRIDE_ROWS, AllanSums
from tightrope.monitors.dependence.likeness import EARLY_ROWS, Likeness
from tightrope.monitors.dependence.senders import SENDER_ROWS, Senders
from tightrope.monitors.dependence.warning import Dependence
from tightrope.monitors.intake.repeats import RepeatMemory, RepeatWarning
from tightrope.monitors.records import Stream
from tightrope.service.adapters.wire.bounds import COUNTS
from tightrope.service.adapters.wire.envelope import WireError, array, check_fields, mapping

SENDER_DTYPES = {"callers": "<u8", "differs": "|b1", "repeats": "|b1"}


def read_dependence(body: object) -> Dependence:
    """Return it from its maps; without any, nothing is known.

    Raises:
        WireError, KeyError, TypeError or ValueError: when a part does not fit.
    """
    values = mapping(body, "dependence")
    if not values:
        return Dependence()
    window_rows = {Stream(name): rows for name, rows in mapping(values["window_rows"], "window_rows").items()}
    read = Dependence(
        **{
            **values,
            "sums": _read_sums(mapping(values["sums"], "dependence.sums")),
            "window_rows": window_rows,
            "senders": _read_senders(mapping(values["senders"], "dependence.senders")),
            "likeness": _read_likeness(values.get("likeness")),
        }
    )
    check_fields(read, "state.dependence")
    check_fields(read.sums, "state.dependence.sums")
    if not all(type(rows) is int and COUNTS.contains(rows) for rows in (read.quiet, read.alike, *window_rows.values())):
        raise WireError(f"state.dependence: quiet, alike and window_rows must be whole numbers {COUNTS}")
    return read


def _read_sums(body: Mapping[str, Any]) -> AllanSums:
    arrays = {
        name: array(body[name], f"dependence.{name}", "<f8")
        for name in ("tail", "differences", "distance", "largest", "last")
    }
    tail = arrays["tail"]
    if tail.ndim != 1 or len(tail) >= STRIDE_ROWS or not np.all((tail >= 0) & (tail <= 1)):
        raise WireError(f"dependence.tail: must be fewer than {STRIDE_ROWS} losses between 0 and 1")
    shape = (len(BLOCK_ROWS),)
    for name in ("differences", "distance", "largest", "last"):
        values = arrays[name]
        known = values[~np.isnan(values)] if name == "last" else values
        if values.shape != (*shape, *[max(LEFT_OUT)] * (name == "largest")) or not np.all(
            (known >= 0) & (known <= COUNTS.high)
        ):
            raise WireError(f"dependence.{name}: must be numbers for {len(BLOCK_ROWS)} sizes, at least 0")
    return AllanSums(**{**body, **arrays})


def _read_likeness(body: object) -> Likeness:
    """The likeness of the first rows; a state of an earlier version is past them."""
    if body is None:
        return Likeness(known=True)
    values = mapping(body, "dependence.likeness")
    likeness = Likeness(array(values["confidence"], "dependence.likeness", "<f8"), values["known"])
    check_fields(likeness, "state.dependence.likeness")
    if likeness.confidence.ndim != 1 or len(likeness.confidence) >= EARLY_ROWS or np.isnan(likeness.confidence).any():
        raise WireError(f"dependence.likeness: must be fewer than {EARLY_ROWS} confidences")
    return likeness


def _read_senders(body: Mapping[str, Any]) -> Senders:
    columns = {name: array(body[name], f"dependence.{name}", dtype) for name, dtype in SENDER_DTYPES.items()}
    rows = len(columns["callers"])
    if rows > SENDER_ROWS or any(column.shape != (rows,) for column in columns.values()):
        raise WireError(f"dependence.senders: must be columns of at most {SENDER_ROWS} rows")
    return Senders(**columns)


def read_repeats(body: object) -> RepeatMemory:
    """The memory of repeats; empty in a snapshot of an earlier version."""
    values = {**mapping(body, "repeats")}
    for name in ("inputs", "ids", "requests"):
        if name in values:
            values[name] = array(values[name], f"repeats.{name}", "<u4")
    if "differ" in values:
        values["differ"] = array(values["differ"], "repeats.differ", "|b1")
    if "warnings" in values:
        values["warnings"] = tuple(map(RepeatWarning, values["warnings"]))
    return RepeatMemory(**values)
