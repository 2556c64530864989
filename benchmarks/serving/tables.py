"""Results as tables, for the terminal and for the page."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isnan

from rich.table import Table

from benchmarks.serving.part import Latency, Outcome
from benchmarks.serving.server_group import ResultRow

ROWS: Mapping[str, Callable[[ResultRow], str]] = {
    "model": lambda row: row.workload,
    "conn.": lambda row: str(row.connections),
    "server": lambda row: row.server,
    "req/s": lambda row: f"{row.rate:,.0f}",
    "ratio": lambda row: f"{row.ratio:.1%}",
    "min, max": lambda row: f"{row.lowest:.0%}, {row.highest:.0%}",
    "p50 ms": lambda row: _milliseconds(row.p50),
    "p99 ms": lambda row: _milliseconds(row.p99),
    "CPU s/1,000": lambda row: f"{row.cpu:.3f}",
    "CPU ratio": lambda row: f"{row.cpu_ratio:.2f} x",
    "MB": lambda row: f"{row.megabytes:.0f}" if row.megabytes else "-",
    "ready s": lambda row: f"{row.ready_seconds:.2f}" if row.ready_seconds else "-",
    "errors": lambda row: str(row.errors),
}
LATENCIES: Mapping[str, Callable[[Latency], str]] = {
    "": lambda one: one.workload,
    "server": lambda one: one.server,
    "req/s": lambda one: f"{one.rate:,.0f}",
    "p50 ms": lambda one: f"{one.p50:.2f}",
    "p99 ms": lambda one: f"{one.p99:.2f}",
    "p99.9 ms": lambda one: f"{one.p999:.2f}",
    "errors": lambda one: str(one.errors),
    "generator late, ms": lambda one: f"{one.generator_late:.2f}",
}


def terminal(outcome: Outcome) -> Iterator[Table]:
    """The tables of a part that have rows, for the terminal."""
    figures = [[name, f"{value:,.2f}"] for name, value in outcome.figures.items()]
    for titles, lines in ((ROWS, rows(outcome.rows)), (LATENCIES, latencies(outcome.latencies)), (["", ""], figures)):
        if lines:
            table = Table(*titles)
            for line in lines:
                table.add_row(*line)
            yield table


def page(outcome: Outcome) -> str:
    """The tables of a part in Markdown, and the reason for each thing that is not measured."""
    figures = [[name, f"{value:,.2f}"] for name, value in outcome.figures.items()]
    kinds = ((ROWS, rows(outcome.rows)), (LATENCIES, latencies(outcome.latencies)), (("figure", ""), figures))
    shown = [markdown([*titles], cells) for titles, cells in kinds if cells]
    return "\n\n".join([*shown, *(f"Not measured: {reason}." for reason in outcome.missing)])


def markdown(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join([lines([titles]), "|" + "---|" * len(titles), lines(cells)])


def lines(cells: Sequence[Sequence[str]]) -> str:
    """The rows of a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def rows(results: Sequence[ResultRow]) -> list[list[str]]:
    """The cells of one row for each server and load."""
    return [[column(row) for column in ROWS.values()] for row in results]


def latencies(results: Sequence[Latency]) -> list[list[str]]:
    """The cells of one row for each server and rate."""
    return [[column(one) for column in LATENCIES.values()] for one in results]


def _milliseconds(value: float) -> str:
    """Two decimals; the model without a server has no latencies."""
    return "-" if isnan(value) else f"{value:.2f}"
