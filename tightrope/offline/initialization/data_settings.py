"""Settings that a file of rows supports: a tolerance, and limits that leave room for what was seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tightrope.monitors.compare import Scale
from tightrope.monitors.records import Role
from tightrope.offline.limits import Limits, Monitor, limits
from tightrope.offline.pair_evaluation import prepare
from tightrope.service.config.loader import Settings

PER_SECOND = 10.0
"""Requests a second for which detection delays would be shown."""

TOLERATED_SHARE = 0.05
"""Share of the span of the baseline's answers that is proposed as a tolerance."""

SPAN_PERCENTILES = (5.0, 95.0)
"""Percentiles of the baseline's answers that bound its span."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A proposed tolerance, and the span of the baseline's answers that it is a share of."""

    value: float
    span: float


@dataclass(frozen=True, slots=True)
class SeenLimits:
    """Limits by monitor, for the model and for its subgroups, with what was seen in words; and lines for people."""

    rows: int
    proposed: Mapping[str, tuple[float, str]]
    lines: tuple[str, ...]


def propose_tolerance(settings: Settings, name: str, data: Path) -> Tolerance | None:
    """Propose a tolerance of a regression from the rows of a file; None where its answers have no span.

    Raises:
        RowFileError: when the file cannot be used.
    """
    evaluation = prepare(settings, name, data)
    if evaluation.pair.decision.scale is not Scale.REGRESSION:
        return None
    low, high = np.percentile(evaluation.answers(Role.BASELINE).values, SPAN_PERCENTILES)
    span = float(high - low)
    return Tolerance(float(f"{TOLERATED_SHARE * span:.1g}"), span) if span > 0 else None


def seen_limits(settings: Settings, name: str, data: Path) -> SeenLimits:
    """Propose limits from the rows of a file.

    Raises:
        RowFileError: when the file cannot be used.
    """
    result = limits(settings, data, name, PER_SECOND)
    proposed = {monitor.name: (limit, _seen(monitor)) for monitor, limit in _proposals(result)}
    return SeenLimits(result.rows, proposed, tuple(_lines(result)))


def _proposals(result: Limits) -> Iterator[tuple[Monitor, float]]:
    for monitor in result.monitors:
        if monitor.proposal.model is not None:
            yield monitor, monitor.proposal.model


def _seen(monitor: Monitor) -> str:
    cell, limit = monitor.cells[0], monitor.proposal.model
    above = f"; more than the default {cell.limit:g}" if limit is not None and limit > cell.limit else ""
    return f"{abs(cell.seen or 0.0):.4f} seen on {cell.rows:,} rows, at most {cell.bound:.4f}{above}"


def _lines(result: Limits) -> Iterator[str]:
    """Yield one line a monitor: the limit, or why it has no limit."""
    for monitor in result.monitors:
        limit, cell = monitor.proposal.model, monitor.cells[0]
        if limit is not None:
            yield f"{monitor.name}: limit {limit:g}; {_seen(monitor)}"
        elif not cell.enough:
            needs = f"{cell.needs:,} prove the default {cell.limit:g}"
            yield f"{monitor.name}: {cell.rows:,} rows are too few for a limit; {needs}"
        else:
            yield f"{monitor.name}: {_seen(monitor)}, which no limit allows"
