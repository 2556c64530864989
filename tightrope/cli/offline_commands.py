"""Commands that serve nothing: `tightrope calibrate | limits | report`."""

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
        help="Rows: DATA.csv, DATA.npz, a folder of .npy files, or DATA.jsonl of requests.",
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
    from tightrope.offline import calibrate as calibration
    from tightrope.service.config.loader import load

    result = calibration.calibrate(load(config), data, model, risk, delta)
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
    from tightrope.offline import limits as proposal
    from tightrope.service.config.loader import load

    result = proposal.limits(load(config), data, model, per_second, proposed=proposed)
    _print(result, lambda: proposal.print_limits(result, console.out), json_=json_)


def report(
    config: ConfigArgument,
    model: Annotated[str | None, typer.Option(help="Report this model only.")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the page to this file; needs one model.")] = None,
    json_: JsonOption = False,
) -> None:
    """Write a drift report: newest rows against the reference."""
    from tightrope.offline import report as drift

    drift.report(config, model, out, json_=json_)


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


COMMANDS: tuple[Callable[..., Any], ...] = (calibrate, limits, report)
