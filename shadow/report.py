"""The drift report: one HTML page, drawn by Evidently, and its statistics as JSON.

This is the only module that imports evidently and pandas, which take seconds to load and hundreds of megabytes; it
therefore runs in a process of its own. The page needs no network, and its Content-Security-Policy forbids it. Text that
callers sent is made harmless before it enters the page.
"""

import os

os.environ["DO_NOT_TRACK"] = os.environ["EVIDENTLY_DISABLE_TELEMETRY"] = "1"  # read when evidently is imported

import warnings
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
from evidently.legacy.core import ColumnType
from evidently.metrics import DriftedColumnsCount, ValueDrift

from tightrope.service.adapters.archive.report_store import content_security_policy, script_hashes
from tightrope.service.adapters.archive.row_format import RowTable
from tightrope.shadow.drift_statistics import (
    COLUMN_KINDS,
    INPUTS,
    MAX_CATEGORIES,
    MIN_DRIFT_PSI,
    OUTCOMES,
    PAIR,
    Column,
    ColumnDrift,
    compared_columns,
    require_rows,
    scope_drifts,
)
from tightrope.shadow.page import ReportSubject, format_time, render_tables

PSI_METHOD = "tightrope_psi"
"""Evidently's name for the PSI of `drift_statistics.column_drift`, so that its charts show the values of the tables."""

COLUMN_PREFIXES = {INPUTS: "", OUTCOMES: "newest against reference: ", PAIR: "compressed against baseline: "}
"""Prefix of a column's name on the page, by kind."""

MAX_DRAWABLE = 1e100
"""Largest magnitude that Evidently can draw: beyond it the width of a histogram overflows."""

MAX_LABEL_LENGTH = 40
"""Letters of a category that fit beside a bar."""

_MARKUP = str.maketrans({"<": "(", ">": ")", "&": "+"})

DrawnColumns = dict[tuple[str, str], tuple[Column, Column]]
"""By kind and column name: the reference sample and the window sample."""


def build(subject: ReportSubject, reference: RowTable, window: RowTable) -> tuple[str, dict[str, object]]:
    """The self-contained HTML page, and the statistics, ready for JSON.

    Raises:
        TooFewRowsError: when either side has fewer rows than `drift_statistics.MIN_ROWS_PER_SIDE`.
    """
    require_rows(len(reference), len(window))
    scopes = scope_drifts(reference, window)
    drifts = {(drift.kind, drift.column): drift for drift in scopes[0].drifts}
    drawn = _select_drawable(reference, window, drifts)
    figures: dict[str, object] = {
        "model": subject.model,
        "reference": {"rows": len(reference), "source": subject.source},
        "window": {"rows": len(window)},
        "columns": [_column_json(drift) for drift in scopes[0].drifts],
        "scopes": {scope.scope: scope.to_json() for scope in scopes},
    }
    page = _draw(drawn, drifts) if drawn else "<!DOCTYPE html><html><head></head><body></body></html>"
    return _add_tables(page, subject, render_tables(subject, reference, window, scopes)), figures


def _column_json(drift: ColumnDrift) -> dict[str, object]:
    names = ("kind", "column", "psi", "expected", "alarm", "drifted", "note")
    return {name: getattr(drift, name) for name in names}


def _select_drawable(
    reference: RowTable, window: RowTable, drifts: Mapping[tuple[str, str], ColumnDrift]
) -> DrawnColumns:
    """The samples that Evidently can draw, the most drifted column of each kind first."""
    samples = {
        (kind, name): (then, now)
        for kind, name, then, now in compared_columns(reference, window)
        if drifts[kind, name].psi is not None and _is_drawable(then) and _is_drawable(now)
    }
    order = sorted(samples, key=lambda key: (COLUMN_KINDS.index(key[0]), -(drifts[key].psi or 0.0)))
    return {key: samples[key] for key in order}


def _is_drawable(column: Column) -> bool:
    if column.dtype.kind == "U":
        return bool((column != "").any())
    present = column[np.isfinite(column)]
    return bool(len(present) and np.abs(present).max() < MAX_DRAWABLE)


def _draw(drawn: DrawnColumns, drifts: Mapping[tuple[str, str], ColumnDrift]) -> str:
    """Evidently's page. Each comparison is a column of one dataset; pandas pads shorter columns with NaN."""
    names = _display_names(drawn)
    _register_psi({names[key]: drifts[key] for key in drawn})
    texts = {key for key, (_, now) in drawn.items() if now.dtype.kind == "U" or key[1].startswith("prediction")}
    sides: list[dict[str, pd.Series]] = [{}, {}]
    for key, (then, now) in drawn.items():
        pair = _categories(then, now) if key in texts else (then, now)
        for side, values in zip(sides, pair, strict=True):
            side[names[key]] = pd.Series(values)
    definition = DataDefinition(
        numerical_columns=[names[key] for key in drawn if key not in texts],
        categorical_columns=[names[key] for key in drawn if key in texts],
    )
    inputs = [names[key] for key in drawn if key[0] == INPUTS]
    counted = [DriftedColumnsCount(columns=inputs, method=PSI_METHOD)] if inputs else []
    metrics = [*counted, *(ValueDrift(column=name, method=PSI_METHOD) for name in names.values())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # divisions by zero and infinities in Evidently, of values that are not shown
        reference, window = (Dataset.from_pandas(pd.DataFrame(side), data_definition=definition) for side in sides)
        return str(Report(metrics, include_tests=False).run(window, reference).get_html_str(as_iframe=False))


def _display_names(drawn: DrawnColumns) -> dict[tuple[str, str], str]:
    """A harmless and unique name for each column."""
    names: dict[tuple[str, str], str] = {}
    for key in drawn:
        name = f"{COLUMN_PREFIXES[key[0]]}{_harmless(key[1])}"
        names[key] = name if name not in names.values() else f"{name} ({len(names)})"
    return names


def _register_psi(drifts: Mapping[str, ColumnDrift]) -> None:
    """Register a test with Evidently that looks up the computed drift by the column's name."""

    def look_up(reference: Any, _window: Any, _kind: Any, _threshold: float) -> tuple[float, bool]:  # noqa: ANN401 - pandas
        drift = drifts[reference.name]
        return drift.psi or 0.0, drift.drifted

    test = StatTest(PSI_METHOD, "PSI", [ColumnType.Numerical, ColumnType.Categorical], MIN_DRIFT_PSI)
    register_stattest(test, look_up)


def _categories(reference: Column, window: Column) -> tuple[Column, Column]:
    """Both columns as short labels; rare values share the label "(other)"."""
    sides = [np.array(list(_labels(side)), dtype=object) for side in (reference, window)]
    values, frequency = np.unique(np.concatenate(sides).astype(str), return_counts=True)
    common = set(values[np.argsort(-frequency)[:MAX_CATEGORIES]])
    first, second = (np.array([v if v in common else "(other)" for v in side], dtype=object) for side in sides)
    return first, second


def _labels(column: Column) -> Iterator[str]:
    for value in column.tolist():
        if isinstance(value, str):
            yield _harmless(value) if value else "(missing)"
        else:
            yield f"{value:g}" if np.isfinite(value) else "(missing)"


def _harmless(text: str) -> str:
    """Text from outside, cut and without markup, so that it can neither end a script nor be parsed by a chart."""
    short = text if len(text) <= MAX_LABEL_LENGTH else f"{text[: MAX_LABEL_LENGTH - 1]}…"
    return "".join(c if c.isprintable() else "·" for c in short.translate(_MARKUP))


def _add_tables(page: str, subject: ReportSubject, tables: str) -> str:
    """Insert the policy and the title into the head of Evidently's page, and the tables on top of its body."""
    page = page.replace("\r\n", "\n").strip()
    title = escape(f"{subject.model}: drift report of {format_time(subject.made)}")
    policy = content_security_policy(script_hashes(page))
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{title}</title>'
    for tag, addition in (("<head>", meta), ("<body>", tables)):
        before, found, after = page.partition(tag)
        if not found:
            raise ValueError(f"Evidently's page has no {tag}: this version of Evidently cannot be used")
        page = f"{before}{tag}{addition}{after}"
    return page
