"""The command line; `tightrope --help` lists what it can do."""

import json
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from monitors.records import Event
from service.adapters.sqlite import SqliteStore
from service.app import load_pairs
from service.errors import TightropeError
from service.settings import ConfigError, control_token, load
from tightrope import calibrate, fleet, limits, provision, story, troupe
from tightrope.embedded import DATABASE, run
from tightrope.facts import describe
from tightrope.paging import insist_on_tokens
from tightrope.report import report
from tightrope.server import Listening
from tightrope.stage import summary
from tightrope.topics import options_of

app = typer.Typer(
    help="Serve a compressed model, shadow its baseline, and fall back for whom it harms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, err = Console(), Console(stderr=True)

Config = Annotated[Path, typer.Argument(help="The YAML configuration file.", metavar="CONFIG", show_default=False)]
Data = Annotated[
    Path, typer.Argument(help="Rows as a CSV file, with a header.", metavar="DATA.csv", show_default=False)
]
One = Annotated[str | None, typer.Option("--model", help="Which model, if CONFIG has several.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def main() -> None:
    """Run the command; whatever goes wrong foreseeably is one line a mistake, and exit code 1."""
    logging.basicConfig(level="WARNING", format="%(message)s", handlers=[RichHandler(console=err, show_path=False)])
    try:
        app()
    except TightropeError as error:
        for line in getattr(error, "problems", [str(error)]):
            err.print(Text.assemble(("error", "bold red"), f" {line}"), soft_wrap=True)
        raise SystemExit(1) from None


app.command()(report)
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
    settings = fleet.alone(fleet.listening(load(config), host, port, grpc_port))

    def ready(at: Listening) -> None:
        if json_:
            typer.echo(json.dumps({**at.addresses, "models": list(settings.models)}))
            return
        rpc = f", gRPC on {at.grpc}" if at.grpc else ""
        out.print(f"[bold green]ready[/] {at.http}/v2/models/{next(iter(settings.models))}/infer{rpc}", soft_wrap=True)
        out.print(f"      watch {at.http}/metrics, {at.http}/v1/models, {at.http}/docs", style="dim")

    run(settings, ready, config)


@app.command()
def check(config: Config, json_: Json = False) -> None:
    """Say everything that is wrong with CONFIG, without starting anything."""
    try:
        settings = load(config)
        pairs = load_pairs(settings)
        token = control_token(settings)
        insist_on_tokens(settings)
        if settings.bus is not None:
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
        out.print(_facts(model))
    off = "" if token else " (control is off: no token)"
    said = f" {config}: {len(pairs)} model{'s' * (len(pairs) > 1)}{off}"
    out.print(Text.assemble(("ok", "bold green"), said), soft_wrap=True)


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
    path = load(config).state / DATABASE
    if not path.exists():
        raise ConfigError([f"state: {path} does not exist yet; `tightrope run {config}` makes it"])
    store = SqliteStore(path)
    found = store.events(model, after, limit)
    if json_:
        _lines(found)
    else:
        out.print(_trail(found))
    while follow:
        after = found[-1][0] if found else after
        time.sleep(0.5)
        found = store.events(model, after, limit)
        if json_:
            _lines(found)
        for seq, event in found if not json_ else ():
            out.print(Text(_line(seq, event)), soft_wrap=True)


@app.command()
def demo(
    model: Annotated[str, typer.Option(help=f"On trial: {', '.join(story.MODELS)}.")] = story.DEFAULT_MODEL,
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
    if model not in story.MODELS:
        raise ConfigError([f"--model: is {model!r}; it must be one of {', '.join(story.MODELS)}"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the gateway is stopped, not left behind
    if kafka is not None:
        fleet.quiet()
        typer.echo(json.dumps(troupe.tell(kafka, model, sampling, fast=fast)))
        return
    console = None if headless else err if json_ else out
    told = story.tell(model, sampling, fast=fast, console=console, svg=svg, third_act=third_act)
    if json_:
        typer.echo(json.dumps(told))
    else:
        out.print(summary(told))


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
    found = calibrate.calibrate(load(config), data, model, risk, delta)
    _report(found, lambda: calibrate.show(found, out), json_=json_)


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
    found = limits.limits(load(config), data, model, per_second, proposed=proposed)
    _report(found, lambda: limits.show(found, out), json_=json_)


def _report(found: calibrate.Calibration | limits.Limits, show: Callable[[], None], *, json_: bool) -> None:
    """A finding, for machines or for people; with problems in it the exit code is 1."""
    if not json_:
        show()
        if found.problems:
            raise ConfigError(list(found.problems))
        return
    typer.echo(json.dumps({"ok": not found.problems, **asdict(found)}))
    if found.problems:
        raise typer.Exit(1)


def _lines(found: list[tuple[int, Event]]) -> None:
    for seq, event in found:
        typer.echo(json.dumps({"seq": seq, **asdict(event)}))


def _trail(found: list[tuple[int, Event]]) -> Table:
    table = Table("#", "time (UTC)", "model", "scope", "what", "to", "by", "why", title="events", expand=True)
    for seq, event in found:
        table.add_row(*map(Text, _cells(seq, event)))
    return table


def _line(seq: int, event: Event) -> str:
    return "  ".join(_cells(seq, event))


def _cells(seq: int, event: Event) -> tuple[str, ...]:
    at = datetime.fromtimestamp(event.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    after = event.detail.get("after")
    state = str(after["state"]) if isinstance(after, dict) else ""
    return str(seq), at, event.model, event.scope, event.kind, state, event.actor, event.reason


def _facts(model: dict[str, object]) -> Table:
    table = Table(title=str(model["name"]), show_header=False, title_justify="left")
    for key, value in model.items():
        table.add_row(key, Text(", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return table


if __name__ == "__main__":
    main()
