"""Checks of a decoded snapshot: the numbers are within their bounds, the arrays fit the scopes and monitors, and no
evidence is NaN or infinite, which no alarm could outgrow.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.detector_bank import Cells
from tightrope.monitors.plan import State
from tightrope.service.adapters.wire.bounds import COUNTS, INDICES, TIMES
from tightrope.service.adapters.wire.envelope import WireError, check_fields, mapping

MAX_EVIDENCE_NATS = 1e9
"""The largest log mass of a detector: an alarm needs about twenty, and sets it back."""


def check_state(state: State) -> State:
    """Return the state of a snapshot if it is sound.

    Raises:
        WireError: when a part of it is out of its bounds, or does not fit the others.
    """
    for part, where in (
        (state, "state"),
        (state.lag, "state.lag"),
        (state.unanswered, "state.unanswered"),
        (state.latency, "state.latency"),
        (state.repeats, "state.repeats"),
        *((mode, "state.modes") for mode in state.modes),
        *((record.mode, "state.retained") for record in state.retained.orphans.values()),
        *((record.mode, "state.retained") for pair in state.retained.pairs for record in pair.harmed.values()),
    ):
        check_fields(part, where)
    _check_counts(state.seen, "state.seen")
    _check_counts(state.labels, "state.labels")
    _check_counts(state.repeats.uncounted, "state.repeats.uncounted")
    _check_counts(state.watermarks, "state.watermarks")
    if not all(type(partition) is int and INDICES.contains(partition) for partition in state.watermarks):
        raise WireError("state.watermarks: the keys must be numbers of partitions")
    if len(state.modes) != len(state.scopes) or len(state.cells) != len(state.monitors):
        raise WireError("state: must have one mode for each scope, and the cells of each monitor")
    for kind, reported in mapping(state.sight_notes, "state.sight_notes").items():
        for scope, time in mapping(reported, f"state.sight_notes.{kind}").items():
            if type(time) not in {int, float} or not TIMES.contains(time):
                raise WireError(f"state.sight_notes.{kind}.{scope}: must be {TIMES}")
    if state.added and [each.scope for each in state.added] != list(state.scopes[-len(state.added) :]):
        raise WireError("state.added: must be the last of the scopes")
    _check_arrays(state)
    for cells in state.cells:
        _check_cells(cells, len(state.scopes))
    return state


def _check_counts(counts: Mapping[Any, object], where: str) -> None:
    for name, count in counts.items():
        if type(count) is not int or not COUNTS.contains(count):
            raise WireError(f"{where}.{name}: must be a whole number {COUNTS}")


def _check_arrays(state: State) -> None:
    scopes = len(state.scopes)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("compared", "disagreed", "errors", "sighted"), (scopes,))
    counts = {name: getattr(state, name) for name in (*shapes, "noise")} | {
        f"{field}.{n}": v for field in ("hosts", "refused") for n, v in getattr(state, field).items()
    }
    for name, values in counts.items():
        dtype = "<f8" if name in {"disagreed", "noise"} and values.dtype.kind == "f" else "<i8"
        _check_array(values, f"state.{name}", dtype, shapes.get(name, (scopes, 2)))
        if values.size and not (values.min() >= 0 and values.max() <= COUNTS.high):
            raise WireError(f"state.{name}: must be {COUNTS}")
    _check_array(state.faulty, "state.faulty", "|b1", (scopes,))
    _check_masses(state.latency.log_mass, "state.latency")


def _check_cells(cells: Cells, scopes: int) -> None:
    """Check the arrays of a monitor, whose first axes are variants and scopes, or the model alone."""
    if cells.count.ndim != 2 or cells.count.shape[1] not in {1, scopes}:  # noqa: PLR2004 - variants and scopes
        raise WireError(f"state.cells.count: of shape {cells.count.shape}; it does not fit {scopes} scopes")
    sides = cells.count.shape
    for name in ("count", "pending"):
        _check_array(getattr(cells, name), f"state.cells.{name}", "<i8", sides)
    if cells.pending.size and not (cells.pending.min() >= 0 and cells.pending.max() <= COUNTS.high):
        raise WireError(f"state.cells.pending: must be {COUNTS}")
    _check_array(cells.total, "state.cells.total", "<f8", sides)
    _check_array(cells.tripped, "state.cells.tripped", "|b1", sides)
    for name in ("log_mass", "recovery", "path"):
        values = getattr(cells, name)
        if values.dtype.str != "<f8" or values.shape[:2] != sides:
            raise WireError(f"state.cells.{name}: {values.dtype.str} of shape {values.shape} does not fit {sides}")
        _check_masses(values, f"state.cells.{name}")
    window = cells.window
    if window.dtype.str != "<f8" or window.shape != (*sides, *window.shape[2:3], 2) or not np.isfinite(window).all():
        raise WireError(f"state.cells.window: {window.dtype.str} of shape {window.shape} does not fit {sides}")
    if np.isnan(cells.total).any():
        raise WireError("state.cells.total: must not be NaN")


def _check_array(values: NDArray[Any], where: str, dtype: str, shape: tuple[int, ...]) -> None:
    if values.dtype.str != dtype or values.shape != shape:
        raise WireError(f"{where}: {values.dtype.str} of shape {values.shape} where {dtype} of shape {shape} should be")


def _check_masses(values: NDArray[Any], where: str) -> None:
    """Check logarithms of masses: minus infinity is a mass of zero."""
    if values.dtype.kind != "f" or not bool((values <= MAX_EVIDENCE_NATS).all()):  # NaN fails the comparison
        raise WireError(f"{where}: must be numbers up to {MAX_EVIDENCE_NATS:g}, and not NaN")
