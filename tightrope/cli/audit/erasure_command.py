"""`tightrope erase`: the id of a request leaves the state folder."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption


def erase(
    config: ConfigArgument,
    id_: Annotated[str, typer.Option("--id", help="The id of the request.", show_default=False)],
    json_: JsonOption = False,
) -> None:
    """Erase the id of a request from the state folder; nothing may run on it."""
    from tightrope.cli import console
    from tightrope.offline.audit.erasure import erase as erase_id
    from tightrope.service.config.loader import load

    report = erase_id(load(config), id_, datetime.now(UTC))
    if json_:
        left = [str(path) for path in report.left]
        document = {"ok": not left, "rows": report.rows, "left": left, "topics": [*report.topics]}
        document["unknown"] = [str(path) for path in report.unknown]
        typer.echo(json.dumps(document))
    else:
        for path in report.left:
            console.print_error("left", f"{path}: still has the id, and cannot be rewritten; delete it")
        for path in report.unknown:
            console.print_status(
                "kept", f" {path}: an earlier version kept these rows without ids; see docs/reports.md", "yellow"
            )
        for line in report.topics:
            console.print_status("kafka", f" {line}", "yellow")
        console.print_status("erased", f" rows and labels under the id that are deleted: {report.rows}")
    raise typer.Exit(1 if report.left else 0)
