"""The statistics of a drift report: how far the newest rows are from the reference, next to what chance alone gives.

The measure is the population stability index, PSI = sum over bins of (q - p) ln(q / p), of n reference and m newest
rows over B bins, with half a row added to every bin. Two samples of the same distribution do not have PSI 0 but about
(B - 1)(1/n + 1/m), because PSI / (1/n + 1/m) is then about chi-squared with B - 1 degrees of freedom (Yurdakul and
Naranjo, *Statistical properties of the population stability index*, Journal of Risk Model Validation 14(4), 2020). So
every PSI is reported beside that expectation, and counts as drift only beyond the 99.9 % quantile and beyond 0.1.

These are statistics of a window, for people to read; they switch no mode.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import MODEL_SCOPE, Bools, Fault, Floats, Ints, Role
from tightrope.service.adapters.archive.row_format import PER_ROLE_COLUMNS, RowTable
from tightrope.service.errors import TightropeError

QUANTILE_BINS = 10
"""Bins of a column with many values: the deciles."""

MAX_CATEGORIES = 20
"""A column of strings, or with at most this many values, has a bin for each value; rarer ones share the last bin."""

MIN_DRIFT_PSI = 0.1
"""A smaller PSI is never called drift, for any number of rows (the convention of credit scoring)."""

LARGE_DRIFT_PSI = 0.25
"""A column is not tested where chance alone may reach this PSI, the convention for a large drift."""

Z_999 = 3.0902
"""The 99.9 % quantile of the normal distribution."""

INPUTS, OUTCOMES, PAIR = "inputs", "outcomes", "pair"
COLUMN_KINDS = (INPUTS, OUTCOMES, PAIR)
"""The comparisons: inputs, window against reference; predictions and confidence, window against reference; and within
the window, the compressed model against the baseline.
"""


def chi_squared(degrees: int) -> float:
    """The 99.9 % quantile of chi-squared, within 3 % (Wilson and Hilferty, PNAS 17, 1931)."""
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + Z_999 * part**0.5) ** 3)


MIN_ROWS_PER_SIDE = ceil(2 * chi_squared(QUANTILE_BINS - 1) / LARGE_DRIFT_PSI)
"""With fewer rows on either side, even a large drift over ten bins is indistinguishable from chance: no report."""


class TooFewRowsError(TightropeError):
    """There are too few rows for a report: it would mislead."""


def require_rows(reference: int, window: int) -> None:
    """Check that both sides have enough rows for a report.

    Raises:
        TooFewRowsError: when either side has fewer than `MIN_ROWS_PER_SIDE`.
    """
    if min(reference, window) < MIN_ROWS_PER_SIDE:
        raise TooFewRowsError(
            f"no report yet: {reference} reference rows and {window} newer ones; with fewer than {MIN_ROWS_PER_SIDE} "
            "on either side even a large drift is indistinguishable from chance"
        )


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """The drift of one column: ``reference`` and ``window`` are numbers of rows, ``expected`` is the PSI by chance
    alone, ``alarm`` its 99.9 % quantile. Without a PSI, ``note`` gives the reason.
    """

    kind: str
    column: str
    reference: int
    window: int
    psi: float | None = None
    expected: float | None = None
    alarm: float | None = None
    note: str = ""

    @property
    def drifted(self) -> bool:
        """Whether the PSI exceeds both `MIN_DRIFT_PSI` and what chance explains."""
        return self.psi is not None and self.alarm is not None and self.psi > max(MIN_DRIFT_PSI, self.alarm)


@dataclass(frozen=True, slots=True)
class ScopeDrift:
    """The drift of one scope. ``rows``, ``disagreement`` (the mean loss, a share of rows where ``is_share``) and
    ``confidence`` (mean, by role) have the keys ``reference`` and ``window``; None is a value without sound rows.
    """

    scope: str
    rows: Mapping[str, int]
    disagreement: Mapping[str, float | None]
    confidence: Mapping[str, Mapping[Role, float | None]]
    drifts: Sequence[ColumnDrift]
    is_share: bool = True

    def confidence_shift(self, role: Role) -> float | None:
        """The mean confidence of a model in the window minus that in the reference."""
        then, now = self.confidence["reference"][role], self.confidence["window"][role]
        return None if then is None or now is None else now - then

    def tested(self, kind: str) -> Sequence[ColumnDrift]:
        """The columns of one kind that have a PSI, largest first."""
        return sorted((d for d in self.drifts if d.kind == kind and d.psi is not None), key=lambda d: -(d.psi or 0.0))

    def drifted_share(self, kind: str) -> float | None:
        """The share of the tested columns of one kind that drifted; None without any."""
        tested = self.tested(kind)
        return sum(drift.drifted for drift in tested) / len(tested) if tested else None

    def to_json(self) -> dict[str, object]:
        """The statistics of the scope, ready for JSON."""
        largest = {kind: self.tested(kind)[:1] for kind in COLUMN_KINDS}
        return {
            "rows": self.rows,
            "disagreement": self.disagreement,
            "confidence_shift": {str(role): self.confidence_shift(role) for role in Role},
            "share": {kind: self.drifted_share(kind) for kind in COLUMN_KINDS},
            "psi": {kind: drifts[0].psi if drifts else None for kind, drifts in largest.items()},
            "psi_expected": {kind: drifts[0].expected if drifts else None for kind, drifts in largest.items()},
        }


def scope_drifts(reference: RowTable, window: RowTable) -> Sequence[ScopeDrift]:
    """The drift of every scope of the window: the model as a whole first, then its subgroups."""
    whole = {MODEL_SCOPE: (np.ones(len(reference), dtype=bool), np.ones(len(window), dtype=bool))}
    none = np.zeros(len(reference), dtype=bool)
    groups = {scope: (reference.member.get(scope, none), now) for scope, now in window.member.items()}
    return [
        scope_drift(scope, reference.take(then), window.take(now)) for scope, (then, now) in (whole | groups).items()
    ]


def scope_drift(scope: str, reference: RowTable, window: RowTable) -> ScopeDrift:
    """The drift of one scope; both tables hold the rows of that scope only."""
    sides = {"reference": reference, "window": window}
    losses = {name: _losses(table) for name, table in sides.items()}
    return ScopeDrift(
        scope=scope,
        rows={name: len(table) for name, table in sides.items()},
        disagreement={name: _mean(each) for name, each in losses.items()},
        confidence={
            name: {role: _mean(table.outcomes[f"confidence_{role}"][_sound(table)]) for role in Role}
            for name, table in sides.items()
        },
        drifts=[column_drift(kind, name, then, now) for kind, name, then, now in compared_columns(reference, window)],
        is_share=all(np.isin(each, (0, 1)).all() for each in losses.values()),
    )


def _losses(table: RowTable) -> Floats:
    """The losses of the sound rows that have one."""
    losses = table.outcomes["disagree"][_sound(table)]
    return losses[np.isfinite(losses)]


Column = NDArray[Any]


def compared_columns(reference: RowTable, window: RowTable) -> Iterator[tuple[str, str, Column, Column]]:
    """Each comparison: its kind, the column's name, and the two samples."""
    for name, now in window.inputs.items():
        then = reference.inputs.get(name)
        if then is None or then.dtype.kind != now.dtype.kind:
            then = np.full(len(reference), "" if now.dtype.kind == "U" else np.nan)
        yield INPUTS, name, then, now
    for name in (f"{statistic}_{role}" for statistic in PER_ROLE_COLUMNS for role in Role):
        yield OUTCOMES, name, reference.outcomes[name], window.outcomes[name]
    for statistic in PER_ROLE_COLUMNS:
        yield PAIR, statistic, window.outcomes[f"{statistic}_baseline"], window.outcomes[f"{statistic}_compressed"]


def column_drift(kind: str, name: str, reference: Column, window: Column) -> ColumnDrift:
    """The PSI of one column, or the reason why it is not tested."""
    n, m = len(reference), len(window)
    counts = _bin_counts(reference, window, classes=name.startswith("prediction"))
    bins = counts.shape[1]
    if bins <= 1:
        return ColumnDrift(kind, name, n, m, note="constant")
    scale = 1 / max(n, 1) + 1 / max(m, 1)
    quantile = chi_squared(bins - 1)
    if scale * quantile > LARGE_DRIFT_PSI:
        needed = ceil(2 * quantile / LARGE_DRIFT_PSI)
        return ColumnDrift(kind, name, n, m, note=f"too few rows: {needed} per side needed")
    p, q = ((side + 0.5) / (side.sum() + 0.5 * bins) for side in counts)
    psi = float(((q - p) * np.log(q / p)).sum())
    return ColumnDrift(kind, name, n, m, psi, (bins - 1) * scale, quantile * scale)


def _bin_counts(reference: Column, window: Column, *, classes: bool) -> Ints:
    """(2, bins) rows of either side in each bin; bins that are empty on both sides are left out."""
    codes = _bin_codes(reference, window, classes=classes)
    bins = max((int(code.max(initial=0)) for code in codes), default=0) + 1
    counts = np.array([np.bincount(code, minlength=bins) for code in codes])
    return counts[:, counts.any(axis=0)]


def _bin_codes(reference: Column, window: Column, *, classes: bool) -> tuple[Ints, Ints]:
    """The bin of every row; missing and non-finite values share the first bin.

    Bins are cut from both samples together: bins cut from one sample would fit it better than the other by chance.
    """
    texts = window.dtype.kind == "U"
    both = np.concatenate([reference, window])
    present = both[both != ""] if texts else both[np.isfinite(both)]
    values, frequency = np.unique(present, return_counts=True)
    if texts or len(values) <= MAX_CATEGORIES or (classes and (values % 1 == 0).all()):
        kept = MAX_CATEGORIES - (len(values) > MAX_CATEGORIES)
        codes = _category_codes(both, np.sort(values[np.argsort(-frequency, kind="stable")[:kept]]))
    else:
        probabilities = np.arange(1, QUANTILE_BINS) / QUANTILE_BINS
        edges = np.unique(np.quantile(present, probabilities, method="inverted_cdf"))
        codes = np.where(np.isfinite(both), np.searchsorted(edges, both, side="right") + 1, 0)
    return codes[: len(reference)], codes[len(reference) :]


def _category_codes(column: Column, common: Column) -> Ints:
    """0 for missing values, 1 for rare ones, from 2 on the common ones (sorted)."""
    if not len(common):
        return np.zeros(len(column), dtype=np.int64)
    index = np.searchsorted(common, column)
    is_common = np.append(common, common[:1])[index] == column
    missing = column == "" if column.dtype.kind == "U" else ~np.isfinite(column)
    return np.where(missing, 0, np.where(is_common, index + 2, 1))


def _sound(table: RowTable) -> Bools:
    return np.asarray(table.outcomes["fault"] == Fault.NONE)


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) and np.isfinite(values).all() else None
