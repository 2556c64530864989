"""Workers and judges of a cluster: processes that serve no inference; their ports serve health and metrics."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from tightrope.service.adapters import cpu
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.permissions.acls import JUDGE_PROCESS, WORKER_PROCESS
from tightrope.service.adapters.kafka.snapshot_store import JUDGE_TOPICS, SnapshotStore
from tightrope.service.adapters.ports import NO_RECORDER
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.runs.health import RunHealth
from tightrope.service.api.overview.event_log import log_event
from tightrope.service.app import load_pairs
from tightrope.service.config.access import access_tokens
from tightrope.service.config.loader import Settings
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.sampling.ledger.ledger import open_ledger
from tightrope.service.sampling.ledger.sources import WorkerCosts
from tightrope.service.transport.responder import INTERNAL_ERROR
from tightrope.serving.server import STOP_SECONDS
from tightrope.shadow.judge import Judge
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.loop import Loop
from tightrope.shadow.worker import Worker
from tightrope.wiring.audit_keys import audit_keys
from tightrope.wiring.cluster import ClusterProcess, build_bus
from tightrope.wiring.cluster_review import ClusterReview
from tightrope.wiring.embedded import all_watched, judge_loop
from tightrope.wiring.judge_labels import label_route
from tightrope.wiring.paging import build_pager
from tightrope.wiring.permission_check import PermissionCheck, needed_permissions
from tightrope.wiring.recording.cluster_chain_watch import watch_cluster_chain
from tightrope.wiring.recording.cluster_incidents import publish_incidents
from tightrope.wiring.recording.recorder import build_recorder, watch_record
from tightrope.wiring.topic_watch import TopicsCallback, TopicWatch, watch_topics
from tightrope.wiring.topics import kafka_options

MODE_HEARTBEAT_SECONDS = 10.0
"""Interval at which a judge publishes the modes again, so that gateways know that it is alive."""


def worker(settings: Settings) -> ClusterProcess:
    """Build a worker: it runs the other model on the gateways' samples."""
    pairs, metrics, bus = _common_parts(settings, Component.WORKER)
    watched = all_watched(pairs)
    RunHealth(Component.WORKER, watched, metrics)
    ledger = open_ledger(settings.state.folder, [WorkerCosts(pairs, metrics)], metrics.record_counts)
    loop = Loop("worker", partial(Worker, bus, watched, metrics))
    process = _loop_process(loop, bus, metrics, _watches(settings, WORKER_PROCESS, metrics, bus), lambda: None)

    def start() -> None:
        process.start()
        ledger.start()

    def stop() -> None:
        process.stop()
        ledger.stop(STOP_SECONDS)

    return ClusterProcess(process.app, start, stop)


def judge(settings: Settings) -> ClusterProcess:
    """Build a judge: it judges the models whose partitions Kafka assigns to it."""
    pairs, metrics, bus = _common_parts(settings, Component.JUDGE)
    view = JudgementView({name: pair.plan for name, pair in pairs.items()}, on_event=log_event)
    review = ClusterReview.build(settings, pairs, lambda name: name in view.states, metrics)
    noting: dict[str, Any] = {"on_pending": review.intake.note} if review else {}
    store = SnapshotStore(bus, required=settings.state_required, keys=audit_keys(settings), **noting)
    pager, recorder = build_pager(settings, metrics), build_recorder(settings, view.plans)
    judging = partial(Judge, bus, store, view, metrics, cpu.cpu_name(), topics=JUDGE_TOPICS, pager=pager)
    make = partial(judging, heartbeat_seconds=MODE_HEARTBEAT_SECONDS, recorder=recorder or NO_RECORDER)
    publisher = publish_incidents(settings, metrics)
    watches = _watches(settings, JUDGE_PROCESS, metrics, bus, [publisher.notice] if publisher else ())
    labels = label_route(view.plans, lambda name: name in view.states, lambda: store.labels, access_tokens(settings))
    routes = [labels, *([Mount("/", review.app)] if review else [])]
    loop = _loop_process(judge_loop(make, metrics), bus, metrics, watches, store.close, routes)

    watch = watch_record(settings, recorder, log_event, metrics)
    chain = watch_cluster_chain(settings, bus, lambda: view.states, metrics)
    recording = [part for part in (recorder, watch, publisher, review, chain) if part is not None]

    def start() -> None:
        pager.start()
        for part in recording:
            part.start()
        loop.start()

    def stop() -> None:
        loop.stop()
        for part in recording:
            part.stop(STOP_SECONDS)
        pager.stop(STOP_SECONDS)

    return ClusterProcess(loop.app, start, stop)


def _common_parts(settings: Settings, component: Component) -> tuple[dict[str, ModelPair], Metrics, KafkaBus]:
    """Build what workers and judges share: the pairs, the metrics and the bus."""
    pairs, metrics = load_pairs(settings), Metrics(process_registry())
    for name, pair in pairs.items():
        metrics.initialize(component, name, pair.plan.scopes)
    return pairs, metrics, build_bus(settings, metrics, strict=True)


def _watches(
    settings: Settings, process: str, metrics: Metrics, bus: KafkaBus, more: Sequence[TopicsCallback] = ()
) -> tuple[TopicWatch, PermissionCheck]:
    """Build the watch over the topics, and the check of the permissions that it calls, as it calls ``more``."""
    options = kafka_options(settings)
    permissions = PermissionCheck(options, needed_permissions(settings, process), metrics)
    return watch_topics(options, metrics, listeners=[permissions, bus.notice, *more]), permissions


def _loop_process(
    loop: Loop,
    bus: KafkaBus,
    metrics: Metrics,
    watches: tuple[TopicWatch, PermissionCheck],
    close: Callable[[], None],
    routes: Sequence[BaseRoute] = (),
) -> ClusterProcess:
    """Build a process that runs one loop and serves its health and metrics, and further ``routes``."""
    topics, permissions = watches

    def start() -> None:
        topics.start()
        loop.start()

    def stop() -> None:
        topics.stop(1.0)
        if loop.leave(STOP_SECONDS):
            close()
        bus.close(STOP_SECONDS)

    return ClusterProcess(health(loop, metrics, lambda: topics.reason or permissions.reason, routes), start, stop)


def health(
    loop: Loop, metrics: Metrics, objection: Callable[[], str] = lambda: "", more: Sequence[BaseRoute] = ()
) -> Starlette:
    """Build the application that serves the probes and the metrics of a loop, which is not ready while there is an
    ``objection``, and ``more`` routes.
    """

    def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": loop.alive}, 200 if loop.alive else 503)

    def ready(_: Request) -> JSONResponse:
        reason = objection()
        is_up = loop.working and not reason
        return JSONResponse({"ready": is_up, **({"reason": reason} if reason else {})}, 200 if is_up else 503)

    def page(request: Request) -> Response:
        body, content_type = metrics.exposition(request.headers.get("accept", ""))
        return Response(body, media_type=content_type)

    def refused(_: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            return JSONResponse({"error": error.detail}, error.status_code, error.headers)
        return JSONResponse({"error": INTERNAL_ERROR}, 500)

    pages = {"/v2/health/live": live, "/v2/health/ready": ready, "/metrics": page}
    routes = [Route(path + end, endpoint) for path, endpoint in pages.items() for end in ("", "/")]
    app = Starlette(routes=[*routes, *more], exception_handlers={HTTPException: refused, Exception: refused})
    app.router.redirect_slashes = False  # a redirect would need the scheme and the prefix of a proxy in front
    return app
