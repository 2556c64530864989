"""`tightrope audit verify | head | digest`: the chain of the audit trail."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption

app = typer.Typer(help="Verify the audit trail.", no_args_is_help=True)


@app.command()
def verify(
    config: ConfigArgument,
    head: Annotated[Path | None, typer.Option(help="A head that was taken out of the machine.")] = None,
    key: Annotated[Path | None, typer.Option(help="The public key (Ed25519, PEM) instead of CONFIG's keys.")] = None,
    json_: JsonOption = False,
) -> None:
    """Walk the chain of events: exit 0, or 1 with a line for each event that was changed."""
    from tightrope.cli import console
    from tightrope.offline.audit import verification
    from tightrope.service.config.loader import load

    found = verification.verify(load(config), head, key)
    if json_:
        problems = [{"event": problem.number, "problem": problem.text} for problem in found.problems]
        seal = found.stored.head
        newest = {"number": seal.last, "link": seal.link, "time": seal.time} if seal else None
        document = {"ok": not problems, "events": len(found.stored.events), "head": newest, "problems": problems}
        typer.echo(json.dumps({**document, "notes": [*found.notes]}))
    else:
        for problem in found.problems:
            console.print_error("changed", str(problem))
        for note in found.notes:
            console.print_status("note", f" {note}", "yellow")
        if not found.problems:
            console.print_status("ok", f" {config}: {found.summary}")
    raise typer.Exit(1 if found.problems else 0)


@app.command()
def head(config: ConfigArgument) -> None:
    """Print the signed head as a line of JSON, in a cluster one for each process; keep it on another machine."""
    from tightrope.offline.audit.verification import heads_of
    from tightrope.service.adapters.audit.seals import encode_seal
    from tightrope.service.config.loader import load

    for each in heads_of(load(config)):
        typer.echo(encode_seal(each))


@app.command()
def digest(
    config: ConfigArgument,
    id_: Annotated[str, typer.Option("--id", help="The id of a request.", show_default=False)],
) -> None:
    """Print the digest that stands for a request id in events, on the page and in alerts."""
    from tightrope.offline.audit.verification import verifying_keys
    from tightrope.service.config.loader import load

    typer.echo(verifying_keys(load(config)).request_digest(id_))
