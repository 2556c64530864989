"""Results of `tightrope sweep` for people, in 80 columns: a table, the harm in words, the recommendation."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tightrope.monitors.qualification.cells import QualificationVerdict
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.offline.qualification.harm_words import rounded_figure
from tightrope.offline.sweep.report import SweepReport, SweptVariant
from tightrope.offline.sweep.sweep_words import (
    SHORT_VERDICTS,
    counts,
    harm_sentences,
    limits_of_proof,
    missing_proof,
    names_by_line,
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


def print_sweep(report: SweepReport, out: Console, page: Path | None = None) -> None:
    """Print the table of all variants, what each lacks, the recommendation, and the page that was written."""
    out.print(f"{report.model}: {counts(report)}, against {report.baseline.name}", highlight=False)
    if report.variants:
        out.print(split_words(report), highlight=False, style="dim")
        out.print(_table(report))
    for names, line in _remarks(report):
        out.print(f"[bold]{escape(names)}[/]: {escape(line)}", highlight=False)
    if report.hotspots:
        out.print(_hotspots(report))
    for skipped in report.skipped:
        out.print(f"[yellow]skipped[/] {escape(skipped.name)}: {escape(skipped.reason)}", highlight=False)
    for sentence in limits_of_proof(report) if report.variants else ():
        out.print(sentence, highlight=False, style="dim")
    colour = "yellow" if report.recommended is None else "green"
    out.print(f"[bold {colour}]recommended for {report.goal}[/]: {escape(recommendation(report))}", highlight=False)
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
        grid.add_row(escape(swept.variant.name), word, *kilobytes, *shown, _worst(swept, criterion))
    return grid


def _hotspots(report: SweepReport) -> Table:
    grid = Table(box=None, pad_edge=False, collapse_padding=True, title_justify="left", title_style="bold")
    grid.title = f"hotspots: {report.shown_criterion} when one tensor of the baseline is changed"
    for heading in ("tensor", "change", "all rows", "worst group"):
        grid.add_column(heading, overflow="fold", justify="right" if heading == "all rows" else "left")
    for spot in report.hotspots[:MOST_HOTSPOTS]:
        worst = "-" if spot.worst is None else f"{spot.seen[spot.worst]:.3f} {spot.worst.rpartition('=')[2]}"
        grid.add_row(escape(spot.tensor), spot.change, rounded_figure(spot.seen.get(MODEL_SCOPE)), worst)
    return grid


def _worst(swept: SweptVariant, criterion: str) -> str:
    worst = swept.worst(criterion)
    return "-" if worst is None else f"{worst[1]:.3f} {worst[0].rpartition('=')[2]}"


def _remarks(report: SweepReport) -> Iterator[tuple[str, str]]:
    """Lines about variants, with their names: the harm, what is not proved, and what is withheld."""
    for line, names in names_by_line(report, missing_proof).items():
        yield ", ".join(names), line
    for swept in report.ordered:
        for line in harm_sentences(swept):
            yield swept.variant.name, line
        if swept.withheld:
            yield swept.variant.name, f"withheld, the baseline serves them: {', '.join(swept.withheld)}"
