"""Commands of a cluster: `tightrope serve | worker | judge | topics | acls | doctor | tail`."""

import json
import logging
import socket
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.logs.log_setup import set_up_server
from tightrope.service.adapters.topics import ALL_TOPICS
from tightrope.serving import gc_tuning

if TYPE_CHECKING:
    from tightrope.service.config.loader import Settings
    from tightrope.serving.processes import Member
    from tightrope.serving.server import ListenAddress, ReadyCallback

ConfigArgument = Annotated[Path, typer.Argument(help="YAML configuration file.", metavar="CONFIG", show_default=False)]
HostOption = Annotated[str | None, typer.Option(help="Listen on this address instead of CONFIG's.")]
PortOption = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Listen on this port instead of CONFIG's; 0 picks a free port.")
]
GrpcPortOption = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Serve gRPC on this port; 0 picks a free port.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def serve(
    config: ConfigArgument,
    host: HostOption = None,
    port: PortOption = None,
    grpc_port: GrpcPortOption = None,
    count: Annotated[
        int | None, typer.Option("--processes", min=1, max=256, help="Number of processes that share the port.")
    ] = None,
    json_: JsonOption = False,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
    member: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run a cluster's gateway: serve requests, send samples."""
    with gc_tuning.gc_paused():
        from tightrope.service.config.loader import load
        from tightrope.serving import processes

        settings = with_overrides(load(config), host, port, grpc_port, count)
        set_up_server(settings.logs)
        if member is not None:
            processes.stop_with_parent()
            shared = socket.socket(fileno=listener)
            _run("gateway", settings, json_=json_, member=processes.Member(member), listener=shared)
        elif settings.server.processes == 1:
            _run("gateway", settings, json_=json_)
        else:
            gc_tuning.freeze_heap()
            raise typer.Exit(processes.serve(config, settings.server, _address_printer(settings, json_=json_)))


def worker(config: ConfigArgument, host: HostOption = None, port: PortOption = None, json_: JsonOption = False) -> None:
    """Run a cluster's shadow worker; its port has health, metrics."""
    with gc_tuning.gc_paused():
        from tightrope.service.config.loader import load

        _run("worker", with_overrides(load(config), host, port, count=1), json_=json_)


def judge(config: ConfigArgument, host: HostOption = None, port: PortOption = None, json_: JsonOption = False) -> None:
    """Run a cluster's judge; its port has health and metrics."""
    with gc_tuning.gc_paused():
        from tightrope.service.config.loader import load

        _run("judge", with_overrides(load(config), host, port, count=1), json_=json_)


def topics(
    config: ConfigArgument,
    check: Annotated[bool, typer.Option("--check", help="Only report; create nothing.")] = False,
    json_: JsonOption = False,
) -> None:
    """Create missing Kafka topics; report settings that differ."""
    from tightrope.cli import console
    from tightrope.service.config.loader import load
    from tightrope.wiring.topics import ensure_topics

    status = ensure_topics(load(config), check=check)
    if json_:
        typer.echo(json.dumps({"ok": not status.differences, **asdict(status)}))
    else:
        for name in status.topics:
            console.print_status(name, "  made" if name in status.made else "", "bold")
        for line in status.differences:
            console.print_error("differs", line)
    if status.differences:
        raise typer.Exit(1)


def acls(
    config: ConfigArgument,
    processes: Annotated[
        list[str] | None, typer.Argument(help="gateway, worker, judge …; all by default.", show_default=False)
    ] = None,
    principal: Annotated[str, typer.Option(help="User:NAME instead of CONFIG's user.")] = "",
    json_: JsonOption = False,
) -> None:
    """Print the commands that grant each process its permissions."""
    from tightrope.service.config.loader import load
    from tightrope.wiring.topics import acl_commands

    commands = acl_commands(load(config), processes or (), principal)
    if json_:
        typer.echo(json.dumps(commands))
        return
    for process, lines in commands.items():
        typer.echo("\n".join([f"# {process}", *lines]))


def tail(
    config: ConfigArgument,
    topic: Annotated[str, typer.Argument(help=f"One of {', '.join(ALL_TOPICS)}.", show_default=False)],
    last: Annotated[int, typer.Option(min=0, help="Records to show of each partition.")] = 10,
    follow: Annotated[bool, typer.Option(help="Keep printing new records.")] = False,
) -> None:
    """Print the records of a topic, one JSON object per line."""
    from tightrope.cli import tail as reader
    from tightrope.service.config.loader import load

    silence_kafka_client()
    for record in reader.tail(load(config), topic, last, follow=follow):
        typer.echo(json.dumps(record))


def doctor(
    config: ConfigArgument,
    url: Annotated[
        list[str] | None, typer.Option(help="A member's address, such as http://gateway:8080; may be repeated.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Time limit for all questions.")] = 20.0,
    json_: JsonOption = False,
) -> None:
    """Look at a running cluster; say what is wrong and what to do."""
    from tightrope.cli import doctor as printer
    from tightrope.service.config.loader import load
    from tightrope.wiring.doctor.examination import examine, findings_of
    from tightrope.wiring.doctor.finding import exit_code

    silence_kafka_client()
    settings = load(config)
    with printer.quiet_log():
        view = examine(settings, url or (), seconds)
    findings = findings_of(view)
    if json_:
        printer.print_findings_json(findings, view)
    else:
        printer.print_findings(findings)
    raise typer.Exit(exit_code(findings))


def with_overrides(
    settings: "Settings", host: str | None, port: int | None, grpc_port: int | None = None, count: int | None = None
) -> "Settings":
    """Return the settings with the given options of the command line in place of those of the file."""
    options = {"host": host, "port": port, "grpc_port": grpc_port, "processes": count}
    given = {key: value for key, value in options.items() if value is not None}
    return settings.model_copy(update={"server": settings.server.model_copy(update=given)})


def require_one_process(settings: "Settings") -> "Settings":
    """Return the settings if they ask for one process.

    Raises:
        ConfigError: when they ask for several.
    """
    from tightrope.service.config.loader import ConfigError

    if settings.server.processes > 1:
        text = f"is {settings.server.processes}, but `tightrope run` is one process; `tightrope serve` can be several"
        raise ConfigError([f"server.processes: {text}"])
    return settings


def silence_kafka_client() -> None:
    """Hide the client's log: it reports each failed connection; metrics and our own lines, one a minute, suffice."""
    logging.getLogger("kafka").setLevel("CRITICAL")


def _run(
    part: str,
    settings: "Settings",
    *,
    json_: bool,
    member: "Member | None" = None,
    listener: socket.socket | None = None,
) -> None:
    """Run one process of a cluster until a signal stops it."""
    from tightrope.service.adapters.private_files import restrict_state
    from tightrope.service.adapters.state_use.holders import held_state
    from tightrope.serving.server import prepare_process
    from tightrope.wiring import cluster

    set_up_server(settings.logs)
    prepare_process()  # before the parts: some make files
    restrict_state(settings.state.folder)
    silence_kafka_client()
    is_gateway = part == "gateway"
    with held_state(settings.state.folder, "serve" if is_gateway else part):
        if is_gateway:
            process = cluster.gateway(settings, member)
        else:
            from tightrope.wiring import shadow_processes

            process = {"worker": shadow_processes.worker, "judge": shadow_processes.judge}[part](settings)
        cluster.run(process, settings, _address_printer(settings, json_=json_, is_gateway=is_gateway), listener)


def _address_printer(settings: "Settings", *, json_: bool, is_gateway: bool = False) -> "ReadyCallback":
    """Return a callback that prints where the process listens."""

    def print_address(address: "ListenAddress") -> None:
        if json_:
            print_address_json(address, settings)
            return
        from tightrope.cli import console

        console.print_status("up", f" {address.http}/metrics")
        if is_gateway:
            console.print_status(f"   memory {memory_line(settings)}", "", "dim")

    return print_address


def print_address_json(address: "ListenAddress", settings: "Settings") -> None:
    """Print where a server listens, which models it serves, and the bytes that callers take at most, as one JSON
    object.
    """
    from tightrope.service.transport.memory_bound import memory_bound

    bound = memory_bound(settings.server)
    typer.echo(json.dumps({**address.addresses, "models": list(settings.models), "memory_bound": bound}))


def memory_line(settings: "Settings") -> str:
    """The memory that this process has, and that its callers take at most."""
    from tightrope.service.adapters.memory import own_resident_bytes
    from tightrope.service.transport.memory_bound import describe_bound

    return describe_bound(settings.server, own_resident_bytes())


COMMANDS: tuple[Callable[..., Any], ...] = (serve, worker, judge, topics, acls, doctor, tail)
