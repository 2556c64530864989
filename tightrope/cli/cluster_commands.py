"""The commands of a cluster: `tightrope topics | serve | worker | judge | tail`."""

import json
import logging
import socket
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.service.adapters.topics import EVERY
from tightrope.serving import gc_tuning

if TYPE_CHECKING:
    from tightrope.service.config.loader import Settings
    from tightrope.serving.processes import Member
    from tightrope.serving.server import Listening, Ready

Config = Annotated[Path, typer.Argument(help="The YAML configuration file.", metavar="CONFIG", show_default=False)]
Host = Annotated[str | None, typer.Option(help="Listen on this address instead.")]
Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="Listen on this port instead; 0 picks a free one.")]
GrpcPort = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Serve gRPC on this port instead; 0: a free one.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def topics(
    config: Config,
    check: Annotated[bool, typer.Option("--check", help="Make nothing, only say what is not as it should be.")] = False,
    json_: Json = False,
) -> None:
    """Make the Kafka topics that CONFIG needs, where they are missing, and say what is not as it should be."""
    from tightrope.cli import console
    from tightrope.service.config.loader import load
    from tightrope.wiring import topics as kafka

    found = kafka.topics(load(config), check=check)
    if json_:
        typer.echo(json.dumps({"ok": not found.differences, **asdict(found)}))
    for name in found.topics if not json_ else ():
        console.say(name, "  made" if name in found.made else "", "bold")
    for line in found.differences if not json_ else ():
        console.complain("differs", line)
    if found.differences:
        raise typer.Exit(1)


def serve(
    config: Config,
    host: Host = None,
    port: Port = None,
    grpc_port: GrpcPort = None,
    count: Annotated[
        int | None, typer.Option("--processes", min=1, max=256, help="So many processes on the port.")
    ] = None,
    json_: Json = False,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
    member: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """A gateway of a cluster: answers requests, and sends samples to Kafka."""
    with gc_tuning.put_off():
        from tightrope.service.config.loader import load
        from tightrope.serving import processes

        settings = listening(load(config), host, port, grpc_port, count)
        if member is not None:
            processes.end_with_parent()
            shared = socket.socket(fileno=listener)
            _run("gateway", settings, json_=json_, member=processes.Member(member), listener=shared)
        elif settings.server.processes == 1:
            _run("gateway", settings, json_=json_)
        else:
            gc_tuning.settled()
            raise typer.Exit(processes.serve(config, settings.server, _telling(settings, json_=json_)))


def worker(config: Config, host: Host = None, port: Port = None, json_: Json = False) -> None:
    """A shadow worker of a cluster: runs the other model on the samples. Its port shows health and metrics."""
    with gc_tuning.put_off():
        from tightrope.service.config.loader import load

        _run("worker", listening(load(config), host, port, count=1), json_=json_)


def judge(config: Config, host: Host = None, port: Port = None, json_: Json = False) -> None:
    """A judge of a cluster: decides who answers. Its port shows health and metrics."""
    with gc_tuning.put_off():
        from tightrope.service.config.loader import load

        _run("judge", listening(load(config), host, port, count=1), json_=json_)


def tail(
    config: Config,
    topic: Annotated[str, typer.Argument(help=f"One of {', '.join(EVERY)}.", show_default=False)],
    last: Annotated[int, typer.Option(min=0, help="The last so many records of every partition.")] = 10,
    follow: Annotated[bool, typer.Option(help="Go on with what comes from now on.")] = False,
) -> None:
    """Read a topic: one JSON object a record, large arrays as their type and shape."""
    from tightrope.cli.tail import tail as read
    from tightrope.service.config.loader import load

    quiet()
    for record in read(load(config), topic, last, follow=follow):
        typer.echo(json.dumps(record))


def listening(
    settings: "Settings", host: str | None, port: int | None, grpc_port: int | None = None, count: int | None = None
) -> "Settings":
    """The same settings with another address to listen on, where one is given, and another count of processes."""
    wanted = {"host": host, "port": port, "grpc_port": grpc_port, "processes": count}
    given = {key: value for key, value in wanted.items() if value is not None}
    return settings.model_copy(update={"server": settings.server.model_copy(update=given)})


def alone(settings: "Settings") -> "Settings":
    """The same settings, if they are those of one process.

    Raises:
        ConfigError: when they ask for several.
    """
    from tightrope.service.config.loader import ConfigError

    if settings.server.processes > 1:
        told = f"is {settings.server.processes}, but `tightrope run` is one process; `tightrope serve` can be several"
        raise ConfigError([f"server.processes: {told}"])
    return settings


def quiet() -> None:
    """The client tells every failed connection of an outage; metrics and our own lines, one a minute, say it better."""
    logging.getLogger("kafka").setLevel("CRITICAL")


def _run(
    part: str,
    settings: "Settings",
    *,
    json_: bool,
    member: "Member | None" = None,
    listener: socket.socket | None = None,
) -> None:
    """One process of a cluster, until it is told to stop."""
    from tightrope.wiring import cluster

    quiet()
    if part == "gateway":
        process = cluster.gateway(settings, member)
    else:
        from tightrope.wiring import shadow_processes

        process = {"worker": shadow_processes.worker, "judge": shadow_processes.judge}[part](settings)
    cluster.run(process, settings, _telling(settings, json_=json_), listener)


def _telling(settings: "Settings", *, json_: bool) -> "Ready":
    """Says where it listens."""

    def ready(at: "Listening") -> None:
        if json_:
            typer.echo(json.dumps({**at.addresses, "models": list(settings.models)}))
            return
        from tightrope.cli import console

        console.say("up", f" {at.http}/metrics")

    return ready


COMMANDS: tuple[Callable[..., Any], ...] = (topics, serve, worker, judge, tail)
