"""The processes of a cluster: gateways, workers and judges over Apache Kafka, all from one configuration."""

import contextlib
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitors.records import Role
from service.adapters import host, wire
from service.adapters.kafka import KafkaBus
from service.adapters.metrics import Metrics, process_registry
from service.adapters.packing import WireError
from service.adapters.series import UNDELIVERED, Part
from service.adapters.siblings import SharedRegistry
from service.adapters.snapshots import JUDGED, SnapshotStore
from service.adapters.topics import SAMPLES, topic
from service.app import build_service, load_pairs
from service.http import App
from service.pace import learn
from service.pair import Pair
from service.sections import Endpoint
from service.settings import ConfigError, Settings
from shadow.judge import Bench, Judge
from shadow.loop import Loop
from shadow.worker import Worker
from tightrope.embedded import SWITCH_SECONDS, all_watched
from tightrope.follower import Follower
from tightrope.orders import Orders
from tightrope.paging import pager_of
from tightrope.processes import Member
from tightrope.server import STOP_SECONDS, TOLD, HttpServer, Ready, Rpc
from tightrope.topics import kafka_of, options_of

TELL_EVERY = 10.0
"""Seconds after which a judge tells the modes again: gateways know by it that somebody judges."""


REASONS = {reason: reason for reason in UNDELIVERED} | {"MessageSizeTooLargeError": "too_large"}
"""Why a record was lost, by what the publisher says: the errors of the client are many, and of one kind."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a cluster, wired and not started yet: what it shows over HTTP, how it starts and stops, and a
    gateway's gRPC.
    """

    app: App
    start: Callable[[], None]
    stop: Callable[[], None]
    rpc: Rpc | None = None


class NoDeployer:
    """Implements `service.deploy.Deployer`: an artefact that only one of many processes had would be judged by none."""

    def deploy(self, model: str, role: Role, artefact: Path | Endpoint, actor: str, reason: str) -> bool:
        """Not here."""
        del role, artefact, actor, reason
        raise ConfigError(
            [f"model {model}: in a cluster another artefact comes with the configuration of all processes"]
        )

    def roll_back(self, model: str, actor: str, reason: str) -> bool:
        """Not here."""
        del actor, reason
        raise LookupError(model)


def gateway(settings: Settings, member: Member | None = None) -> Process:
    """Serves; samples go to Kafka, modes come from it. Kafka may be away, at the start too. One that joins others on
    their port knows the modes first.
    """
    pairs = load_pairs(settings)
    shared = SharedRegistry(member.file) if member else None
    metrics = Metrics(process_registry(shared))
    bus = _bus(settings, metrics, strict=False, place=member.place if member else None)
    bench = Bench({name: pair.plan for name, pair in pairs.items()})
    follower = Follower(bus, bench, metrics)
    paces = {name: learn(pair, settings.server.processes) for name, pair in pairs.items()}
    patience = kafka_of(settings).bootstrap_seconds
    service = build_service(settings, pairs, paces, bus, follower, bench, NoDeployer(), metrics, patience)

    beside: list[SharedRegistry | Orders] = []
    if shared and member:
        beside = [shared, Orders(member.file.parent, service.gateway.router)]

    def start() -> None:
        service.start()
        follower.start()
        for part in beside:
            part.start()
        if member and member.joins:
            service.control.caught_up.wait(patience)

    def stop() -> None:
        """In the direction of the data."""
        service.stop(STOP_SECONDS)
        follower.stop(1.0)
        bus.close(STOP_SECONDS)
        for part in beside:
            part.stop(STOP_SECONDS)

    return Process(service.app, start, stop, service.rpc)


def worker(settings: Settings) -> Process:
    """Runs the other model on what the gateways sampled."""
    pairs = load_pairs(settings)
    metrics = Metrics(process_registry())
    bus = _bus(settings, metrics, strict=True)
    for name, pair in pairs.items():
        metrics.announce(Part.WORKER, name, pair.plan.scopes)
    loop = Loop("worker", partial(Worker, bus, all_watched(pairs), metrics))
    return _looping(loop, bus, metrics, lambda: None)


def judge(settings: Settings) -> Process:
    """Judges the models whose partitions come to it."""
    pairs: dict[str, Pair] = load_pairs(settings)
    metrics = Metrics(process_registry())
    bus = _bus(settings, metrics, strict=True)
    bench = Bench({name: pair.plan for name, pair in pairs.items()})
    for name, pair in pairs.items():
        metrics.announce(Part.JUDGE, name, pair.plan.scopes)
    store, pager = SnapshotStore(bus), pager_of(settings, metrics)
    make = partial(Judge, bus, store, bench, metrics, host.cpu(), topics=JUDGED, tell_every=TELL_EVERY, pager=pager)
    loop = _looping(Loop("judge", make), bus, metrics, store.close)

    def start() -> None:
        pager.start()
        loop.start()

    def stop() -> None:
        loop.stop()
        pager.stop(STOP_SECONDS)

    return Process(loop.app, start, stop)


def _looping(loop: Loop, bus: KafkaBus, metrics: Metrics, close: Callable[[], None]) -> Process:
    """A process that is one loop, with its health and its metrics."""

    def stop() -> None:
        if loop.leave(STOP_SECONDS):
            close()
        bus.close(STOP_SECONDS)

    return Process(health(loop, metrics), loop.start, stop)


def _bus(settings: Settings, metrics: Metrics, *, strict: bool, place: str | None = None) -> KafkaBus:
    def lost(name: str, value: bytes, reason: str) -> None:
        metrics.undelivered.labels(name, REASONS.get(reason, "refused")).inc()
        if name == topic(SAMPLES):
            with contextlib.suppress(WireError):
                samples = wire.decode_samples(value)
                metrics.dropped(samples.model, "undeliverable", len(samples))

    options = options_of(settings).in_place(place) if place else options_of(settings)
    bus = KafkaBus(options, lost, lambda group: metrics.rebalances.labels(group).inc(), strict=strict)
    metrics.waiting.set_function(lambda: bus.waiting)
    return bus


def health(loop: Loop, metrics: Metrics) -> Starlette:
    """The probes and the metrics of a process that answers no inference request."""

    def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": loop.alive}, 200 if loop.alive else 503)

    def ready(_: Request) -> JSONResponse:
        return JSONResponse({"ready": loop.working}, 200 if loop.working else 503)

    def page(request: Request) -> Response:
        body, content_type = metrics.page(request.headers.get("accept", ""))
        return Response(body, media_type=content_type)

    return Starlette(routes=[Route("/v2/health/live", live), Route("/v2/health/ready", ready), Route("/metrics", page)])


def run(process: Process, settings: Settings, ready: Ready, listener: socket.socket | None = None) -> None:
    """Until a signal says stop."""
    sys.setswitchinterval(SWITCH_SECONDS)
    server = HttpServer(settings.server, process.app, process.rpc, listener)
    process.start()
    try:
        server.serve_until_told(ready, TOLD)
    finally:
        process.stop()
