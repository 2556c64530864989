"""The command line. Each command imports what it needs when it runs, so that `--help` stays quick."""

import json
import logging
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tightrope.cli import (
    cluster_commands,
    dashboards,
    initialization,
    labels,
    modes,
    offline_commands,
    qualify_command,
    statement_commands,
)
from tightrope.cli.cluster_commands import ConfigArgument, GrpcPortOption, HostOption, JsonOption, PortOption
from tightrope.cli.log_limit import LogLimit
from tightrope.demo_run.models import DEFAULT_MODEL, DEMO_MODELS
from tightrope.service.errors import TightropeError
from tightrope.serving import gc_tuning

if TYPE_CHECKING:
    from rich.console import Console
    from rich.panel import Panel

    from tightrope.monitors.records import Event
    from tightrope.serving.server import ListenAddress

EVENT_POLL_SECONDS = 0.5

app = typer.Typer(
    help="Serve a compressed model, shadow its baseline, and fall back per subgroup.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run a command; an expected error prints one line for each problem and exits with code 1."""
    _configure_logging()
    try:
        app()
    except TightropeError as error:
        from tightrope.cli import console

        for line in getattr(error, "problems", [str(error)]):
            console.print_error("error", line)
        raise SystemExit(1) from None


def _configure_logging() -> None:
    """Log warnings: in colours on a terminal, elsewhere one line each with its time; `LogLimit` bounds them."""
    handler: logging.Handler = logging.StreamHandler()
    line = "%(asctime)s %(levelname)s %(message)s"
    if sys.stderr.isatty():
        from tightrope.cli import console

        handler, line = console.log_handler(), "%(message)s"
    handler.addFilter(LogLimit())
    logging.basicConfig(level="WARNING", format=line, handlers=[handler])


@app.command()
def run(
    config: ConfigArgument,
    host: HostOption = None,
    port: PortOption = None,
    grpc_port: GrpcPortOption = None,
    json_: JsonOption = False,
) -> None:
    """Serve models, shadow and judge them in one process."""
    with gc_tuning.gc_paused():
        from tightrope.service.config.loader import load
        from tightrope.wiring import embedded

        settings = cluster_commands.with_overrides(load(config), host, port, grpc_port)
        settings = cluster_commands.require_one_process(settings)

        def print_address(address: "ListenAddress") -> None:
            if json_:
                cluster_commands.print_address_json(address, settings)
                return
            from tightrope.cli import console

            url, first = address.http, next(iter(settings.models))
            grpc = f", gRPC on {address.grpc}" if address.grpc else ""
            console.print_status("ready", f" {url}/v2/models/{first}/infer{grpc}")
            console.print_status(f"      watch {url}/metrics, {url}/v1/models, {url}/docs", "", "dim")
            console.print_status(f"      memory {cluster_commands.memory_line(settings)}", "", "dim")

        embedded.run(settings, print_address, config)


@app.command()
def check(config: ConfigArgument, json_: JsonOption = False) -> None:
    """Check a configuration and list every problem; start nothing."""
    from tightrope.cli import console
    from tightrope.cli.describe import describe
    from tightrope.service.config.loader import ConfigError
    from tightrope.wiring.configuration_check import check_configuration

    found = check_configuration(config)
    if found.problems and json_:
        typer.echo(json.dumps({"ok": False, "problems": found.problems}))
        raise typer.Exit(1)
    if found.problems:
        raise ConfigError(found.problems)
    models = [describe(pair, found.sections[name]) for name, pair in found.pairs.items()]
    if json_:
        typer.echo(json.dumps({"ok": True, "models": models, "warnings": found.warnings, "control": found.has_control}))
        return
    for model in models:
        console.print_model(model)
    for line in found.warnings:
        console.print_error("warning", line)
    off = "" if found.has_control else " (control is off: no token)"
    console.print_status("ok", f" {config}: {len(found.pairs)} model{'s' * (len(found.pairs) > 1)}{off}")


@app.command()
def events(
    config: ConfigArgument,
    model: Annotated[str | None, typer.Option(help="Show this model's events only.")] = None,
    after: Annotated[int | None, typer.Option(help="Show events after this sequence number, oldest first.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many events, by default the newest.")] = 100,
    follow: Annotated[bool, typer.Option(help="Keep printing new events.")] = False,
    json_: JsonOption = False,
) -> None:
    """Print the audit trail: what changed, when, why and by whom."""
    from tightrope.cli import console
    from tightrope.service.adapters.sqlite.store import SqliteStore
    from tightrope.service.config.loader import ConfigError, load
    from tightrope.wiring.embedded import DATABASE

    settings = load(config)
    path = settings.state / DATABASE
    if settings.bus is not None:
        advice = f"`tightrope tail {config} events`, or a gateway's GET /v1/events, shows them"
        raise ConfigError([f"bus: is configured, so the events of this cluster are in a topic; {advice}"])
    if not path.exists():
        raise ConfigError([f"state: {path} does not exist yet; `tightrope run {config}` makes it"])
    store = SqliteStore(path)
    batch = store.latest_events(model, limit=limit)[::-1] if after is None else store.events(model, after, limit)
    if model is not None and model not in settings.models and not store.events(model, 0, 1):
        raise ConfigError([f"--model: {model!r} is none of {', '.join(settings.models)}, and has no events"])
    (_print_json_lines if json_ else console.print_event_table)(batch)
    while follow:
        after = batch[-1][0] if batch else after or 0
        time.sleep(EVENT_POLL_SECONDS)
        batch = store.events(model, after, limit)
        (_print_json_lines if json_ else console.print_event_lines)(batch)


@app.command(epilog=f"Models: {DEFAULT_MODEL} (default), {', '.join(DEMO_MODELS[:-1])}.")
def demo(
    model: Annotated[str, typer.Option(help="Compressed model to try.", show_default=False)] = DEFAULT_MODEL,
    sampling: Annotated[float, typer.Option(min=0.01, max=1.0, help="Share of requests that are shadowed.")] = 1.0,
    fast: Annotated[bool, typer.Option(help="Replay at full speed, not in a minute.")] = False,
    headless: Annotated[bool, typer.Option(help="Show no live table.")] = False,
    prologue: Annotated[
        bool, typer.Option("--prologue/--no-prologue", help="First qualify all compressed models.")
    ] = True,
    third_act: Annotated[bool, typer.Option(help="Then deploy a fixed model and let subgroups return.")] = False,
    kafka: Annotated[
        str | None, typer.Option(help="Run five processes over the Kafka at host:port; print JSON.")
    ] = None,
    json_: JsonOption = False,
    svg: Annotated[Path | None, typer.Option(help="Save the last table as a picture.", hidden=True)] = None,
) -> None:
    """Qualify models, then replay real traffic: a subgroup is harmed, detected and saved."""
    from tightrope.cli import console
    from tightrope.demo_run import board, cluster_story, story
    from tightrope.service.config.loader import ConfigError

    if model not in DEMO_MODELS:
        raise ConfigError([f"--model: is {model!r}; it must be one of {', '.join(DEMO_MODELS)}"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the gateway is stopped, not left behind
    prints_json = json_ or kafka is not None
    display = None if headless or kafka is not None else console.err if json_ else console.out
    above = _prologue(model, display, fast=fast, prints_json=prints_json) if prologue else None
    if kafka is not None:
        cluster_commands.silence_kafka_client()
        typer.echo(json.dumps(cluster_story.run_cluster_story(kafka, model, sampling, fast=fast)))
        return
    result = story.run_story(model, sampling, fast=fast, console=display, svg=svg, third_act=third_act, above=above)
    if json_:
        typer.echo(json.dumps(result))
    else:
        console.out.print(board.summary(result))


def _prologue(model: str, display: "Console | None", *, fast: bool, prints_json: bool) -> "Panel":
    """Qualify the demo's models, with a line of JSON for each where ``prints_json``; return the picture of it."""
    from tightrope.cli import console
    from tightrope.demo_run.prologue import run_prologue

    panel = run_prologue(
        model,
        display,
        fast=fast,
        on_verdict=lambda each: typer.echo(json.dumps(each.document())) if prints_json else None,
    )
    if display is None and not prints_json:
        console.out.print(panel)
    return panel


def _print_json_lines(batch: "list[tuple[int, Event]]") -> None:
    for seq, event in batch:
        typer.echo(json.dumps({"seq": seq, **asdict(event)}))


for command in (
    *initialization.COMMANDS,
    *offline_commands.COMMANDS,
    *labels.COMMANDS,
    *qualify_command.COMMANDS,
    *statement_commands.COMMANDS,
    *cluster_commands.COMMANDS,
):
    app.command()(command)
app.add_typer(dashboards.app, name="dashboards")
app.add_typer(modes.app, name="modes")


if __name__ == "__main__":
    main()
