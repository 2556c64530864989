"""`tightrope cost`: what compression saves and what safety costs, from a running gateway."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import JsonOption
from tightrope.cli.people.cost_days import in_all_words, show_days
from tightrope.cli.people.options import (
    OptionalConfig,
    TokenFileOption,
    UrlOption,
    gateway_of,
    is_piped,
    require_model,
    tsv_line,
)

if TYPE_CHECKING:
    from rich.table import Table

COST_COLUMNS = ("model", "part", "role", "cpu_seconds", "estimate")
PROCESS_PART = "remainder"
PART_WORDS = {
    "answer": "answers of the small model",
    "fallback": "answers of the full model in its place",
    "escalation": "asked again, of the full model",
    "shadow": "watching: the other model, to compare",
    PROCESS_PART: "all else: HTTP, JSON, judging, the start",
}
BYTES_IN_MEGABYTE = 1e6
LEDGER_DAYS = 400
"""The days that a ledger keeps."""


def cost(
    context: typer.Context,
    config: OptionalConfig = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    model: Annotated[str | None, typer.Option(help="Show this model only.")] = None,
    days: Annotated[
        int | None, typer.Option(help="Show the ledger of the last days, today included.", min=1, max=LEDGER_DAYS)
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Say what compression saves and what safety costs, in CPU seconds: since the process began, or by day."""
    if config is not None and model is not None:
        require_model(config, model)
    gateway = gateway_of(context, config, url, token_file)
    names = [model] if model else [each["name"] for each in gateway.get("/v1/models")["models"]]
    if days is not None:
        first = datetime.now(UTC).date() - timedelta(days - 1)
        show_days([gateway.get(f"/v1/models/{name}/cost/days?from={first}") for name in names], as_json=json_)
        return
    documents = [gateway.get(f"/v1/models/{name}/cost") for name in names]
    if json_:
        typer.echo(json.dumps(documents))
    elif is_piped():
        for line in cost_lines(documents):
            typer.echo(line)
    else:
        _print(documents)


def cost_lines(documents: list[Mapping[str, Any]]) -> Iterator[str]:
    """Every part of every model as a line of tab-separated values, below a header; last the process's remainder."""
    yield tsv_line(COST_COLUMNS)
    for document in documents:
        for run in document["runs"]:
            yield tsv_line([document["model"], *(run[name] for name in COST_COLUMNS[1:])])
    yield tsv_line(["", PROCESS_PART, "", documents[0]["process"]["remainder_cpu_seconds"], False])


def _print(documents: list[Mapping[str, Any]]) -> None:
    from rich.text import Text

    from tightrope.cli import console

    for document in documents:
        console.out.print(Text(f"{document['model']}: {document['sentence']}", style="bold"))
        if document["shares"]:
            console.out.print(
                Text(f"In all {in_all_words(document['shares']['in_all'])} CPU than the full model alone.")
            )
        console.out.print(_table(document))
    process = documents[0]["process"]
    peak = process["peak_memory_bytes"]
    memory = "not told" if peak is None else f"{peak / BYTES_IN_MEGABYTE:,.0f} MB"
    console.out.print(Text(f"This process: {process['parts']}. CPU {process['cpu_seconds']:,.1f} s, of which runs "
                           f"{process['runs_cpu_seconds']:,.1f} s. Most memory: {memory}."))  # fmt: skip
    joules = document["energy"]["joules"]
    energy = "" if joules is None else f"{joules:,.0f} J, "
    console.out.print(Text(f"Energy: {energy}{document['energy']['says']}."))


def _table(document: Mapping[str, Any]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("runs", overflow="fold")
    table.add_column("by", no_wrap=True)
    table.add_column("CPU seconds", justify="right", no_wrap=True)
    for run in document["runs"]:
        who = "full" if run["role"] == "baseline" else "small"
        seconds = f"{run['cpu_seconds']:,.2f}{' (estimate)' if run['estimate'] else ''}"
        table.add_row(PART_WORDS[run["part"]], who, seconds)
    remainder = document["process"]["remainder_cpu_seconds"]
    table.add_row(PART_WORDS[PROCESS_PART], "", f"{remainder:,.2f}")
    return table
