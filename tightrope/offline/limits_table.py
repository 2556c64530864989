"""Results of `tightrope limits` for people: tables, notes, and lines to paste."""

from collections.abc import Iterator
from math import inf

from rich.console import Console
from rich.table import Table

from tightrope.offline.detection_delay import HARM_MULTIPLES, Harm, format_duration
from tightrope.offline.limits import Limits, Monitor


def print_limits(result: Limits, out: Console) -> None:
    """Print every monitor's cells, detection delays and proposal, and the lines to paste into the configuration."""
    out.print(
        f"{result.model} on {result.rows:,} rows; 2x to 10x: time to detect that multiple of the "
        f"{result.harms_beyond} limit, at {result.per_second:g} requests a second",
        highlight=False,
    )
    for monitor in result.monitors:
        first = monitor.cells[0]
        noise = "no rows" if first.noise is None else f"{_figure(first.noise)}, at most {_figure(first.noise_bound)}"
        out.print(f"\n[bold]{monitor.name}[/] (the baseline with itself: {noise})", highlight=False)
        out.print(_cell_table(monitor))
        for line in _notes(monitor):
            out.print(line, highlight=False)
    out.print(f"\nUnder models.{result.model}, if these limits are tolerable:", style="bold", highlight=False)
    for key, side in (("limits", "model"), ("subgroup_limits", "subgroups")):
        proposed = {monitor.name: getattr(monitor.proposal, side) for monitor in result.monitors}
        pasted = ", ".join(f"{name}: {limit}" for name, limit in proposed.items() if limit is not None)
        if pasted:
            out.print(f"    {key}: {{{pasted}}}", soft_wrap=True, markup=False, highlight=False)


def _cell_table(monitor: Monitor) -> Table:
    """Return a table with one row per scope, red where the pair is over its limit."""
    grid = Table(box=None, pad_edge=False, collapse_padding=True)
    grid.add_column("scope", no_wrap=True)
    for heading in ("rows", "seen", "at most", "limit", *(f"{times:g}x" for times in HARM_MULTIPLES)):
        grid.add_column(heading, justify="right", no_wrap=True)
    for cell, limit, beyond in zip(monitor.cells, monitor.limits, monitor.harms, strict=True):
        figures = (_figure(cell.seen), _figure(cell.bound), "-" if limit is None else f"{limit:g}")
        times = (_time(harm) if cell.rows else "-" for harm in beyond)
        grid.add_row(cell.scope, f"{cell.rows:,}", *figures, *times, style="bold red" if cell.over else "")
    return grid


def _time(harm: Harm) -> str:
    """Format a delay for a narrow column; a dash where that much harm is impossible."""
    return "-" if harm.value >= 1 else format_duration(harm.seconds).replace(" min", "m").replace(" ", "")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 4) + 0.0:.4f}"


def _notes(monitor: Monitor) -> Iterator[str]:
    """Yield the proposal, the scopes over their limit, the slowest detection, and scopes without rows."""
    proposal = monitor.proposal
    line = f"proposed: {_limit(proposal.model)} for the model"
    if proposal.worst:
        others = f"({proposal.worst} needs it; {_limit(proposal.without)} without it)"
        line += f", {_limit(proposal.subgroups)} for subgroups {others}"
    yield line
    if over := [cell.scope for cell in monitor.cells if cell.over]:
        yield f"[red]over its limit already: {', '.join(over)}[/]"
    threefold = [(beyond[1], cell) for beyond, cell in zip(monitor.harms, monitor.cells, strict=True) if beyond]
    possible = [(harm, cell) for harm, cell in threefold if cell.rows and harm.value < 1]
    if possible:
        harm, cell = max(possible, key=lambda pair: inf if pair[0].requests is None else pair[0].requests)
        needs = "" if harm.requests is None else f"needs about {harm.requests:,.0f} requests: "
        delay = format_duration(harm.seconds)
        yield f"blind spot: {cell.scope}, {cell.share:.1%} of rows, at {harm.value:.3g} {needs}{delay}"
    if few := [f"{cell.scope} ({cell.rows:,} of {cell.needs:,})" for cell in monitor.cells if not cell.enough]:
        yield f"too few rows to prove the configured limit, without any harm: {', '.join(few)}"


def _limit(limit: float | None) -> str:
    return "none" if limit is None else f"{limit:g}"
