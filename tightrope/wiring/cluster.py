"""The processes of a cluster over Apache Kafka, from one configuration: what they have in common, and the gateway."""

import contextlib
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.prometheus.catalogue import UNDELIVERED
from tightrope.service.adapters.prometheus.metrics import Metrics, process_registry
from tightrope.service.adapters.prometheus.multiprocess import SharedRegistry
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.app import build_service, load_pairs
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.models import Endpoint
from tightrope.service.inference.autotune import learn
from tightrope.service.transport.http.asgi import App
from tightrope.serving.order_relay import Orders
from tightrope.serving.processes import Member
from tightrope.serving.server import STOP_SECONDS, SWITCH_SECONDS, TOLD, HttpServer, Ready, Rpc
from tightrope.serving.snapshot_follower import Follower
from tightrope.shadow.judge import Bench
from tightrope.wiring.topics import kafka_of, options_of

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
    """Implements `api.ports.Deployer`: an artefact that only one of many processes had would be judged by none."""

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
    bus = bus_of(settings, metrics, strict=False, place=member.place if member else None)
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


def bus_of(settings: Settings, metrics: Metrics, *, strict: bool, place: str | None = None) -> KafkaBus:
    """The bus, which counts what it loses."""

    def lost(name: str, value: bytes, reason: str) -> None:
        metrics.undelivered.labels(name, REASONS.get(reason, "refused")).inc()
        if name == topic(SAMPLES):
            with contextlib.suppress(WireError):
                samples = record_codec.decode_samples(value)
                metrics.dropped(samples.model, "undeliverable", len(samples))

    options = options_of(settings).in_place(place) if place else options_of(settings)
    bus = KafkaBus(options, lost, lambda group: metrics.rebalances.labels(group).inc(), strict=strict)
    metrics.waiting.set_function(lambda: bus.waiting)
    return bus


def run(process: Process, settings: Settings, ready: Ready, listener: socket.socket | None = None) -> None:
    """Until a signal says stop."""
    sys.setswitchinterval(SWITCH_SECONDS)
    server = HttpServer(settings.server, process.app, process.rpc, listener)
    process.start()
    try:
        server.serve_until_told(ready, TOLD)
    finally:
        process.stop()
