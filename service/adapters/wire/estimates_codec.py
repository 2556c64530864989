"""The sums behind intervals in a snapshot, as plain maps. Snapshots of earlier versions do not have them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.intervals.checkpoints import Checkpoints
from tightrope.monitors.intervals.cohorts import RUNGS, SUMS, Cohorts
from tightrope.monitors.intervals.estimates import Estimates
from tightrope.monitors.verdict import Onset
from tightrope.service.adapters.wire.bounds import COUNTS
from tightrope.service.adapters.wire.envelope import WireError, array, build, check_fields, mapping, record_fields


def estimates_fields(estimates: Estimates) -> dict[str, object]:
    """Return them as maps with sorted keys, so that equal ones have equal bytes."""
    onsets = {scope: dict(sorted(by_monitor.items())) for scope, by_monitor in sorted(estimates.onsets.items())}
    return {**record_fields(estimates), "onsets": onsets}


def read_estimates(body: object) -> Estimates:
    """Return them from their maps; empty ones where a snapshot has none.

    Raises:
        WireError: when a part does not fit.
    """
    values = mapping(body, "estimates")
    if not values:
        return Estimates.fresh(())
    estimates = build(
        Estimates,
        "estimates",
        {
            **values,
            "cohorts": _read_cohorts(values.get("cohorts")),
            "checkpoints": _read_checkpoints(values.get("checkpoints")),
            "onsets": {
                scope: {name: _read_onset(onset) for name, onset in mapping(onsets, "estimates.onsets").items()}
                for scope, onsets in mapping(values.get("onsets"), "estimates.onsets").items()
            },
        },
    )
    check_fields(estimates, "estimates")
    return estimates


def _read_onset(body: object) -> Onset:
    onset = build(Onset, "estimates.onsets", body)
    check_fields(onset, "estimates.onsets")
    return onset


def _read_cohorts(body: object) -> Cohorts:
    where = "estimates.cohorts"
    values = mapping(body, where)
    age = _sums(values, "age", where, (None,))
    sums = _sums(values, "sums", where, (len(age), len(RUNGS), 2, len(SUMS)))
    return Cohorts(age, sums, _sums(values, "before", where, (len(age), len(SUMS))))


def _read_checkpoints(body: object) -> Checkpoints:
    where = "estimates.checkpoints"
    values = mapping(body, where)
    start = _sums(values, "start", where, (None,), "<i8")
    rows = _sums(values, "rows", where, (None,), "<i8")
    steps, total = (_sums(values, name, where, (len(rows), len(start)), "<f4") for name in ("steps", "total"))
    times, started = (array(values.get(name), f"{where}.{name}", "<f8") for name in ("times", "started"))
    if (times.shape, started.shape) != (rows.shape, start.shape):
        raise WireError(f"{where}: must have one time for each checkpoint and each cell")
    return Checkpoints(rows, times, steps, total, start, started)


def _sums(
    values: Mapping[str, Any], name: str, where: str, shape: tuple[int | None, ...], dtype: str = "<f8"
) -> NDArray[Any]:
    """An array of finite sums; a side of None may have any length.

    Sums of squares may lie below zero by as much as they are rounded.
    """
    found = array(values.get(name), f"{where}.{name}", dtype)
    fits = found.ndim == len(shape) and all(side in {None, own} for side, own in zip(shape, found.shape, strict=True))
    if not fits or not bool(((found >= -1) & (found <= COUNTS.high)).all()):
        raise WireError(f"{where}.{name}: must be numbers {COUNTS}, in the shape of the other arrays")
    return np.asarray(found)
