"""`tightrope cost --days`: what each model cost by UTC day, from a gateway's ledger."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from tightrope.cli.people.options import is_piped, tsv_line
from tightrope.monitors.cost.days import summed_cpu
from tightrope.monitors.cost.shares import ModelCpu, cpu_shares

if TYPE_CHECKING:
    from rich.table import Table

DAY_COLUMNS = (
    ("requests", "compressed"), ("requests", "baseline"), ("rows", "compressed"), ("rows", "baseline"),
    ("cpu_seconds", "answer"), ("cpu_seconds", "fallback"), ("cpu_seconds", "escalation"), ("cpu_seconds", "shadow"),
    ("other_model_cpu_seconds", "answer"), ("other_model_cpu_seconds", "fallback"),
)  # fmt: skip
"""The figures of a day, each with the object that holds it."""

PLAIN_COLUMNS = ("blind_seconds", "estimate")
WHOLE_SECONDS = 100.0
"""Seconds from which the table has no decimals."""

NO_DAYS = "no day is in the ledger yet"
NOT_KNOWN = "unknown"


def show_days(documents: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print the days of every model: as JSON, in a pipe as tab-separated values, else as tables."""
    if as_json:
        typer.echo(json.dumps(documents))
    elif is_piped():
        for line in day_lines(documents):
            typer.echo(line)
    else:
        _print(documents)


def day_lines(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Every day of every model as a line of tab-separated values, below a header; what is not known is empty."""
    yield tsv_line(["model", "day", *("_".join(names) for names in DAY_COLUMNS), *PLAIN_COLUMNS, "parts"])
    for document in documents:
        for day in document["days"]:
            figures = [day[group][name] for group, name in DAY_COLUMNS] + [day[name] for name in PLAIN_COLUMNS]
            yield tsv_line([document["model"], day["day"], *figures, ",".join(day["parts"])])


def in_all_words(in_all: float) -> str:
    """The CPU seconds against those of the full model alone, in words.

    >>> in_all_words(0.3), in_all_words(-0.27)
    ('about 30 % less', 'about 27 % more')
    """
    from tightrope.service.api.cost.words import about_percent

    return f"{about_percent(in_all)} {'less' if in_all >= 0 else 'more'}"


def _print(documents: Sequence[Mapping[str, Any]]) -> None:
    from rich.text import Text

    from tightrope.cli import console
    from tightrope.service.api.cost.words import cost_sentence

    for document in documents:
        days = document["days"]
        sentence = cost_sentence(cpu_shares(summed_cpu(map(_cpu, days)))) if days else f"{NO_DAYS}."
        console.out.print(Text(f"{document['model']}: {sentence}", style="bold"))
        if days:
            console.out.print(_table(days))
        if days and document["missing"]:
            console.out.print(Text(f"Not in this ledger: {', '.join(document['missing'])}."))


def _table(days: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("day", no_wrap=True)
    for title in ("requests", "small", "CPU s", "watching", "full alone", "in all", "blind s"):
        table.add_column(title, justify="right", no_wrap=True)
    for day in days:
        table.add_row(*_cells(day))
    return table


def _cells(day: Mapping[str, Any]) -> Sequence[str]:
    from tightrope.service.api.overview.phrases import percent

    cpu, requests = _cpu(day), day["requests"]
    total = requests["compressed"] + requests["baseline"]
    shares = cpu_shares(cpu)
    return (
        day["day"],
        f"{total:,}",
        percent(requests["compressed"] / total) if total else "",
        f"{'~' if day['estimate'] else ''}{_seconds(cpu.total)}",
        NOT_KNOWN if cpu.shadow is None else _seconds(cpu.shadow),
        NOT_KNOWN if cpu.baseline_alone is None else f"~{_seconds(cpu.baseline_alone)}",
        in_all_words(shares.in_all).removeprefix("about ") if shares else NOT_KNOWN,
        f"{day['blind_seconds']:,.0f}",
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}" if seconds < WHOLE_SECONDS else f"{seconds:,.0f}"


def _cpu(day: Mapping[str, Any]) -> ModelCpu:
    own, other = day["cpu_seconds"], day["other_model_cpu_seconds"]
    return ModelCpu(**own, answer_by_baseline=other["answer"], fallback_by_compressed=other["fallback"])
