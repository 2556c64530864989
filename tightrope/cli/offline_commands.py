"""Commands that serve nothing: `tightrope calibrate | limits | report | watch-group`."""

import json
from collections.abc import Callable
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
    source: Annotated[
        str,
        typer.Argument(
            help="A gateway's address, or its configuration file.", metavar="URL|CONFIG", show_default=False
        ),
    ],
    model: Annotated[str, typer.Argument(help="The model.", metavar="MODEL", show_default=False)],
    number: Annotated[int, typer.Argument(help="The number of the found group.", metavar="NUMBER", show_default=False)],
    json_: JsonOption = False,
) -> None:
    """Print the configuration that declares a found group."""
    from tightrope.offline.group_declaration import found_group

    group = found_group(source, model, number)
    typer.echo(json.dumps(group) if json_ else f"# {group['text']}\n{group['declaration']}")


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
