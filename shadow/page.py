"""The script-free part of the drift report: what is compared, and every statistic in two tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import numpy as np

from tightrope.monitors.records import Role
from tightrope.service.adapters.archive.row_format import RowTable
from tightrope.shadow.drift_statistics import (
    COLUMN_KINDS,
    INPUTS,
    MIN_DRIFT_PSI,
    OUTCOMES,
    PAIR,
    ColumnDrift,
    ScopeDrift,
)

SECTION_TITLES = {
    INPUTS: "Inputs: newest rows against the reference",
    OUTCOMES: "Predictions and confidence: newest rows against the reference",
    PAIR: "Compressed against baseline, on the newest rows",
}

SHARE_TITLES = {INPUTS: "inputs drifted", OUTCOMES: "outcomes drifted", PAIR: "pair differs"}
"""Column titles for the share of drifted columns of each kind."""

STYLE = """<style>
.tightrope { font: 14px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem }
.tightrope h1 { font-size: 1.5rem } .tightrope h2 { font-size: 1.1rem; margin-top: 1.5rem }
.tightrope table { border-collapse: collapse; width: 100% }
.tightrope th, .tightrope td { padding: .15rem .6rem; border-bottom: 1px solid #ddd; text-align: right }
.tightrope th:first-child, .tightrope td:first-child { text-align: left } .tightrope .drifted { color: #b00020 }
.tightrope .columns th + th { width: 8rem } .tightrope .quiet { color: #666 }
</style>"""

EXPLANATION = f"""PSI, the population stability index, is 0 for equal shares in all bins. Two samples of the same
distribution do not give 0: <em>by chance</em> is their average PSI, (B - 1)(1/n + 1/m) for B bins and n and m rows, and
<em>at most</em> the PSI that they exceed once in a thousand times. A column has drifted when its PSI is above that
and above {MIN_DRIFT_PSI:g}. The rows are those that the shadow sampled. These statistics switch no mode; the monitors
do."""


@dataclass(frozen=True, slots=True)
class ReportSubject:
    """The subject of a report: ``made`` in seconds since the epoch, ``source`` names the origin of the reference."""

    model: str
    made: float
    source: str


def render_tables(subject: ReportSubject, reference: RowTable, window: RowTable, drifts: Sequence[ScopeDrift]) -> str:
    """The tables as HTML; all text from outside is escaped."""
    whole = drifts[0]
    facts = "".join(f"<li>{escape(fact, quote=False)}</li>" for fact in _facts(subject, reference, window, whole))
    columns = "".join(
        _column_table(title, [drift for drift in whole.drifts if drift.kind == kind])
        for kind, title in SECTION_TITLES.items()
    )
    return (
        f"{STYLE}<div class='tightrope'><h1>{escape(subject.model)}: drift report of {format_time(subject.made)}</h1>"
        f"<ul>{facts}</ul><p class='quiet'>{EXPLANATION}</p>{_scope_table(drifts)}{columns}"
        "<h2>Distributions, drawn by Evidently</h2></div>"
    )


def format_time(seconds: float) -> str:
    """Seconds since the epoch as a readable UTC time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _facts(subject: ReportSubject, reference: RowTable, window: RowTable, whole: ScopeDrift) -> Iterator[str]:
    yield f"Window: the newest {len(window)} compared rows{_time_span(window)}."
    yield f"Reference: {len(reference)} rows, {subject.source}{_time_span(reference)}."
    changed = [
        str(role)
        for role, then, now in zip(Role, reference.artefacts, window.artefacts, strict=True)
        if then and then != now
    ]
    if changed:
        models = " and the ".join(changed)
        yield f"The {models} model's file has changed since the reference: that alone may change the outcomes."
    if window.left_out:
        yield f"{window.left_out} input columns are not kept, and so not compared."
    untested = [drift for drift in whole.drifts if drift.psi is None]
    if untested:
        yield f"{len(untested)} columns are not tested; the tables give the reasons."


def _time_span(table: RowTable) -> str:
    """The time span of the requests; empty for golden rows, which have none."""
    first, last = float(np.min(table.outcomes["time"])), float(np.max(table.outcomes["time"]))
    return f", from {format_time(first)} to {format_time(last)}" if first else ""


def _scope_table(drifts: Sequence[ScopeDrift]) -> str:
    """One line per scope: rows, disagreement, confidence shift, drifted shares. A loss between 0 and 1 is no share of
    rows.
    """
    is_share = all(drift.is_share for drift in drifts)
    titles = ["scope", "reference rows", "window rows"]
    titles += [f"{side} {'disagree' if is_share else 'mean loss'}" for side in ("reference", "window")]
    titles += [f"confidence shift, {role}" for role in Role] + [SHARE_TITLES[kind] for kind in COLUMN_KINDS]
    lines = [
        [
            escape(drift.scope),
            *(str(drift.rows[side]) for side in ("reference", "window")),
            *((_share if is_share else _figure)(drift.disagreement[side]) for side in ("reference", "window")),
            *(_signed(drift.confidence_shift(role)) for role in Role),
            *(_share(drift.drifted_share(kind)) for kind in COLUMN_KINDS),
        ]
        for drift in drifts
    ]
    return f"<h2>The model and its subgroups</h2>{_html_table(titles, lines)}"


def _column_table(title: str, drifts: Sequence[ColumnDrift]) -> str:
    """One line per column, the largest PSI first."""
    ordered = sorted(drifts, key=lambda drift: -1.0 if drift.psi is None else drift.psi, reverse=True)
    titles = ["column", "PSI", "by chance", "at most", ""]
    return f"<h2>{title}</h2>{_html_table(titles, [_column_cells(drift) for drift in ordered], 'columns')}"


def _column_cells(drift: ColumnDrift) -> list[str]:
    if drift.psi is None:
        return [escape(drift.column), "", "", "", f"<span class='quiet'>{escape(drift.note)}</span>"]
    mark = "<span class='drifted'>drifted</span>" if drift.drifted else ""
    return [escape(drift.column), *(f"{value or 0.0:.4f}" for value in (drift.psi, drift.expected, drift.alarm)), mark]


def _html_table(titles: Sequence[str], lines: Sequence[Sequence[str]], css_class: str = "scopes") -> str:
    header = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table class='{css_class}'><tr>{header}</tr>{body}</table>"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}"
