"""The command line; `tightrope --help` lists what it can do. A command loads what it needs when it is given."""

import json
import logging
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.errors import TightropeError
from tightrope import collector, fleet, provision
from tightrope.cast import DEFAULT_MODEL, MODELS
from tightrope.fleet import Config, Json

if TYPE_CHECKING:
    from monitors.records import Event
    from tightrope.calibrate import Calibration
    from tightrope.limits import Limits
    from tightrope.server import Listening

app = typer.Typer(
    help="Serve a compressed model, shadow its baseline, and fall back for whom it harms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Data = Annotated[
    Path, typer.Argument(help="Rows as a CSV file, with a header.", metavar="DATA.csv", show_default=False)
]
One = Annotated[str | None, typer.Option("--model", help="Which model, if CONFIG has several.")]


def main() -> None:
    """Run the command; whatever goes wrong foreseeably is one line a mistake, and exit code 1."""
    _log()
    try:
        app()
    except TightropeError as error:
        from tightrope import screen

        for line in getattr(error, "problems", [str(error)]):
            screen.complain("error", line)
        raise SystemExit(1) from None


def _log() -> None:
    """Warnings: in colours on a terminal, and elsewhere a line each, with its time."""
    if sys.stderr.isatty():
        from tightrope import screen

        logging.basicConfig(level="WARNING", format="%(message)s", handlers=[screen.handler()])
    else:
        logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(message)s")


for command in fleet.COMMANDS:
    app.command()(command)
app.add_typer(provision.app, name="dashboards")


@app.command("run")
def run_(
    config: Config,
    host: fleet.Host = None,
    port: fleet.Port = None,
    grpc_port: fleet.GrpcPort = None,
    json_: Json = False,
) -> None:
    """Serve the models of CONFIG: gateway, shadow worker and judge in one process."""
    with collector.put_off():
        from service.settings import load
        from tightrope import embedded

        settings = fleet.alone(fleet.listening(load(config), host, port, grpc_port))

        def ready(at: "Listening") -> None:
            if json_:
                typer.echo(json.dumps({**at.addresses, "models": list(settings.models)}))
                return
            from tightrope import screen

            rpc = f", gRPC on {at.grpc}" if at.grpc else ""
            screen.say("ready", f" {at.http}/v2/models/{next(iter(settings.models))}/infer{rpc}")
            screen.say(f"      watch {at.http}/metrics, {at.http}/v1/models, {at.http}/docs", "", "dim")

        embedded.run(settings, ready, config)


@app.command()
def report(
    config: Config,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the page here too; with one model.")] = None,
    json_: Json = False,
) -> None:
    """Compare the newest rows with the reference, for people to read: drift of inputs, predictions and subgroups."""
    from tightrope import report as drift

    drift.report(config, model, out, json_=json_)


@app.command()
def check(config: Config, json_: Json = False) -> None:
    """Say everything that is wrong with CONFIG, without starting anything."""
    from service.app import load_pairs
    from service.settings import ConfigError, control_token, load
    from tightrope import screen
    from tightrope.facts import describe
    from tightrope.paging import insist_on_tokens

    try:
        settings = load(config)
        pairs = load_pairs(settings)
        token = control_token(settings)
        insist_on_tokens(settings)
        if settings.bus is not None:
            from tightrope.topics import options_of

            options_of(settings)
    except ConfigError as error:
        if not json_:
            raise
        typer.echo(json.dumps({"ok": False, "problems": error.problems}))
        raise typer.Exit(1) from None
    told = [describe(pair) for pair in pairs.values()]
    if json_:
        typer.echo(json.dumps({"ok": True, "models": told, "control": token is not None}))
        return
    for model in told:
        screen.facts(model)
    off = "" if token else " (control is off: no token)"
    screen.say("ok", f" {config}: {len(pairs)} model{'s' * (len(pairs) > 1)}{off}")


@app.command()
def events(
    config: Config,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    after: Annotated[int, typer.Option(help="Only beyond this sequence number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    follow: Annotated[bool, typer.Option(help="Go on with what happens from now on.")] = False,
    json_: Json = False,
) -> None:
    """The audit trail of the state that CONFIG names: what happened, when, why, and who did it."""
    from service.adapters.sqlite import SqliteStore
    from service.settings import ConfigError, load
    from tightrope import screen
    from tightrope.embedded import DATABASE

    path = load(config).state / DATABASE
    if not path.exists():
        raise ConfigError([f"state: {path} does not exist yet; `tightrope run {config}` makes it"])
    store = SqliteStore(path)
    found = store.events(model, after, limit)
    (_lines if json_ else screen.trail)(found)
    while follow:
        after = found[-1][0] if found else after
        time.sleep(0.5)
        found = store.events(model, after, limit)
        (_lines if json_ else screen.lines)(found)


@app.command()
def demo(
    model: Annotated[str, typer.Option(help=f"On trial: {', '.join(MODELS)}.")] = DEFAULT_MODEL,
    sampling: Annotated[float, typer.Option(min=0.01, max=1.0, help="Share of requests the shadow sees.")] = 1.0,
    fast: Annotated[bool, typer.Option(help="As fast as it goes, instead of about a minute.")] = False,
    headless: Annotated[bool, typer.Option(help="No live table.")] = False,
    third_act: Annotated[bool, typer.Option(help="Then deploy the fixed model, and watch scopes come back.")] = False,
    kafka: Annotated[
        str | None, typer.Option(help="On a cluster over this Kafka, host:port: five processes, one ledger; as JSON.")
    ] = None,
    json_: Json = False,
    svg: Annotated[Path | None, typer.Option(help="Save the last table as a picture.", hidden=True)] = None,
) -> None:
    """Real traffic, a compressed model that fails one subgroup, an alarm, and that subgroup saved."""
    from service.settings import ConfigError
    from tightrope import screen, stage, story, troupe

    if model not in MODELS:
        raise ConfigError([f"--model: is {model!r}; it must be one of {', '.join(MODELS)}"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the gateway is stopped, not left behind
    if kafka is not None:
        fleet.quiet()
        typer.echo(json.dumps(troupe.tell(kafka, model, sampling, fast=fast)))
        return
    console = None if headless else screen.err if json_ else screen.out
    told = story.tell(model, sampling, fast=fast, console=console, svg=svg, third_act=third_act)
    if json_:
        typer.echo(json.dumps(told))
    else:
        screen.out.print(stage.summary(told))


@app.command("calibrate")
def calibrate_(
    config: Config,
    data: Data,
    model: One = None,
    risk: Annotated[float, typer.Option(help="The share of accepted answers that may be wrong.")] = 0.05,
    delta: Annotated[float, typer.Option(help="The probability with which a promise may fail.")] = 0.05,
    json_: Json = False,
) -> None:
    """Choose refusal thresholds with a guarantee, from labelled rows that nothing was trained on."""
    from service.settings import load
    from tightrope import calibrate, screen

    found = calibrate.calibrate(load(config), data, model, risk, delta)
    _report(found, lambda: calibrate.show(found, screen.out), json_=json_)


@app.command("limits")
def limits_(
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
    from service.settings import load
    from tightrope import limits, screen

    found = limits.limits(load(config), data, model, per_second, proposed=proposed)
    _report(found, lambda: limits.show(found, screen.out), json_=json_)


def _report(found: "Calibration | Limits", show: Callable[[], None], *, json_: bool) -> None:
    """A finding, for machines or for people; with problems in it the exit code is 1."""
    from service.settings import ConfigError

    if not json_:
        show()
        if found.problems:
            raise ConfigError(list(found.problems))
        return
    typer.echo(json.dumps({"ok": not found.problems, **asdict(found)}))
    if found.problems:
        raise typer.Exit(1)


def _lines(found: "list[tuple[int, Event]]") -> None:
    for seq, event in found:
        typer.echo(json.dumps({"seq": seq, **asdict(event)}))


if __name__ == "__main__":
    main()
