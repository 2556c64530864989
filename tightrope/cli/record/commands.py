"""Commands about the record of the judgement: `tightrope incidents | incident | replay | whatif`."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tightrope.cli.offline_commands import ModelOption
from tightrope.cli.people.options import moment, printable
from tightrope.cli.record.incidents import SinceOption, incident, incidents, move_line

if TYPE_CHECKING:
    from tightrope.offline.incidents.replay import ReplayResult
    from tightrope.service.adapters.journal.record import JudgementRecord

DIFFERS_EXIT, ERASED_EXIT = 3, 4

NOT_SEARCHED = (
    "Not repeated: the search for undeclared groups, whose columns are not in the record (docs/incidents.md)."
)

ExportArgument = Annotated[Path, typer.Argument(help="An exported incident.", metavar="FILE.zip", show_default=False)]


def replay(
    file: ExportArgument,
    decisions: Annotated[bool, typer.Option("--decisions", help="Compare the moves only, not the states.")] = False,
) -> None:
    """Judge an exported incident again, and compare each state: exit code 3 if one differs, 4 if rows were erased."""
    from tightrope.offline.incidents.record_files import read_export
    from tightrope.offline.incidents.replay import replay as replay_record

    record = read_export(file)
    assert record.incident is not None  # noqa: S101 - an export has one
    result = replay_record(record)
    for line in _other_process(result):
        typer.echo(line)
    for reason in record.incident.missing:
        typer.echo(f"The record is not complete: {reason}.")
    if not result.searched:
        typer.echo(NOT_SEARCHED)
    missed = result.missed_moves(record.incident)
    counted = f"{result.inputs:,} inputs, {result.answers:,} answers"
    if result.erased:
        moves = "the moves differ" if missed else f"the same {len(record.incident.moves)} moves"
        typer.echo(f"{counted}: {result.erased:,} rows were erased, so states are not compared; {moves}")
        raise typer.Exit(ERASED_EXIT)
    if decisions and not missed:
        typer.echo(f"{counted}: the same {len(record.incident.moves)} moves")
    elif decisions:
        typer.echo(f"{counted}: the moves differ, first this one:\n{move_line(missed[0])}")
        raise typer.Exit(DIFFERS_EXIT)
    elif result.differs or missed:
        difference = (
            f"the first state that differs follows input {result.differs:,}" if result.differs else "moves differ"
        )
        typer.echo(f"{counted}: {difference}; --decisions compares the moves")
        raise typer.Exit(DIFFERS_EXIT)
    else:
        typer.echo(f"{counted}: every state equal to the byte ({result.states:,} compared)")


def _other_process(result: "ReplayResult") -> list[str]:
    """The lines about versions and a host that are not this one's."""
    from tightrope.service.adapters import cpu
    from tightrope.wiring.recording.recorder import current_versions

    own, lines = current_versions(), []
    for name, version in own.items():
        if others := sorted({each.get(name, "unknown") for each in result.versions} - {version}):
            lines.append(f"It was recorded with {name} {', '.join(others)}; this is {name} {version}.")
    if hosts := sorted({*result.hosts} - {cpu.cpu_name()}):
        lines.append(f"It was recorded on {', '.join(map(printable, hosts))}; this is {cpu.cpu_name()}.")
    return lines


def whatif(
    source: Annotated[
        Path, typer.Argument(help="A configuration file, or an exported incident.", metavar="CONFIG|FILE.zip")
    ],
    limits: Annotated[list[str], typer.Option(help="MONITOR=LIMIT, such as disagreement=0.05; may be repeated.")],
    scope: Annotated[str | None, typer.Option(help="Only in this scope: model, or attribute=value.")] = None,
    model: ModelOption = None,
    since: SinceOption = None,
) -> None:
    """Show which scopes would have moved under other limits, and when, on the rows that were recorded."""
    from tightrope.offline.incidents.what_if import what_if

    given = _limits(limits)
    moves = what_if(_record(source, model, moment(since, "--since")), given, scope)
    where = "every scope" if scope is None else scope
    typer.echo(f"With {', '.join(f'{name} {limit:g}' for name, limit in given.items())} in {where}:")
    for each in moves:
        typer.echo(f"answer {each.answer:,}\n{move_line(each.move)}")
    if not moves:
        typer.echo("Nobody would have moved.")


def _record(source: Path, model: str | None, since: float | None) -> "JudgementRecord":
    from tightrope.offline.incidents.record_files import read_export, record_of_model
    from tightrope.service.config.loader import load

    if zipfile.is_zipfile(source):
        return read_export(source)
    settings = load(source)
    names = list(settings.models) if model is None else [model]
    if len(names) > 1 or names[0] not in settings.models:
        raise typer.BadParameter(f"--model: must be one of {', '.join(settings.models)}")
    return record_of_model(settings, names[0], float("-inf") if since is None else since)


def _limits(texts: Sequence[str]) -> Mapping[str, float]:
    limits = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            limits[name] = float(number)
        except ValueError:
            limits[name] = 0.0
        if not 0 < limits[name] < 1:
            raise typer.BadParameter(f"--limits: {text!r}: must be MONITOR=LIMIT, a limit between 0 and 1")
    return limits


RECORD_COMMANDS: Sequence[Callable[..., None]] = (incidents, incident, replay, whatif)
