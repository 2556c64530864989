"""The command line. Each command imports what it needs when it runs, so that `--help` stays quick."""

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tightrope import __version__
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
from tightrope.cli.audit import commands as audit
from tightrope.cli.audit import erasure_command
from tightrope.cli.cluster_commands import ConfigArgument, GrpcPortOption, HostOption, JsonOption, PortOption
from tightrope.cli.logs.log_setup import set_up_command, set_up_server
from tightrope.cli.people.commands import PEOPLE_COMMANDS
from tightrope.cli.record.commands import RECORD_COMMANDS
from tightrope.cli.sweep import sweep_command
from tightrope.demo_run.models import DEFAULT_MODEL, DEMO_MODELS
from tightrope.service.errors import TightropeError
from tightrope.serving import gc_tuning

if TYPE_CHECKING:
    from tightrope.serving.server import ListenAddress

app = typer.Typer(
    help="Serve a compressed model, shadow its baseline, and fall back per subgroup.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"tightrope {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=lambda value: _print_version(wanted=value)
        ),
    ] = False,
) -> None:
    del version  # its callback has printed it


def main() -> None:
    """Run a command; an expected error prints one line for each problem and exits with code 1."""
    set_up_command()
    try:
        app()
    except TightropeError as error:
        from tightrope.cli import console

        for line in getattr(error, "problems", [str(error)]):
            console.print_error("error", line)
        raise SystemExit(1) from None


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
        set_up_server(settings.logs)

        def print_address(address: "ListenAddress") -> None:
            if json_:
                cluster_commands.print_address_json(address, settings)
                return
            from tightrope.cli import console

            url, first = address.http, next(iter(settings.models))
            grpc = f", gRPC on {address.grpc}" if address.grpc else ""
            console.print_status("ready", f" {url}/v2/models/{first}/infer{grpc}")
            console.print_status(f"      watch {url}/, {url}/metrics, {url}/docs", "", "dim")
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
    """Qualify models, then replay real traffic: a group is harmed, detected and saved."""
    from tightrope.cli import console
    from tightrope.demo_run import closing, cluster_story, story
    from tightrope.demo_run.prologue import run_prologue
    from tightrope.service.config.loader import ConfigError

    if model not in DEMO_MODELS:
        raise ConfigError([f"--model: is {model!r}; it must be one of {', '.join(DEMO_MODELS)}"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the gateway is stopped, not left behind
    prints_json = json_ or kafka is not None
    display = None if headless or kafka is not None else console.err if json_ else console.out
    above, qualified = run_prologue(model, display, fast=fast) if prologue else (None, [])
    if above is not None and display is None and not prints_json:
        console.out.print(above)
    if kafka is not None:
        cluster_commands.silence_kafka_client()
        result = cluster_story.run_cluster_story(kafka, model, sampling, fast=fast)
    else:
        result = story.run_story(model, sampling, fast=fast, console=display, svg=svg, third_act=third_act, above=above)
    if prints_json:
        typer.echo(json.dumps(result | {"prologue": [each.document() for each in qualified]}))
    else:
        closing.print_closing(result, console.out, table=headless)


for command in (
    *PEOPLE_COMMANDS,
    *RECORD_COMMANDS,
    *initialization.COMMANDS,
    *offline_commands.COMMANDS,
    *labels.COMMANDS,
    *qualify_command.COMMANDS,
    *sweep_command.COMMANDS,
    *statement_commands.COMMANDS,
    *cluster_commands.COMMANDS,
    erasure_command.erase,
):
    app.command()(command)
app.add_typer(audit.app, name="audit")
app.add_typer(dashboards.app, name="dashboards")
app.add_typer(modes.app, name="modes")


if __name__ == "__main__":
    main()
