"""The processes of a cluster that answer no request: workers and judges. Their ports show health and metrics."""

from collections.abc import Callable
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tightrope.service.adapters import cpu as host
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.snapshot_store import JUDGED, SnapshotStore
from tightrope.service.adapters.prometheus.catalogue import Part
from tightrope.service.adapters.prometheus.metrics import Metrics, process_registry
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import Settings
from tightrope.service.inference.model_pair import Pair
from tightrope.serving.server import STOP_SECONDS
from tightrope.shadow.judge import Bench, Judge
from tightrope.shadow.loop import Loop
from tightrope.shadow.worker import Worker
from tightrope.wiring.cluster import Process, bus_of
from tightrope.wiring.embedded import all_watched
from tightrope.wiring.paging import pager_of

TELL_EVERY = 10.0
"""Seconds after which a judge tells the modes again: gateways know by it that somebody judges."""


def worker(settings: Settings) -> Process:
    """Runs the other model on what the gateways sampled."""
    pairs = load_pairs(settings)
    metrics = Metrics(process_registry())
    bus = bus_of(settings, metrics, strict=True)
    for name, pair in pairs.items():
        metrics.announce(Part.WORKER, name, pair.plan.scopes)
    loop = Loop("worker", partial(Worker, bus, all_watched(pairs), metrics))
    return _looping(loop, bus, metrics, lambda: None)


def judge(settings: Settings) -> Process:
    """Judges the models whose partitions come to it."""
    pairs: dict[str, Pair] = load_pairs(settings)
    metrics = Metrics(process_registry())
    bus = bus_of(settings, metrics, strict=True)
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
