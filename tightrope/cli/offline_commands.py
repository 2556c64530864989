"""Commands that serve nothing: `tightrope calibrate | limits | report | watch-group`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption

if TYPE_CHECKING:
    from tightrope.offline.calibrate import Calibration
    from tightrope.offline.limits import Limits

DataArgument = Annotated[
    Path,
    typer.Argument(
        help="Rows: DATA.csv, .npz, .parquet, .jsonl of requests, or a folder of .npy files.",
        metavar="DATA",
        show_default=False,
    ),
]
ModelOption = Annotated[str | None, typer.Option("--model", help="Model to use, if CONFIG has several.")]


def calibrate(
    config: ConfigArgument,
    data: DataArgument,
    model: ModelOption = None,
    risk: Annotated[float, typer.Option(help="Largest share of accepted answers that may be wrong.")] = 0.05,
    delta: Annotated[float, typer.Option(help="Largest probability that a guarantee fails.")] = 0.05,
    json_: JsonOption = False,
) -> None:
    """Choose refusal thresholds with a guarantee, from labelled rows."""
    from tightrope.cli import console
    from tightrope.cli.progress_bar import show_progress
    from tightrope.offline import calibrate as calibration
    from tightrope.service.config.loader import load

    with show_progress(console.err, json_=json_) as progress:
        result = calibration.calibrate(load(config), data, model, risk, delta, progress)
    _print(result, lambda: calibration.print_calibration(result, console.out), json_=json_)


def limits(
    config: ConfigArgument,
    data: DataArgument,
    model: ModelOption = None,
    per_second: Annotated[float, typer.Option(help="Requests per second to the model.")] = 10.0,
    proposed: Annotated[
        bool, typer.Option("--proposed", help="Show detection times for the proposed limits, not CONFIG's.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Propose monitor limits and estimate how soon harm is detected."""
    from tightrope.cli import console
    from tightrope.cli.progress_bar import show_progress
    from tightrope.offline import limits as proposal
    from tightrope.offline.limits_table import print_limits
    from tightrope.service.config.loader import load

    with show_progress(console.err, json_=json_) as progress:
        result = proposal.limits(load(config), data, model, per_second, proposed=proposed, progress=progress)
    _print(result, lambda: print_limits(result, console.out), json_=json_)


def report(
    config: ConfigArgument,
    model: Annotated[str | None, typer.Option(help="Report this model only.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the page to this file; needs one model.")] = None,
    json_: JsonOption = False,
) -> None:
    """Write a drift report: newest rows against the reference."""
    from tightrope.offline import report as drift

    drift.report(config, model, out, json_=json_)


def watch_group(
    where: Annotated[
        list[str],
        typer.Argument(
            help="The gateway's configuration file, unless --url is given; then the number of a found group, or its "
            "scope.",
            metavar="[CONFIG] GROUP",
            show_default=False,
        ),
    ],
    url: Annotated[str | None, typer.Option(help="The gateway's address, in place of CONFIG.")] = None,
    model: Annotated[str | None, typer.Option(help="The model, if the gateway has several.")] = None,
    reason: Annotated[str | None, typer.Option(help="Watch the group from now on, for this reason.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Watch it no more; needs --reason.")] = False,
    actor: Annotated[str | None, typer.Option(help="Your name for the audit trail, if not the login name.")] = None,
    json_: JsonOption = False,
) -> None:
    """Watch a found group as a scope, or print the lines that declare it."""
    from tightrope.offline.group_declaration import Gateway

    *config, which = where
    if len(config) > 1 or (undo and reason is None):
        raise typer.BadParameter("give --reason with --undo" if undo else "give [CONFIG] GROUP, and nothing more")
    gateway = Gateway.of(Path(config[0]) if config else None, url)
    name = gateway.model(model)
    if reason is None:
        _print_group(gateway.group(name, which), json_=json_)
        return
    scope = which if "=" in which else gateway.scope(name, which)
    order = gateway.watch(name, scope, reason, actor, undo=undo)
    if json_:
        typer.echo(json.dumps({"model": name, "scope": scope, "order": order, "watched": not undo}))
        return
    from tightrope.cli import console

    console.print_status("ended" if undo else "watched", f" {scope} of {name}, from the next row on")


def _print_group(group: Mapping[str, Any], *, json_: bool) -> None:
    """Print a found group with the lines of configuration that declare it."""
    if json_:
        typer.echo(json.dumps(group))
        return
    typer.echo(f"# {group['text']}")
    typer.echo(group["declaration"] or "# subgroups are cut from input columns, this group is not")


def _print(result: "Calibration | Limits", show: Callable[[], None], *, json_: bool) -> None:
    """Print a result as JSON or by ``show``; exit with code 1 if it has problems."""
    from tightrope.service.config.loader import ConfigError

    if not json_:
        show()
        if result.problems:
            raise ConfigError(list(result.problems))
        return
    typer.echo(json.dumps({"ok": not result.problems, **asdict(result)}))
    if result.problems:
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., Any], ...] = (calibrate, limits, report, watch_group)
