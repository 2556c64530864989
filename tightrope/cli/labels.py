"""`tightrope labels`: the rows to label, and labels back."""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import JsonOption

if TYPE_CHECKING:
    from tightrope.offline.label_lists import LabelDesk


def labels(
    config: Annotated[
        Path | None,
        typer.Argument(help="Configuration of a gateway on this machine.", metavar="CONFIG", show_default=False),
    ] = None,
    url: Annotated[str | None, typer.Option(help="A gateway's address, instead of CONFIG.")] = None,
    model: Annotated[str | None, typer.Option(help="Model to label, if there are several.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most this many rows.")] = 100,
    send: Annotated[
        Path | None, typer.Option(help="Send the labels of this file: columns id, row, probability, label.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the control token, with --url; or TIGHTROPE_CONTROL_TOKEN.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """List the rows that wait for a label; send labels back.

    In a pipe the list has tabs and an empty column `label`: fill it in, and send the file with --send.
    """
    from tightrope.cli import console
    from tightrope.offline.label_lists import read_labels

    if (config is None) == (url is None):
        raise typer.BadParameter("give either CONFIG or --url")
    file = read_labels(send) if send else None
    desk = _open(config, url, model, token_file)
    if file is None:
        _print_rows(desk, desk.rows(limit), json_=json_)
        return
    taken = desk.send(file.labels)
    if json_:
        typer.echo(json.dumps({"model": desk.model, "accepted": taken, "without": file.without}))
        return
    lines = "line has" if file.without == 1 else "lines have"
    waiting = f"; {file.without:,} {lines} no label yet" if file.without else ""
    console.print_status("ok", f" {taken:,} label{'' if taken == 1 else 's'} of {desk.model} taken{waiting}")


def _open(config: Path | None, url: str | None, model: str | None, token_file: Path | None) -> "LabelDesk":
    from tightrope.offline.gateway_address import gateway_address
    from tightrope.offline.label_lists import LabelDesk, choose_model
    from tightrope.service.config.loader import control_token, load, operator_token

    if config is None:
        return LabelDesk.open((url or "").rstrip("/"), operator_token(token_file), model)
    settings = load(config)
    name = choose_model(settings.models, model)
    return LabelDesk.open(gateway_address(settings), control_token(settings), name)


def _print_rows(desk: "LabelDesk", rows: Sequence[dict[str, Any]], *, json_: bool) -> None:
    from tightrope.cli import console
    from tightrope.offline.label_lists import COLUMNS

    if json_:
        typer.echo(json.dumps({"model": desk.model, "rows": rows}))
        return
    lines = [{**row, "time": _shown_time(row["time"])} for row in rows]
    if sys.stdout.isatty():
        console.print_rows_to_label(desk.model, lines)
        return
    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="", delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)


def _shown_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


COMMANDS: tuple[Callable[..., Any], ...] = (labels,)
