"""The drift report: one page to read, drawn by Evidently, and its figures. The only module that loads evidently and
pandas, so it runs in a process of its own: together they take seconds and hundreds of megabytes.

The page needs no network, and by its own Content-Security-Policy reaches none. What callers sent stands in it, and is
made harmless on the way in.
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

from tightrope.service.adapters.archive.report_store import policy, script_hashes
from tightrope.service.adapters.archive.row_format import Table
from tightrope.shadow.drift_statistics import (
    CUSTOMARY,
    INPUTS,
    KINDS,
    MOST_VALUES,
    OUTCOMES,
    PAIR,
    Column,
    Drift,
    columns,
    insist_on_rows,
    standings,
)
from tightrope.shadow.page import Subject, head, moment

METHOD = "tightrope_psi"
"""The name under which Evidently knows `drift_statistics.drift`: it draws, and shows the very figures of the tables."""

PREFIX = {INPUTS: "", OUTCOMES: "now against then: ", PAIR: "compressed against baseline: "}
"""What is drawn, told by the column's name."""

DRAWABLE = 1e100
"""Beyond it the width of a histogram is no number any more."""

LONGEST = 40
"""Letters of a category that fit beside a bar."""

_MARKUP = str.maketrans({"<": "(", ">": ")", "&": "+"})


def build(subject: Subject, reference: Table, window: Table) -> tuple[str, dict[str, object]]:
    """The page, whole and for itself, and the figures, ready for JSON.

    Raises:
        TooFewRowsError: when there is too little to tell anything.
    """
    insist_on_rows(len(reference), len(window))
    found = standings(reference, window)
    drifts = {(drift.kind, drift.column): drift for drift in found[0].drifts}
    drawn = _drawn(reference, window, drifts)
    figures: dict[str, object] = {
        "model": subject.model,
        "reference": {"rows": len(reference), "source": subject.source},
        "window": {"rows": len(window)},
        "columns": [_told(drift) for drift in found[0].drifts],
        "scopes": {standing.scope: standing.told() for standing in found},
    }
    page = _draw(drawn, drifts) if drawn else "<!DOCTYPE html><html><head></head><body></body></html>"
    return _whole(page, subject, head(subject, reference, window, found)), figures


def _told(drift: Drift) -> dict[str, object]:
    names = ("kind", "column", "psi", "expected", "alarm", "drifted", "note")
    return {name: getattr(drift, name) for name in names}


Drawn = dict[tuple[str, str], tuple[Column, Column]]


def _drawn(reference: Table, window: Table, drifts: Mapping[tuple[str, str], Drift]) -> Drawn:
    """The samples that Evidently can draw, the most drifted column of each kind first."""
    found = {
        (kind, name): (then, now)
        for kind, name, then, now in columns(reference, window)
        if drifts[kind, name].psi is not None and _drawable(then) and _drawable(now)
    }
    order = sorted(found, key=lambda key: (KINDS.index(key[0]), -(drifts[key].psi or 0.0)))
    return {key: found[key] for key in order}


def _drawable(column: Column) -> bool:
    if column.dtype.kind == "U":
        return bool((column != "").any())
    present = column[np.isfinite(column)]
    return bool(len(present) and np.abs(present).max() < DRAWABLE)


def _draw(drawn: Drawn, drifts: Mapping[tuple[str, str], Drift]) -> str:
    """Evidently's page. All comparisons share it, each as a column of its own; shorter columns end in nothing."""
    names = _names(drawn)
    _teach({names[key]: drifts[key] for key in drawn})
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
    counted = [DriftedColumnsCount(columns=inputs, method=METHOD)] if inputs else []
    metrics = [*counted, *(ValueDrift(column=name, method=METHOD) for name in names.values())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # divisions by zero and infinities inside Evidently, of figures not shown
        reference, window = (Dataset.from_pandas(pd.DataFrame(side), data_definition=definition) for side in sides)
        return str(Report(metrics, include_tests=False).run(window, reference).get_html_str(as_iframe=False))


def _names(drawn: Drawn) -> dict[tuple[str, str], str]:
    """What each column is called on the page: harmless, and no two alike."""
    names: dict[tuple[str, str], str] = {}
    for key in drawn:
        name = f"{PREFIX[key[0]]}{_harmless(key[1])}"
        names[key] = name if name not in names.values() else f"{name} ({len(names)})"
    return names


def _teach(drifts: Mapping[str, Drift]) -> None:
    """Let Evidently ask for the drift of a column by the column's name."""

    def known(reference: Any, _window: Any, _kind: Any, _threshold: float) -> tuple[float, bool]:  # noqa: ANN401 - pandas
        drift = drifts[reference.name]
        return drift.psi or 0.0, drift.drifted

    test = StatTest(METHOD, "PSI", [ColumnType.Numerical, ColumnType.Categorical], CUSTOMARY)
    register_stattest(test, known)


def _categories(reference: Column, window: Column) -> tuple[Column, Column]:
    """Values as short names; all but the most common ones share one."""
    sides = [np.array(list(_labels(side)), dtype=object) for side in (reference, window)]
    values, frequency = np.unique(np.concatenate(sides).astype(str), return_counts=True)
    common = set(values[np.argsort(-frequency)[:MOST_VALUES]])
    first, second = (np.array([v if v in common else "(other)" for v in side], dtype=object) for side in sides)
    return first, second


def _labels(column: Column) -> Iterator[str]:
    for value in column.tolist():
        if isinstance(value, str):
            yield _harmless(value) if value else "(missing)"
        else:
            yield f"{value:g}" if np.isfinite(value) else "(missing)"


def _harmless(text: str) -> str:
    """Text from outside, unable to end the script that it stands in, or to be read as markup by a chart."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return "".join(c if c.isprintable() else "·" for c in short.translate(_MARKUP))


def _whole(page: str, subject: Subject, tables: str) -> str:
    """Evidently's page with our tables on top, and with the policy that keeps it to itself."""
    page = page.replace("\r\n", "\n").strip()
    title = escape(f"{subject.model}: drift report of {moment(subject.made)}")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy(script_hashes(page))}"><title>{title}</title>'
    for mark, addition in (("<head>", meta), ("<body>", tables)):
        before, found, after = page.partition(mark)
        if not found:
            raise ValueError(f"Evidently's page has no {mark}: this version cannot be used")
        page = f"{before}{mark}{addition}{after}"
    return page
