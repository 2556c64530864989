"""The search for undeclared groups in a snapshot, as plain maps. Snapshots of earlier versions do not have it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.added_scopes.added_scope import AddedScope, ColumnRange
from tightrope.monitors.added_scopes.host_scopes import MAX_HOST_SCOPES
from tightrope.monitors.catalogue import MAX_ADDED, SLOTS
from tightrope.monitors.hunter.evidence import LOSS_UNITS
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.monitors.hunter.lattice import Lattice
from tightrope.monitors.hunter.past_rows import IN_FOUND_GROUP, PastRows, look_after
from tightrope.monitors.hunter.search import REFERENCE_ROWS, Search
from tightrope.monitors.records import Features
from tightrope.service.adapters.wire.bounds import COUNTS, TIMES
from tightrope.service.adapters.wire.envelope import (
    WireError,
    array,
    build,
    check_fields,
    mapping,
    names,
    record_fields,
)

LATTICE_DTYPES = {"column": "<i8", "low": "<f8", "high": "<f8", "slices": "<i8", "limits": "<f8"}
SEARCH_DTYPES = {"window": "<i4", "learned": "<f4"}
PAST_DTYPES = {"held": "|u1", "units": "<i2", "ticks": "<f8"}
COLUMN_DTYPES = {"kinds": "|u1", "flags": "|u1", "whole": "|u1", "others": "<f4"}
PREDICATE_PARTS = 3

OTHER_COLUMN, WHOLE_COLUMN, FLAG_COLUMN = range(3)
"""Kinds of columns: any numbers, whole ones, and zeros and ones."""

UNKNOWN_BYTE = 255
"""The byte of a value that is not known, in a column of whole numbers."""


def search_fields(search: Search) -> dict[str, object]:
    """Return it as maps."""
    lattice = None if search.lattice is None else record_fields(search.lattice)
    findings = [record_fields(each) for each in search.findings]
    fields = {**record_fields(search), "lattice": lattice, "findings": findings, "past": record_fields(search.past)}
    if not len(search.learned):
        return fields
    # a reader of an earlier version finds no rows, and learns from the next ones
    columns = _column_fields(search.learned)
    return fields | {"learned": search.learned[:0, :0], "learned_rows": len(search.learned), "learned_columns": columns}


def _column_fields(learned: Features) -> dict[str, object]:
    """The learned rows (n, W) by column: ``kinds`` (W,) of the columns, ``flags`` (f, ceil(n / 8)) those of zeros and
    ones as bits, ``whole`` (w, n) those of whole numbers below `UNKNOWN_BYTE` as bytes, and ``others`` (W - f - w, n).
    """
    values = np.ascontiguousarray(learned.T)
    with np.errstate(invalid="ignore"):  # a number that does not fit does not come back, which is compared
        whole = np.where(np.isnan(values), UNKNOWN_BYTE, values).astype(np.uint8)
    is_whole = (_whole_values(whole).view(np.uint32) == values.view(np.uint32)).all(axis=1)
    kinds = is_whole.astype(np.uint8) + (is_whole & (whole <= 1).all(axis=1))
    flags = np.packbits(whole[kinds == FLAG_COLUMN], axis=1)
    return {
        "kinds": kinds,
        "flags": flags,
        "whole": whole[kinds == WHOLE_COLUMN],
        "others": values[kinds == OTHER_COLUMN],
    }


def _whole_values(whole: NDArray[np.uint8]) -> Features:
    return np.where(whole == UNKNOWN_BYTE, np.float32(np.nan), whole.astype(np.float32))


def _read_columns(body: Mapping[str, Any], rows: int) -> Features:
    """The learned rows (``rows``, W) from their columns."""
    arrays = {name: array(body[name], f"search.learned_columns.{name}", dtype) for name, dtype in COLUMN_DTYPES.items()}
    kinds, octets = arrays["kinds"], -(-rows // 8)
    _check(kinds, "search.learned_columns.kinds", (None,))
    if kinds.max(initial=0) > FLAG_COLUMN:
        raise WireError(f"search.learned_columns.kinds: must be from {OTHER_COLUMN} to {FLAG_COLUMN}")
    learned = np.empty((rows, len(kinds)), np.float32)
    for kind, name, entries in (
        (FLAG_COLUMN, "flags", octets),
        (WHOLE_COLUMN, "whole", rows),
        (OTHER_COLUMN, "others", rows),
    ):
        own, values = kinds == kind, arrays[name]
        _check(values, f"search.learned_columns.{name}", (int(own.sum()), entries))
        bytes_of = np.unpackbits(values, axis=1, count=rows) if kind == FLAG_COLUMN else values
        learned[:, own] = (bytes_of if kind == OTHER_COLUMN else _whole_values(bytes_of)).T
    return learned


def read_added(body: object, where: str) -> tuple[AddedScope, ...]:
    """Return the scopes of found groups from their maps.

    Raises:
        WireError: when a part does not fit.
    """
    most = MAX_ADDED + MAX_HOST_SCOPES + 1
    if not isinstance(body, list) or len(body) > most:
        raise WireError(f"{where}: must be a list of at most {most} scopes")
    return tuple(_read_added(mapping(each, where), where) for each in body)


def _read_added(body: Mapping[str, Any], where: str) -> AddedScope:
    given = body.get("ranges")
    if not isinstance(given, list):
        raise WireError(f"{where}.ranges: must be a list")
    within = names(body.get("within"), f"{where}.within")
    ranges = tuple(build(ColumnRange, f"{where}.ranges", each) for each in given)
    return build(AddedScope, where, {**body, "ranges": ranges, "within": within})


def read_search(body: object) -> Search:
    """Return it from its maps; without any, nothing was searched. The version before had no past rows.

    Raises:
        WireError, KeyError, TypeError or ValueError: when a part does not fit.
    """
    values = mapping(body, "search")
    if not values:
        return Search("")
    lattice = None if values["lattice"] is None else _read_lattice(mapping(values["lattice"], "search.lattice"))
    size = 0 if lattice is None else len(lattice)
    arrays = {
        name: array(values[name], f"search.{name}", SEARCH_DTYPES.get(name, "<f8"))
        for name in ("mass", "window", "cohorts", "support", "excess", "onset", "learned")
    }
    if "learned_columns" in values:
        arrays["learned"] = _read_columns(mapping(values["learned_columns"], "search.learned_columns"), _rows(values))
    arrays["begun"] = array(values["begun"], "search.begun", "<f8") if "begun" in values else np.zeros(size)
    shapes: dict[str, tuple[int | None, ...]] = {
        "mass": (None, size),
        "window": (size, None, 2),
        "cohorts": (2, 2, size),
        "support": (size,),
        "excess": (size,),
        "onset": (2, size),
        "learned": (None, None),
        "begun": (size,),
    }
    for name, shape in shapes.items():
        _check(arrays[name], f"search.{name}", shape)
    if not all(
        np.isfinite(arrays[name]).all() and (arrays[name] >= 0).all()
        for name in ("mass", "cohorts", "support", "begun")
    ):
        raise WireError("search: masses and counts must be finite, and at least 0")
    findings = tuple(_read_finding(mapping(each, "search.findings")) for each in values["findings"])
    past = _read_past(mapping(values["past"], "search.past"), lattice) if "past" in values else PastRows()
    own = {name: value for name, value in values.items() if name not in {"learned_columns", "learned_rows"}}
    search = build(Search, "search", {**own, **arrays, "lattice": lattice, "findings": findings, "past": past})
    for name in ("waiting", "cohort_rows", "row", "rows", "found"):
        if type(getattr(search, name)) is not int or not COUNTS.contains(getattr(search, name)):
            raise WireError(f"search.{name}: must be a whole number {COUNTS}")
    check_fields(search, "search")
    return search if "past" in values else replace(search, past=PastRows(next_look=look_after(search.rows)))


def _rows(values: Mapping[str, Any]) -> int:
    """The number of learned rows."""
    rows = values["learned_rows"]
    if type(rows) is not int or not 0 <= rows <= REFERENCE_ROWS:
        raise WireError(f"search.learned_rows: must be a whole number from 0 to {REFERENCE_ROWS:,}")
    return rows


def _read_past(body: Mapping[str, Any], lattice: Lattice | None) -> PastRows:
    arrays = {name: array(body[name], f"search.past.{name}", dtype) for name, dtype in PAST_DTYPES.items()}
    rows, octets = len(arrays["units"]), 0 if lattice is None else -(-len(lattice.column) // 8)
    held, ticks, units = arrays["held"], arrays["ticks"], arrays["units"]
    _check(units, "search.past.units", (None,))
    _check(held, "search.past.held", (rows, octets if rows else None))
    _check(ticks, "search.past.ticks", (None, 3))
    if not (np.isfinite(ticks).all() and (ticks[:, 0] > 0).all() and ticks[:, 0].sum() == rows):
        raise WireError("search.past.ticks: must be finite, and have all rows")
    if rows and not (units.min() >= IN_FOUND_GROUP and units.max() <= LOSS_UNITS):
        raise WireError(f"search.past.units: must be from {IN_FOUND_GROUP} to {LOSS_UNITS}")
    past = build(PastRows, "search.past", {**body, **arrays})
    if not COUNTS.contains(past.next_look):
        raise WireError(f"search.past.next_look: must be a whole number {COUNTS}")
    return past


def _read_lattice(body: Mapping[str, Any]) -> Lattice:
    arrays = {name: array(body[name], f"search.lattice.{name}", dtype) for name, dtype in LATTICE_DTYPES.items()}
    predicates, slices = len(arrays["column"]), len(arrays["limits"])
    for name, shape in {"low": (predicates,), "high": (predicates,), "slices": (slices, PREDICATE_PARTS)}.items():
        _check(arrays[name], f"search.lattice.{name}", shape)
    indices = arrays["slices"]
    if slices and not (indices.min() >= 0 and indices.max() <= predicates and (arrays["limits"] > 0).all()):
        raise WireError("search.lattice: slices must name predicates, and limits lie above 0")
    slots = body.get("slots", 0)
    if type(slots) is not int or not 0 <= slots <= min(SLOTS, slices):
        raise WireError(f"search.lattice.slots: must be a whole number from 0 to {SLOTS}, and at most that of slices")
    return Lattice(**arrays, is_complete=bool(body["is_complete"]), slots=slots)


def _read_finding(body: Mapping[str, Any]) -> FoundGroup:
    predicates = tuple((int(column), float(low), float(high)) for column, low, high in body["predicates"])
    finding = build(FoundGroup, "search.findings", {**body, "predicates": predicates})
    if not (TIMES.contains(finding.time) and TIMES.contains(finding.since_time)):
        raise WireError(f"search.findings: times must be {TIMES}")
    check_fields(finding, "search.findings")
    return finding


def _check(values: NDArray[Any], where: str, shape: tuple[int | None, ...]) -> None:
    fits = values.ndim == len(shape) and all(
        side is None or side == own for side, own in zip(shape, values.shape, strict=True)
    )
    if not fits:
        raise WireError(f"{where}: of shape {values.shape}, which does not fit the slices")
