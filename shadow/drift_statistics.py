"""The figures of a drift report: how far the newest rows are from the reference, next to what chance alone would show.

The measure is the population stability index, PSI = sum over bins of (q - p) ln(q / p), of n reference and m newest
rows over B bins, with half a row added to every bin. Two samples of the same distribution do not have PSI 0 but about
(B - 1)(1/n + 1/m), because PSI / (1/n + 1/m) is then about chi-squared with B - 1 degrees of freedom (Yurdakul and
Naranjo, *Statistical properties of the population stability index*, Journal of Risk Model Validation 14(4), 2020). So
every PSI stands beside that expectation, and counts as drift only beyond the 99.9 % quantile and the customary 0.1.

These are figures of a window, for people to read. Nothing is switched by them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import MODEL_SCOPE, Bools, Fault, Floats, Ints, Role
from tightrope.service.adapters.archive.row_format import PAIRED, Table
from tightrope.service.errors import TightropeError

BINS = 10
"""Bins of a column with many values: the deciles."""

MOST_VALUES = 20
"""A column with no more values than this has a bin for each, as has one of strings; rarer ones share the last bin."""

CUSTOMARY = 0.1
"""Below it a PSI is called no drift, whatever the number of rows (credit scoring's habit)."""

LARGE = 0.25
"""From it on a PSI is called a large drift: where chance alone may reach it, a column says nothing."""

Z = 3.0902
"""The 99.9 % quantile of the normal distribution."""

INPUTS, OUTCOMES, PAIR = "inputs", "outcomes", "pair"
KINDS = (INPUTS, OUTCOMES, PAIR)
"""What is compared: inputs, now against then; predictions and confidence, now against then; and of the newest rows the
compressed model against the baseline.
"""


def chi_squared(degrees: int) -> float:
    """The 99.9 % quantile of chi-squared, within 3 % (Wilson and Hilferty, PNAS 17, 1931)."""
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + Z * part**0.5) ** 3)


LEAST_ROWS = ceil(2 * chi_squared(BINS - 1) / LARGE)
"""Rows on either side below which even a large drift of ten bins cannot be told from chance: there is no report."""


class TooFewRowsError(TightropeError):
    """A report of so few rows would mislead."""


def insist_on_rows(reference: int, window: int) -> None:
    """Refuse to report about too few rows.

    Raises:
        TooFewRowsError: when either side has fewer than `LEAST_ROWS`.
    """
    if min(reference, window) < LEAST_ROWS:
        raise TooFewRowsError(
            f"no report yet: {reference} reference rows and {window} newer ones, and with fewer than {LEAST_ROWS} on "
            "either side even a large drift cannot be told from chance"
        )


@dataclass(frozen=True, slots=True)
class Drift:
    """One column's drift. ``reference`` and ``window`` are rows, ``expected`` the PSI of chance alone, ``alarm`` what
    chance exceeds once in a thousand times. Without a PSI, ``note`` says why.
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
        """More than custom tolerates, and than chance explains."""
        return self.psi is not None and self.alarm is not None and self.psi > max(CUSTOMARY, self.alarm)


@dataclass(frozen=True, slots=True)
class Standing:
    """One scope: rows, disagreement and mean confidence by ``reference`` and ``window`` (a share and means; None where
    there is nothing to take them of), and the drift of every column.
    """

    scope: str
    rows: Mapping[str, int]
    disagreement: Mapping[str, float | None]
    confidence: Mapping[str, Mapping[Role, float | None]]
    drifts: Sequence[Drift]

    def shift(self, role: Role) -> float | None:
        """How much a model's mean confidence has moved."""
        then, now = self.confidence["reference"][role], self.confidence["window"][role]
        return None if then is None or now is None else now - then

    def tested(self, kind: str) -> Sequence[Drift]:
        """The columns of one kind that have a PSI, largest first."""
        return sorted((d for d in self.drifts if d.kind == kind and d.psi is not None), key=lambda d: -(d.psi or 0.0))

    def share(self, kind: str) -> float | None:
        """The share of the tested columns of one kind that drifted."""
        tested = self.tested(kind)
        return sum(drift.drifted for drift in tested) / len(tested) if tested else None

    def told(self) -> dict[str, object]:
        """For machines: every figure by what it is a figure of."""
        largest = {kind: self.tested(kind)[:1] for kind in KINDS}
        return {
            "rows": self.rows,
            "disagreement": self.disagreement,
            "confidence_shift": {str(role): self.shift(role) for role in Role},
            "share": {kind: self.share(kind) for kind in KINDS},
            "psi": {kind: found[0].psi if found else None for kind, found in largest.items()},
            "psi_expected": {kind: found[0].expected if found else None for kind, found in largest.items()},
        }


def standings(reference: Table, window: Table) -> Sequence[Standing]:
    """Every scope of the window: the model as a whole first, then its subgroups."""
    whole = {MODEL_SCOPE: (np.ones(len(reference), dtype=bool), np.ones(len(window), dtype=bool))}
    none = np.zeros(len(reference), dtype=bool)
    groups = {scope: (reference.member.get(scope, none), now) for scope, now in window.member.items()}
    return [standing(scope, reference.take(then), window.take(now)) for scope, (then, now) in (whole | groups).items()]


def standing(scope: str, reference: Table, window: Table) -> Standing:
    """One scope's figures."""
    sides = {"reference": reference, "window": window}
    return Standing(
        scope=scope,
        rows={name: len(table) for name, table in sides.items()},
        disagreement={name: _mean(table.outcomes["disagree"][_sound(table)]) for name, table in sides.items()},
        confidence={
            name: {role: _mean(table.outcomes[f"confidence_{role}"][_sound(table)]) for role in Role}
            for name, table in sides.items()
        },
        drifts=[drift(kind, name, then, now) for kind, name, then, now in columns(reference, window)],
    )


Column = NDArray[Any]


def columns(reference: Table, window: Table) -> Iterator[tuple[str, str, Column, Column]]:
    """Everything that is compared: its kind, its name, and the two samples."""
    for name, now in window.inputs.items():
        then = reference.inputs.get(name)
        if then is None or then.dtype.kind != now.dtype.kind:
            then = np.full(len(reference), "" if now.dtype.kind == "U" else np.nan)
        yield INPUTS, name, then, now
    for name in (f"{figure}_{role}" for figure in PAIRED for role in Role):
        yield OUTCOMES, name, reference.outcomes[name], window.outcomes[name]
    for figure in PAIRED:
        yield PAIR, figure, window.outcomes[f"{figure}_baseline"], window.outcomes[f"{figure}_compressed"]


def drift(kind: str, name: str, reference: Column, window: Column) -> Drift:
    """One column's PSI, or why there is none."""
    n, m = len(reference), len(window)
    counts = _counts(reference, window, classes=name.startswith("prediction"))
    bins = counts.shape[1]
    if bins <= 1:
        return Drift(kind, name, n, m, note="constant")
    scale = 1 / max(n, 1) + 1 / max(m, 1)
    if scale * chi_squared(bins - 1) > LARGE:
        return Drift(
            kind, name, n, m, note=f"too few rows: {ceil(2 * chi_squared(bins - 1) / LARGE)} a side are needed"
        )
    p, q = ((side + 0.5) / (side.sum() + 0.5 * bins) for side in counts)
    psi = float(((q - p) * np.log(q / p)).sum())
    return Drift(kind, name, n, m, psi, (bins - 1) * scale, chi_squared(bins - 1) * scale)


def _counts(reference: Column, window: Column, *, classes: bool) -> Ints:
    """(2, bins) rows of either side in each bin; bins that both leave empty are left out."""
    codes = _codes(reference, window, classes=classes)
    bins = max((int(code.max(initial=0)) for code in codes), default=0) + 1
    counts = np.array([np.bincount(code, minlength=bins) for code in codes])
    return counts[:, counts.any(axis=0)]


def _codes(reference: Column, window: Column, *, classes: bool) -> tuple[Ints, Ints]:
    """The bin of every row; what is missing or not finite has a bin of its own, the first.

    Bins are cut from both samples together: cut from one of them they would fit it better than the other by chance.
    """
    texts = window.dtype.kind == "U"
    both = np.concatenate([reference, window])
    present = both[both != ""] if texts else both[np.isfinite(both)]
    values, frequency = np.unique(present, return_counts=True)
    if texts or len(values) <= MOST_VALUES or (classes and (values % 1 == 0).all()):
        common = np.sort(values[np.argsort(-frequency, kind="stable")[: MOST_VALUES - (len(values) > MOST_VALUES)]])
        codes = _category(both, common)
    else:
        edges = np.unique(np.quantile(present, np.arange(1, BINS) / BINS, method="inverted_cdf"))
        codes = np.where(np.isfinite(both), np.searchsorted(edges, both, side="right") + 1, 0)
    return codes[: len(reference)], codes[len(reference) :]


def _category(column: Column, common: Column) -> Ints:
    """0 for what is missing, 1 for what is rare, and from 2 on the common values."""
    if not len(common):
        return np.zeros(len(column), dtype=np.int64)
    place = np.searchsorted(common, column)
    known = np.append(common, common[:1])[place] == column
    missing = column == "" if column.dtype.kind == "U" else ~np.isfinite(column)
    return np.where(missing, 0, np.where(known, place + 2, 1))


def _sound(table: Table) -> Bools:
    return np.asarray(table.outcomes["fault"] == Fault.NONE)


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) and np.isfinite(values).all() else None
