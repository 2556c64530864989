"""`tightrope incidents` and `tightrope incident`: what was recorded, from a state folder or from a running gateway."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tightrope.cli.cluster_commands import JsonOption
from tightrope.cli.people.options import (
    ONE_OF_BOTH,
    TokenFileOption,
    UrlOption,
    is_piped,
    moment,
    printable,
    tsv_line,
)
from tightrope.cli.record.sources import GatewaySource, IncidentFields, IncidentSource, StateSource

if TYPE_CHECKING:
    from tightrope.service.adapters.journal.incident import Move

INCIDENT_HEADER = "id\tmodel\topened\tclosed\tscopes\tcomplete"

SinceOption = Annotated[str | None, typer.Option(help="Since then: 2h ago, or a time (UTC).")]
ExportOption = Annotated[Path | None, typer.Option(help="Write the incident to this file.", metavar="FILE.zip")]
INCIDENT_WORDS_HELP = "The configuration file, unless --url is given; then an incident."
OptionalWords = Annotated[list[str] | None, typer.Argument(help=INCIDENT_WORDS_HELP, metavar="[CONFIG] [ID]")]
IncidentWords = Annotated[
    list[str], typer.Argument(help=INCIDENT_WORDS_HELP, metavar="[CONFIG] ID", show_default=False)
]


def incidents(
    context: typer.Context,
    words: OptionalWords = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    since: SinceOption = None,
    model: Annotated[str | None, typer.Option(help="Show this model's incidents only.")] = None,
    export: ExportOption = None,
    json_: JsonOption = False,
) -> None:
    """List the recorded incidents, show one, or write it to a file that can be replayed elsewhere."""
    source, names = _source(context, words or [], url, token_file)
    if names:
        _show(source, _only(names), export, json_=json_)
        return
    if export is not None:
        raise typer.BadParameter("--export: give the ID of the incident, too")
    begin = moment(since, "--since")
    _print_list(source.incidents(float("-inf") if begin is None else begin, model), json_=json_)


def incident(
    context: typer.Context,
    words: IncidentWords,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    open_: Annotated[bool, typer.Option("--open", help="Open its report in the browser.")] = False,
    export: ExportOption = None,
    json_: JsonOption = False,
) -> None:
    """Show a recorded incident, open its report, or write it to a file that can be replayed elsewhere."""
    source, names = _source(context, words, url, token_file)
    name = _only(names)
    if open_:
        address = source.report(name)
        typer.echo(address)
        typer.launch(address)
    if export is not None or not open_:
        _show(source, name, export, json_=json_)


def _source(
    context: typer.Context, words: list[str], url: str | None, token_file: Path | None
) -> tuple[IncidentSource, list[str]]:
    """The source that the first word or the address names, and the other words. A file outweighs the variable."""
    from tightrope.offline.running_gateway import RunningGateway
    from tightrope.service.config.loader import load

    given = context.get_parameter_source("url")
    is_variable = given is not None and given.name == "ENVIRONMENT"
    if words and (url is None or (is_variable and Path(words[0]).is_file())):
        return StateSource(load(Path(words[0]))), words[1:]
    if url is None:
        raise typer.BadParameter(ONE_OF_BOTH)
    return GatewaySource(RunningGateway.of(None, url, token_file)), words


def _only(names: Sequence[str]) -> str:
    if len(names) != 1:
        raise typer.BadParameter("give one ID of an incident, and either CONFIG or --url URL")
    return names[0]


def _show(source: IncidentSource, name: str, export: Path | None, *, json_: bool) -> None:
    if export is not None:
        from tightrope.offline.incidents.export import write_file

        content = source.file(name)
        write_file(content, export)
        typer.echo(f"{export}: {len(content):,} bytes; `tightrope replay {export}` judges it again")
    elif json_:
        typer.echo(json.dumps(source.incident(name)))
    else:
        _print_incident(source.incident(name))


def _print_list(found: Sequence[IncidentFields], *, json_: bool) -> None:
    if json_:
        for each in found:
            typer.echo(json.dumps(each))
    elif is_piped():
        typer.echo(INCIDENT_HEADER)
        for each in found:
            closed = "" if each["closed"] is None else _time(each["closed"])
            complete = "yes" if each["complete"] else "no"
            scopes = ", ".join(each["scopes"])
            typer.echo(tsv_line([each["id"], each["model"], _time(each["opened"]), closed, scopes, complete]))
    else:
        for each in found:
            typer.echo(f"{printable(each['id'])}  {_standing(each)}\n  {printable(', '.join(each['scopes']))}")
        if not found:
            typer.echo("No incident is recorded.")


def _print_incident(shown: IncidentFields) -> None:
    from tightrope.service.adapters.journal.incident import Move

    typer.echo(f"{printable(shown['id'])}: {_standing(shown)}")
    for fields in shown["moves"]:
        typer.echo(move_line(Move(**{name: fields[name] for name in Move.__dataclass_fields__})))
    for reason in shown["missing"]:
        typer.echo(f"The record is not complete: {printable(reason)}.")


def _standing(shown: IncidentFields) -> str:
    end = "open" if shown["closed"] is None else f"until {_time(shown['closed'])}"
    return f"{_time(shown['opened'])}, {end}{', advisory: no traffic moved' if shown['advisory'] else ''}"


def move_line(move: "Move") -> str:
    """A move on a line."""
    return f"  {_time(move.time)}  {printable(move.scope)}: {move.trigger}, {move.state}. {printable(move.reason)}"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
