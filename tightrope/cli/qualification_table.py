"""Results of `tightrope qualify` for people, in 80 columns: the verdict, the harmed groups in words, and tables."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table

from tightrope.monitors.qualification.cells import JudgedCell, QualificationVerdict
from tightrope.monitors.records import Outcome, Role
from tightrope.offline.qualification.cost_cells import ENERGY
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.qualification.harm_words import first_of_scopes, in_words, rounded_figure
from tightrope.offline.qualification.qualify import QualificationReport
from tightrope.offline.qualification.stress.words import scenario_lines

VERDICT_WORDS = {
    QualificationVerdict.QUALIFIED: ("QUALIFIED", "green"),
    QualificationVerdict.BREACH: ("PROVED HARMFUL", "red"),
    QualificationVerdict.INSUFFICIENT: ("CANNOT TELL", "yellow"),
    QualificationVerdict.ERROR: ("COULD NOT MEASURE", "yellow"),
}

COST_UNITS = {
    "latency_p50": (1e6, "us"),
    "latency_p99": (1e6, "us"),
    "peak_memory": (1e-6, "MB"),
    "file_size": (1e-3, "KB"),
    "energy": (1e6, "uJ a row"),
}
"""Factors and units of the costs that are shown."""

CPU_UNIT = "us of CPU a row"
"""The unit of energy where the host counts no joules, by the same factor."""

MOST_SENTENCES = 4


def print_report(report: QualificationReport, out: Console) -> None:
    """Print the verdict, what is harmed, what cannot be told, and a summary of what passes."""
    subject, baseline = report.statement.subject
    data = report.statement.predicate.data
    rows = f"{data.judged_on:,} of {data.rows:,} rows of {report.data}"
    out.print(f"{report.model}: {subject.name} against {baseline.name}, {rows}", highlight=False)
    word, colour = VERDICT_WORDS[report.verdict]
    out.print(f"[bold {colour}]{word}[/]: {_counts(report.cells)}", highlight=False)
    breaches = [each for each in report.cells if each.outcome is Outcome.BREACH]
    for judged in first_of_scopes(breaches)[:MOST_SENTENCES]:
        out.print(f"  {in_words(judged)}", style="red", highlight=False)
    if breaches:
        out.print(_table(breaches, "over their limit", "at least", [rounded_figure(_least(each)) for each in breaches]))
    if unsure := [each for each in report.cells if each.outcome is Outcome.INSUFFICIENT]:
        out.print(_table(unsure, "cannot tell", "more rows", [_short(each.note) for each in unsure]))
    for line in _unmeasured(report.cells):
        out.print(line, highlight=False)
    for line in _passes(report.cells):
        out.print(line, highlight=False)
    for line in _costs(report.costs):
        out.print(line, highlight=False, style="dim")
    for line in scenario_lines(report.stress.scenarios):
        out.print(line, highlight=False, style="dim")
    for note in report.notes:
        out.print(note, highlight=False)
    for path in report.files:
        out.print(f"wrote {path}", highlight=False, soft_wrap=True)


def _short(note: str) -> str:
    """A note in a narrow column under the heading of missing rows."""
    for long, short in (("about ", ""), (" more rows", ""), (" more", ""), (" the limit", "")):
        note = note.replace(long, short)
    return note


def _counts(cells: Sequence[JudgedCell]) -> str:
    words = {
        Outcome.BREACH: "over their limit",
        Outcome.ERROR: "not measured",
        Outcome.INSUFFICIENT: "cannot tell",
        Outcome.PASS: "pass",
    }
    counts = {outcome: sum(each.outcome is outcome for each in cells) for outcome in words}
    listed = ", ".join(f"{count} {words[outcome]}" for outcome, count in counts.items() if count)
    return f"of {len(cells)} cells {listed}"


def _least(judged: JudgedCell) -> float | None:
    return None if judged.cell.evidence is None else judged.cell.evidence.at_least


def _table(cells: Sequence[JudgedCell], title: str, last: str, figures: Sequence[str]) -> Table:
    grid = Table(box=None, pad_edge=False, collapse_padding=True, title=title, title_justify="left", title_style="bold")
    grid.add_column("criterion", no_wrap=True)
    grid.add_column("scope", no_wrap=True)
    for heading in ("rows", "seen", "limit"):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column(last, justify="right" if last == "at least" else "left")
    for judged, shown in zip(cells, figures, strict=True):
        cell, evidence = judged.cell, judged.cell.evidence
        name = " ".join(part for part in (cell.criterion, cell.variant) if part)
        rows, seen = ("-", None) if evidence is None else (f"{evidence.rows:,}", evidence.seen)
        grid.add_row(name, cell.scope, rows, rounded_figure(seen), f"{cell.limit:g}", shown)
    return grid


def _unmeasured(cells: Sequence[JudgedCell]) -> Iterator[str]:
    """A line for each reason, with the criteria that could not be measured."""
    reasons: dict[str, list[str]] = {}
    for judged in cells:
        if judged.outcome is Outcome.ERROR:
            reasons.setdefault(judged.note, []).append(judged.cell.criterion)
    for note, names in reasons.items():
        yield f"[yellow]{note}[/]: {', '.join(dict.fromkeys(names))}"


def _passes(cells: Sequence[JudgedCell]) -> Iterator[str]:
    """A line for each criterion with the pass that is nearest to its limit."""
    passed = [each for each in cells if each.outcome is Outcome.PASS and each.cell.evidence is not None]
    for name, group in groupby(passed, key=lambda each: each.cell.criterion):
        found = list(group)
        worst = max(found, key=_use_of_limit)
        bound = worst.cell.evidence.bound if worst.cell.evidence else 1.0
        number = f"{len(found)} cells pass" if len(found) > 1 else "passes"
        if worst.note:
            number += f", {worst.note}"
        most = rounded_figure(bound)
        yield f"[green]{name}[/] {number}; {worst.cell.scope} at most {most}, limit {worst.cell.limit:g}"


def _use_of_limit(judged: JudgedCell) -> float:
    return 0.0 if judged.cell.evidence is None else judged.cell.evidence.bound / judged.cell.limit


def _costs(costs: Costs | None) -> Iterator[str]:
    """A line with the costs of both models, the compressed one first."""
    if costs is None:
        return
    for name, (scale, usual) in COST_UNITS.items():
        found = costs.by_criterion()[name]
        unit = CPU_UNIT if name == ENERGY and not costs.joules_per_row else usual
        shown = [found.get(str(role)) for role in (Role.COMPRESSED, Role.BASELINE)]
        ours, theirs = ("-" if value is None else f"{value * scale:,.0f}" for value in shown)
        yield f"{name} {ours} {unit}, the baseline {theirs} {unit}"
