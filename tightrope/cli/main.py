"""The command line; `tightrope --help` lists what it can do. A command loads what it needs when it is given."""

import json
import logging
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tightrope.cli import cluster_commands, dashboards, offline_commands
from tightrope.cli.cluster_commands import Config, Json
from tightrope.demo_run.models import DEFAULT_MODEL, MODELS
from tightrope.service.errors import TightropeError
from tightrope.serving import gc_tuning

if TYPE_CHECKING:
    from tightrope.monitors.records import Event
    from tightrope.serving.server import Listening

app = typer.Typer(
    help="Serve a compressed model, shadow its baseline, and fall back for whom it harms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command; whatever goes wrong foreseeably is one line a mistake, and exit code 1."""
    _log()
    try:
        app()
    except TightropeError as error:
        from tightrope.cli import console

        for line in getattr(error, "problems", [str(error)]):
            console.complain("error", line)
        raise SystemExit(1) from None


def _log() -> None:
    """Warnings: in colours on a terminal, and elsewhere a line each, with its time."""
    if sys.stderr.isatty():
        from tightrope.cli import console

        logging.basicConfig(level="WARNING", format="%(message)s", handlers=[console.handler()])
    else:
        logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(message)s")


for command in (*cluster_commands.COMMANDS, *offline_commands.COMMANDS):
    app.command()(command)
app.add_typer(dashboards.app, name="dashboards")


@app.command("run")
def run_(
    config: Config,
    host: cluster_commands.Host = None,
    port: cluster_commands.Port = None,
    grpc_port: cluster_commands.GrpcPort = None,
    json_: Json = False,
) -> None:
    """Serve the models of CONFIG: gateway, shadow worker and judge in one process."""
    with gc_tuning.put_off():
        from tightrope.service.config.loader import load
        from tightrope.wiring import embedded

        settings = cluster_commands.alone(cluster_commands.listening(load(config), host, port, grpc_port))

        def ready(at: "Listening") -> None:
            if json_:
                typer.echo(json.dumps({**at.addresses, "models": list(settings.models)}))
                return
            from tightrope.cli import console

            rpc = f", gRPC on {at.grpc}" if at.grpc else ""
            console.say("ready", f" {at.http}/v2/models/{next(iter(settings.models))}/infer{rpc}")
            console.say(f"      watch {at.http}/metrics, {at.http}/v1/models, {at.http}/docs", "", "dim")

        embedded.run(settings, ready, config)


@app.command()
def report(
    config: Config,
    model: Annotated[str | None, typer.Option(help="Only of this model.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the page here too; with one model.")] = None,
    json_: Json = False,
) -> None:
    """Compare the newest rows with the reference, for people to read: drift of inputs, predictions and subgroups."""
    from tightrope.offline import report as drift

    drift.report(config, model, out, json_=json_)


@app.command()
def check(config: Config, json_: Json = False) -> None:
    """Say everything that is wrong with CONFIG, without starting anything."""
    from tightrope.cli import console
    from tightrope.cli.describe import describe
    from tightrope.service.app import load_pairs
    from tightrope.service.config.loader import ConfigError, control_token, load
    from tightrope.wiring.paging import insist_on_tokens

    try:
        settings = load(config)
        pairs = load_pairs(settings)
        token = control_token(settings)
        insist_on_tokens(settings)
        if settings.bus is not None:
            from tightrope.wiring.topics import options_of

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
        console.facts(model)
    off = "" if token else " (control is off: no token)"
    console.say("ok", f" {config}: {len(pairs)} model{'s' * (len(pairs) > 1)}{off}")


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
    from tightrope.cli import console
    from tightrope.service.adapters.sqlite.store import SqliteStore
    from tightrope.service.config.loader import ConfigError, load
    from tightrope.wiring.embedded import DATABASE

    path = load(config).state / DATABASE
    if not path.exists():
        raise ConfigError([f"state: {path} does not exist yet; `tightrope run {config}` makes it"])
    store = SqliteStore(path)
    found = store.events(model, after, limit)
    (_lines if json_ else console.trail)(found)
    while follow:
        after = found[-1][0] if found else after
        time.sleep(0.5)
        found = store.events(model, after, limit)
        (_lines if json_ else console.lines)(found)


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
    from tightrope.cli import console
    from tightrope.demo_run import board, cluster_story, story
    from tightrope.service.config.loader import ConfigError

    if model not in MODELS:
        raise ConfigError([f"--model: is {model!r}; it must be one of {', '.join(MODELS)}"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the gateway is stopped, not left behind
    if kafka is not None:
        cluster_commands.quiet()
        typer.echo(json.dumps(cluster_story.tell(kafka, model, sampling, fast=fast)))
        return
    shown_on = None if headless else console.err if json_ else console.out
    told = story.tell(model, sampling, fast=fast, console=shown_on, svg=svg, third_act=third_act)
    if json_:
        typer.echo(json.dumps(told))
    else:
        console.out.print(board.summary(told))


def _lines(found: "list[tuple[int, Event]]") -> None:
    for seq, event in found:
        typer.echo(json.dumps({"seq": seq, **asdict(event)}))


if __name__ == "__main__":
    main()
