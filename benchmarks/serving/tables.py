"""Outcomes as tables, for the terminal and for the page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isnan

from rich.table import Table

from benchmarks.serving.part import Latency, Outcome
from benchmarks.serving.turns import Row

ROWS: Mapping[str, Callable[[Row], str]] = {
    "model": lambda row: row.what,
    "conn.": lambda row: str(row.connections),
    "server": lambda row: row.server,
    "req/s": lambda row: f"{row.rate:,.0f}",
    "of 1st": lambda row: f"{row.ratio:.1%}",
    "from, to": lambda row: f"{row.least:.0%}, {row.most:.0%}",
    "p50 ms": lambda row: _milliseconds(row.p50),
    "p99 ms": lambda row: _milliseconds(row.p99),
    "CPU s/1,000": lambda row: f"{row.price:.3f}",
    "of 1st's": lambda row: f"{row.price_ratio:.2f} x",
    "MB": lambda row: f"{row.megabytes:.0f}" if row.megabytes else "-",
    "ready s": lambda row: f"{row.ready_seconds:.2f}" if row.ready_seconds else "-",
    "errors": lambda row: str(row.errors),
}
LATENCIES: Mapping[str, Callable[[Latency], str]] = {
    "": lambda one: one.what,
    "server": lambda one: one.server,
    "req/s": lambda one: f"{one.rate:,.0f}",
    "p50 ms": lambda one: f"{one.p50:.2f}",
    "p99 ms": lambda one: f"{one.p99:.2f}",
    "p99.9 ms": lambda one: f"{one.p999:.2f}",
    "errors": lambda one: str(one.errors),
    "generator late, ms": lambda one: f"{one.late:.2f}",
}


def shown(outcome: Outcome) -> Iterator[Table]:
    """For the terminal."""
    figures = [[name, f"{value:,.2f}"] for name, value in outcome.figures.items()]
    for titles, lines in ((ROWS, rows(outcome.rows)), (LATENCIES, latencies(outcome.latencies)), (["", ""], figures)):
        if lines:
            table = Table(*titles)
            for line in lines:
                table.add_row(*line)
            yield table


def page(outcome: Outcome) -> str:
    """For the page: every table that there is, what is missing, and why."""
    figures = [[name, f"{value:,.2f}"] for name, value in outcome.figures.items()]
    kinds = ((ROWS, rows(outcome.rows)), (LATENCIES, latencies(outcome.latencies)), (("figure", ""), figures))
    found = [markdown([*titles], told) for titles, told in kinds if told]
    return "\n\n".join([*found, *(f"Not measured: {reason}." for reason in outcome.missing)])


def markdown(titles: Sequence[str], told: Sequence[Sequence[str]]) -> str:
    """One table."""
    return "\n".join([lines([titles]), "|" + "---|" * len(titles), lines(told)])


def lines(told: Sequence[Sequence[str]]) -> str:
    """Rows of one."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in told)


def rows(found: Sequence[Row]) -> list[list[str]]:
    """One line a server and load."""
    return [[told(row) for told in ROWS.values()] for row in found]


def latencies(found: Sequence[Latency]) -> list[list[str]]:
    """One line a server and rate."""
    return [[told(one) for told in LATENCIES.values()] for one in found]


def _milliseconds(value: float) -> str:
    """Two digits behind the point; the model by itself has nobody who waits."""
    return "-" if isnan(value) else f"{value:.2f}"
