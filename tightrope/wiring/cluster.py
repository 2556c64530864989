"""The gateway of a cluster over Apache Kafka, and what all processes of a cluster share."""

import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.service.adapters.audit.event_publisher import EventPublisher
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.permissions.acls import GATEWAY_PROCESS
from tightrope.service.adapters.kafka.signature import SIGNED_TOPICS, SignatureCheck
from tightrope.service.adapters.prometheus.bus_catalogue import LOG_RESET_REASONS, REFUSAL_REASONS, UNDELIVERED_REASONS
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.prometheus.multiprocess import SharedRegistry
from tightrope.service.adapters.topics import POSITION_TOPICS, SAMPLES, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.api.incidents.library import NO_INCIDENTS
from tightrope.service.app import build_service, load_pairs
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.models import Endpoint
from tightrope.service.inference.autotune import measure_profile
from tightrope.service.transport.http.asgi import App
from tightrope.serving.incident_follower import IncidentFollower
from tightrope.serving.order_relay import OrderRelay
from tightrope.serving.processes import Member
from tightrope.serving.server import (
    STOP_SECONDS,
    STOP_SIGNALS,
    HttpServer,
    ReadyCallback,
    TransportServer,
    prepare_process,
)
from tightrope.serving.snapshot_follower import SnapshotFollower
from tightrope.shadow.judgement_view import JudgementView
from tightrope.wiring.audit_keys import audit_keys
from tightrope.wiring.cluster_review import review_pages
from tightrope.wiring.permission_check import PermissionCheck, needed_permissions
from tightrope.wiring.recording.cluster_incidents import follow_incidents
from tightrope.wiring.topic_watch import watch_topics
from tightrope.wiring.topics import kafka_options, kafka_section, signing_warning

log = logging.getLogger(__name__)

LOSS_REASONS = {reason: reason for reason in UNDELIVERED_REASONS} | {"MessageSizeTooLargeError": "too_large"}
"""Metric label by the producer's reason for a loss; the client's many other errors are all `refused`."""


@dataclass(frozen=True, slots=True)
class ClusterProcess:
    """A process of a cluster, wired and not started: HTTP application, start, stop, and a gateway's gRPC server."""

    app: App
    start: Callable[[], None]
    stop: Callable[[], None]
    rpc: TransportServer | None = None


class RefusingDeployer:
    """Implements `api.ports.Deployer` by refusing: no judge would judge an artefact that only one process has."""

    def deploy(
        self,
        model: str,
        role: Role,
        artefact: Path | Endpoint,
        actor: str,
        reason: str,
        qualification: Path | None = None,
    ) -> bool:
        """Raise ConfigError."""
        del role, artefact, actor, reason, qualification
        raise ConfigError(
            [f"model {model}: in a cluster another artefact comes with the configuration of all processes"]
        )

    def roll_back(self, model: str, actor: str, reason: str) -> bool:
        """Raise LookupError: there is nothing to roll back to."""
        del actor, reason
        raise LookupError(model)


def gateway(settings: Settings, member: Member | None = None) -> ClusterProcess:
    """Build a gateway: it sends samples to Kafka and reads modes from it. Kafka may be unavailable, even at the start.

    A ``member`` that joins running processes on their port waits for the modes before it serves.
    """
    pairs = load_pairs(settings)
    shared = SharedRegistry(member.file) if member else None
    metrics = Metrics(process_registry(shared))
    bus = build_bus(settings, metrics, strict=False, slot=member.slot if member else None)
    view = JudgementView({name: pair.plan for name, pair in pairs.items()})
    follower = SnapshotFollower(bus, view, metrics)
    profiles = {name: measure_profile(pair, settings.server.processes) for name, pair in pairs.items()}
    bootstrap = kafka_section(settings).bootstrap_seconds
    incidents = follow_incidents(settings, bus, metrics)
    judged: tuple[SnapshotFollower, JudgementView, RefusingDeployer] = follower, view, RefusingDeployer()
    service = build_service(
        settings, pairs, profiles, bus, *judged, metrics, bootstrap, review_pages(settings),
        incidents=incidents or NO_INCIDENTS,
    )  # fmt: skip
    service.outbox.encode_event = EventPublisher(bus, audit_keys(settings)).encode

    options = kafka_options(settings)
    permissions = PermissionCheck(options, needed_permissions(settings, GATEWAY_PROCESS), metrics)
    topics = watch_topics(options, metrics, service.engine.router.set_distrust, [permissions, bus.notice])
    parts: list[SharedRegistry | OrderRelay | IncidentFollower] = [incidents] if incidents else []
    if shared and member:
        parts += [shared, OrderRelay(member.file.parent, service.engine.router)]

    def start() -> None:
        service.start()
        follower.start()
        topics.start()
        for part in parts:
            part.start()
        if member and member.joins:
            service.wait_for_modes(bootstrap)

    def stop() -> None:
        """Stop the parts in the order of the data flow."""
        service.stop(STOP_SECONDS)
        service.ledger.stop(STOP_SECONDS)
        topics.stop(1.0)
        follower.stop(1.0)
        bus.close(STOP_SECONDS)
        for part in parts:
            part.stop(STOP_SECONDS)

    return ClusterProcess(service.app, start, stop, service.grpc)


def build_bus(settings: Settings, metrics: Metrics, *, strict: bool, slot: str | None = None) -> KafkaBus:
    """Build the bus, which counts lost records; ``slot`` distinguishes the processes of one port."""

    def count_loss(name: str, value: bytes, reason: str) -> None:
        metrics.undelivered_records.labels(name, LOSS_REASONS.get(reason, "refused")).inc()
        if name == topic(SAMPLES):
            with contextlib.suppress(WireError):
                samples = record_codec.decode_samples(value)
                metrics.record_dropped(samples.model, "undeliverable", len(samples))

    def count_check(name: str, result: str) -> None:
        if result == SignatureCheck.ACCEPTED:
            metrics.records_accepted_unsigned.labels(name).inc()
        else:
            metrics.records_refused.labels(name, result).inc()

    options = kafka_options(settings).for_process(slot) if slot else kafka_options(settings)
    if warning := signing_warning(settings):
        log.warning("%s", warning)
    for name, reason in product(sorted(SIGNED_TOPICS), REFUSAL_REASONS):
        metrics.records_refused.labels(name, reason)  # so that the first one is a rise
    rebalanced = metrics.rebalances
    bus = KafkaBus(options, count_loss, lambda group: rebalanced.labels(group).inc(), count_check, strict=strict)
    for name, reason in product(POSITION_TOPICS, LOG_RESET_REASONS):
        metrics.log_resets.labels(name, reason)

    def count_made_anew(name: str) -> None:
        if name in POSITION_TOPICS:
            metrics.record_log_reset(name, "made_anew")

    bus.on_made_anew = count_made_anew
    metrics.bus_waiting_records.set_function(lambda: bus.unacknowledged)
    return bus


def run(
    process: ClusterProcess, settings: Settings, ready: ReadyCallback, listener: socket.socket | None = None
) -> None:
    """Run a process until a signal stops it."""
    prepare_process()
    server = HttpServer(settings.server, process.app, process.rpc, listener)
    process.start()
    try:
        server.serve_until_stopped(ready, STOP_SIGNALS)
    finally:
        process.stop()
