"""`tightrope erase`: the id of a request leaves the state folder."""

import getpass
import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption


def erase(
    config: ConfigArgument,
    id_: Annotated[str, typer.Option("--id", help="The id of the request.", show_default=False)],
    actor: Annotated[str | None, typer.Option(help="Your name for the audit trail, if not the login name.")] = None,
    json_: JsonOption = False,
) -> None:
    """Erase the id of a request from the state folder; nothing may run on it."""
    from tightrope.cli import console
    from tightrope.offline.audit.erasure import erase as erase_id
    from tightrope.service.config.loader import load

    report = erase_id(load(config), id_, datetime.now(UTC), actor or getpass.getuser())
    is_done = not report.left and not report.untold
    if json_:
        document = {"ok": is_done, "rows": report.rows, "recorded": report.recorded, "topics": [*report.topics]}
        document |= {name: [str(path) for path in getattr(report, name)] for name in ("left", "unknown")}
        typer.echo(json.dumps(document | {"untold": report.untold}))
    else:
        for path in report.left:
            console.print_error("left", f"{path}: still has the id, and cannot be rewritten; delete it")
        for path in report.unknown:
            console.print_status(
                "kept", f" {path}: an earlier version kept these rows without ids; see docs/reports.md", "yellow"
            )
        for line in report.topics:
            console.print_status("kafka", f" {line}", "yellow")
        if report.untold:
            console.print_error("untold", f"the audit trail has no event of this: {report.untold}; run it again")
        console.print_status("erased", f" rows and labels under the id that are deleted: {report.rows}")
        if report.recorded:
            console.print_status("erased", f" rows in the record of incidents without id and input: {report.recorded}")
    raise typer.Exit(0 if is_done else 1)
