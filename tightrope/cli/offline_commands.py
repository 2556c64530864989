"""Commands that read rows from a file and serve nothing: `tightrope calibrate | limits`."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tightrope.cli.cluster_commands import Config, Json

if TYPE_CHECKING:
    from tightrope.offline.calibrate import Calibration
    from tightrope.offline.limits import Limits

Data = Annotated[
    Path, typer.Argument(help="Rows as a CSV file, with a header.", metavar="DATA.csv", show_default=False)
]
One = Annotated[str | None, typer.Option("--model", help="Which model, if CONFIG has several.")]


def calibrate(
    config: Config,
    data: Data,
    model: One = None,
    risk: Annotated[float, typer.Option(help="The share of accepted answers that may be wrong.")] = 0.05,
    delta: Annotated[float, typer.Option(help="The probability with which a promise may fail.")] = 0.05,
    json_: Json = False,
) -> None:
    """Choose refusal thresholds with a guarantee, from labelled rows that nothing was trained on."""
    from tightrope.cli import console
    from tightrope.offline import calibrate as calibration
    from tightrope.service.config.loader import load

    found = calibration.calibrate(load(config), data, model, risk, delta)
    _report(found, lambda: calibration.show(found, console.out), json_=json_)


def limits(
    config: Config,
    data: Data,
    model: One = None,
    per_second: Annotated[float, typer.Option(help="Requests a second to the model.")] = 10.0,
    proposed: Annotated[
        bool, typer.Option("--proposed", help="Harm beyond the proposed limits, not CONFIG's.")
    ] = False,
    json_: Json = False,
) -> None:
    """Propose limits for the monitors from known rows, and say how soon harm beyond a limit would be seen."""
    from tightrope.cli import console
    from tightrope.offline import limits as proposal
    from tightrope.service.config.loader import load

    found = proposal.limits(load(config), data, model, per_second, proposed=proposed)
    _report(found, lambda: proposal.show(found, console.out), json_=json_)


def _report(found: "Calibration | Limits", show: Callable[[], None], *, json_: bool) -> None:
    """A finding, for machines or for people; with problems in it the exit code is 1."""
    from tightrope.service.config.loader import ConfigError

    if not json_:
        show()
        if found.problems:
            raise ConfigError(list(found.problems))
        return
    typer.echo(json.dumps({"ok": not found.problems, **asdict(found)}))
    if found.problems:
        raise typer.Exit(1)


COMMANDS = (calibrate, limits)
