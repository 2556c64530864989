"""Results of `tightrope sweep` for people, in 80 columns: a table, the harm in words, the recommendation."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.monitors.records import MODEL_SCOPE, Outcome
from tightrope.offline.qualification.harm_words import figure
from tightrope.offline.sweep.report import SweepReport, SweptVariant
from tightrope.offline.sweep.sweep_words import (
    SHORT_VERDICTS,
    counts,
    harm_sentences,
    limits_of_proof,
    recommendation,
    split_words,
)

COLOURS = {
    QualificationVerdict.QUALIFIED: "green",
    QualificationVerdict.INSUFFICIENT: "yellow",
    QualificationVerdict.ERROR: "yellow",
    QualificationVerdict.BREACH: "red",
}

MOST_HOTSPOTS = 6
MOST_UNSURE = 2
"""Cells of a variant that are named with the rows that they lack."""


def print_sweep(report: SweepReport, out: Console, page: Path | None = None) -> None:
    """Print the table of all variants, what each lacks, the recommendation, and the page that was written."""
    out.print(f"{report.model}: {counts(report)}, against {report.baseline.name}", highlight=False)
    if report.variants:
        out.print(split_words(report), highlight=False, style="dim")
        out.print(_table(report))
    for swept in report.ordered:
        for line in _remarks(swept):
            out.print(f"[bold]{swept.variant.name}[/]: {line}", highlight=False)
    if report.hotspots:
        out.print(_hotspots(report))
    for skipped in report.skipped:
        out.print(f"[yellow]skipped[/] {skipped.name}: {skipped.reason}", highlight=False)
    for sentence in limits_of_proof(report) if report.variants else ():
        out.print(sentence, highlight=False, style="dim")
    colour = "yellow" if report.recommended is None else "green"
    out.print(f"[bold {colour}]recommended for {report.goal}[/]: {recommendation(report)}", highlight=False)
    if page is not None:
        out.print(f"wrote {page}", highlight=False, soft_wrap=True)


def _table(report: SweepReport) -> Table:
    criterion = report.shown_criterion
    grid = Table(
        box=None, pad_edge=False, collapse_padding=True, title=f"worst: subgroup with the largest bound of {criterion}"
    )
    grid.title_justify, grid.title_style = "left", "dim"
    grid.add_column("variant", overflow="fold")
    grid.add_column("verdict", no_wrap=True)
    for heading in ("KB", "gzip", "p50 x", "seen"):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column("worst, at most", overflow="fold")
    size = report.baseline_size
    kilobytes = [f"{each / 1000:,.0f}" for each in (size.file_bytes, size.deflated_bytes)]
    grid.add_row("(baseline)", "", *kilobytes, "1.00", "", "", style="dim")
    for swept in report.ordered:
        word = f"[{COLOURS[swept.verdict]}]{SHORT_VERDICTS[swept.verdict]}[/]"
        kilobytes = [f"{each / 1000:,.0f}" for each in (swept.size.file_bytes, swept.size.deflated_bytes)]
        ratio = swept.ratio("latency_p50")
        seen = swept.seen_in(criterion, MODEL_SCOPE)
        shown = ["-" if ratio is None else f"{ratio:.2f}", "-" if seen is None else f"{seen:.4f}"]
        grid.add_row(swept.variant.name, word, *kilobytes, *shown, _worst(swept, criterion))
    return grid


def _hotspots(report: SweepReport) -> Table:
    grid = Table(box=None, pad_edge=False, collapse_padding=True, title_justify="left", title_style="bold")
    grid.title = f"hotspots: {report.shown_criterion} when one tensor of the baseline is changed"
    for heading in ("tensor", "change", "all rows", "worst group"):
        grid.add_column(heading, overflow="fold", justify="right" if heading == "all rows" else "left")
    for spot in report.hotspots[:MOST_HOTSPOTS]:
        worst = "-" if spot.worst is None else f"{spot.seen[spot.worst]:.3f} {spot.worst.rpartition('=')[2]}"
        grid.add_row(spot.tensor, spot.change, figure(spot.seen.get(MODEL_SCOPE)), worst)
    return grid


def _worst(swept: SweptVariant, criterion: str) -> str:
    worst = swept.worst(criterion)
    return "-" if worst is None else f"{worst[1]:.3f} {worst[0].rpartition('=')[2]}"


def _remarks(swept: SweptVariant) -> list[str]:
    """The harm, the cells that lack rows, and those that were not measured or are withheld."""
    lines = harm_sentences(swept)
    if swept.verdict is QualificationVerdict.INSUFFICIENT:
        unsure = [each for each in swept.cells if each.outcome is Outcome.INSUFFICIENT]
        lines += [f"{each.cell.name}: {each.note}" for each in unsure[:MOST_UNSURE]]
        if len(unsure) > MOST_UNSURE:
            lines.append(f"and {len(unsure) - MOST_UNSURE} more cells that cannot be told")
        if not unsure:
            lines.append(f"was over a limit on the rows that choose: {swept.opposed[0]}")
    reasons = dict.fromkeys(each.note for each in swept.cells if each.outcome is Outcome.ERROR)
    return [
        *lines,
        *reasons,
        *([f"withheld, the baseline serves them: {', '.join(swept.withheld)}"] * bool(swept.withheld)),
    ]
