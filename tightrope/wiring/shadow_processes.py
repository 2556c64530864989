"""Workers and judges of a cluster: processes that serve no inference; their ports serve health and metrics."""

from collections.abc import Callable
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tightrope.service.adapters import cpu
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.snapshot_store import JUDGE_TOPICS, SnapshotStore
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import Settings
from tightrope.service.inference.model_pair import ModelPair
from tightrope.serving.server import STOP_SECONDS
from tightrope.shadow.judge import Judge
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.loop import Loop
from tightrope.shadow.worker import Worker
from tightrope.wiring.cluster import ClusterProcess, build_bus
from tightrope.wiring.embedded import all_watched
from tightrope.wiring.paging import build_pager

MODE_HEARTBEAT_SECONDS = 10.0
"""Interval at which a judge publishes the modes again, so that gateways know that it is alive."""


def worker(settings: Settings) -> ClusterProcess:
    """Build a worker: it runs the other model on the gateways' samples."""
    pairs, metrics, bus = _common_parts(settings, Component.WORKER)
    loop = Loop("worker", partial(Worker, bus, all_watched(pairs), metrics))
    return _loop_process(loop, bus, metrics, lambda: None)


def judge(settings: Settings) -> ClusterProcess:
    """Build a judge: it judges the models whose partitions Kafka assigns to it."""
    pairs, metrics, bus = _common_parts(settings, Component.JUDGE)
    view = JudgementView({name: pair.plan for name, pair in pairs.items()})
    store, pager = SnapshotStore(bus, required=settings.state_required), build_pager(settings, metrics)
    judging = partial(Judge, bus, store, view, metrics, cpu.cpu_name(), topics=JUDGE_TOPICS, pager=pager)
    make = partial(judging, heartbeat_seconds=MODE_HEARTBEAT_SECONDS)
    loop = _loop_process(Loop("judge", make, metrics.judge_failures.inc), bus, metrics, store.close)

    def start() -> None:
        pager.start()
        loop.start()

    def stop() -> None:
        loop.stop()
        pager.stop(STOP_SECONDS)

    return ClusterProcess(loop.app, start, stop)


def _common_parts(settings: Settings, component: Component) -> tuple[dict[str, ModelPair], Metrics, KafkaBus]:
    """Build what workers and judges share: the pairs, the metrics and the bus."""
    pairs, metrics = load_pairs(settings), Metrics(process_registry())
    for name, pair in pairs.items():
        metrics.initialize(component, name, pair.plan.scopes)
    return pairs, metrics, build_bus(settings, metrics, strict=True)


def _loop_process(loop: Loop, bus: KafkaBus, metrics: Metrics, close: Callable[[], None]) -> ClusterProcess:
    """Build a process that runs one loop and serves its health and metrics."""

    def stop() -> None:
        if loop.leave(STOP_SECONDS):
            close()
        bus.close(STOP_SECONDS)

    return ClusterProcess(health(loop, metrics), loop.start, stop)


def health(loop: Loop, metrics: Metrics) -> Starlette:
    """Build the application that serves the probes and the metrics of a loop."""

    def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": loop.alive}, 200 if loop.alive else 503)

    def ready(_: Request) -> JSONResponse:
        return JSONResponse({"ready": loop.working}, 200 if loop.working else 503)

    def page(request: Request) -> Response:
        body, content_type = metrics.exposition(request.headers.get("accept", ""))
        return Response(body, media_type=content_type)

    return Starlette(routes=[Route("/v2/health/live", live), Route("/v2/health/ready", ready), Route("/metrics", page)])
