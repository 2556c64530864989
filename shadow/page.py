"""The part of the drift report that needs no script: what is compared, and every figure in two tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import numpy as np

from tightrope.monitors.records import Role
from tightrope.service.adapters.archive.row_format import Table
from tightrope.shadow.drift_statistics import CUSTOMARY, INPUTS, KINDS, OUTCOMES, PAIR, Drift, Standing

TITLES = {
    INPUTS: "Inputs: now against then",
    OUTCOMES: "Predictions and confidence: now against then",
    PAIR: "Compressed against baseline, on the newest rows",
}

SHARES = {INPUTS: "inputs drifted", OUTCOMES: "outcomes drifted", PAIR: "models apart"}
"""What the share of drifted columns of each kind is called."""

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
distribution do not give 0: <em>by chance</em> is what they give on average, (B - 1)(1/n + 1/m) for B bins and n and m
rows, and <em>at most</em> what they exceed once in a thousand times. A column has drifted when its PSI is above that
and above {CUSTOMARY:g}. Rows are as the shadow sampled them. These figures switch nothing; the monitors do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about. ``made`` in seconds since the epoch; ``source`` says in words where the reference is
    from.
    """

    model: str
    made: float
    source: str


def head(subject: Subject, reference: Table, window: Table, found: Sequence[Standing]) -> str:
    """The tables as HTML; whatever is not ours is escaped."""
    whole = found[0]
    facts = "".join(f"<li>{escape(fact, quote=False)}</li>" for fact in _facts(subject, reference, window, whole))
    columns = "".join(_columns(title, [d for d in whole.drifts if d.kind == kind]) for kind, title in TITLES.items())
    return (
        f"{STYLE}<div class='tightrope'><h1>{escape(subject.model)}: drift report of {moment(subject.made)}</h1>"
        f"<ul>{facts}</ul><p class='quiet'>{EXPLANATION}</p>{_scopes(found)}{columns}"
        "<h2>Distributions, drawn by Evidently</h2></div>"
    )


def moment(at: float) -> str:
    """Seconds since the epoch as people read them."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _facts(subject: Subject, reference: Table, window: Table, whole: Standing) -> Iterator[str]:
    yield f"Now: the newest {len(window)} compared rows{_span(window)}."
    yield f"Then: {len(reference)} rows, {subject.source}{_span(reference)}."
    changed = [
        str(role)
        for role, then, now in zip(Role, reference.artefacts, window.artefacts, strict=True)
        if then and then != now
    ]
    if changed:
        yield f"The {' and the '.join(changed)} model's file is not the one of then: outcomes may differ for that."
    if window.left_out:
        yield f"{window.left_out} input columns are not kept, and not looked at."
    untested = [drift for drift in whole.drifts if drift.psi is None]
    if untested:
        yield f"{len(untested)} columns are not tested; the tables say why."


def _span(table: Table) -> str:
    """When the rows were asked, if they are traffic."""
    first, last = float(np.min(table.outcomes["time"])), float(np.max(table.outcomes["time"]))
    return f", from {moment(first)} to {moment(last)}" if first else ""


def _scopes(found: Sequence[Standing]) -> str:
    """One line a scope: rows, disagreement, confidence shift, drift share."""
    names = ["scope", "rows then", "rows now", "disagree then", "disagree now"]
    names += [f"confidence shift, {role}" for role in Role] + [SHARES[kind] for kind in KINDS]
    lines = [
        [
            escape(s.scope),
            *(str(s.rows[side]) for side in ("reference", "window")),
            *(_share(s.disagreement[side]) for side in ("reference", "window")),
            *(_signed(s.shift(role)) for role in Role),
            *(_share(s.share(kind)) for kind in KINDS),
        ]
        for s in found
    ]
    return f"<h2>The model and its subgroups</h2>{_table(names, lines)}"


def _columns(title: str, drifts: Sequence[Drift]) -> str:
    """One line a column, the most drifted first."""
    ordered = sorted(drifts, key=lambda d: -1.0 if d.psi is None else d.psi, reverse=True)
    names = ["column", "PSI", "by chance", "at most", ""]
    return f"<h2>{title}</h2>{_table(names, [_column(drift) for drift in ordered], 'columns')}"


def _column(drift: Drift) -> list[str]:
    if drift.psi is None:
        return [escape(drift.column), "", "", "", f"<span class='quiet'>{escape(drift.note)}</span>"]
    said = "<span class='drifted'>drifted</span>" if drift.drifted else ""
    return [escape(drift.column), *(f"{value or 0.0:.4f}" for value in (drift.psi, drift.expected, drift.alarm)), said]


def _table(names: Sequence[str], lines: Sequence[Sequence[str]], kind: str = "scopes") -> str:
    first = "".join(f"<th>{name}</th>" for name in names)
    rest = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table class='{kind}'><tr>{first}</tr>{rest}</table>"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}"
