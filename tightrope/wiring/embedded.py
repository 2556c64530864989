"""Everything in one process: gateway, worker and judge over the memory bus, with state in SQLite."""

import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from tightrope.monitors.records import Event
from tightrope.service.adapters import cpu as host
from tightrope.service.adapters.archive.archive import DiskArchive
from tightrope.service.adapters.archive.row_format import Layout
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.open_inference.model import apart
from tightrope.service.adapters.ports import Pager
from tightrope.service.adapters.prometheus.catalogue import Part
from tightrope.service.adapters.prometheus.metrics import Metrics, process_registry
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.app import ROWS, Service, build_service, load_pairs
from tightrope.service.config.loader import Settings
from tightrope.service.inference.autotune import learn
from tightrope.service.inference.model_pair import Pair
from tightrope.serving.report_schedule import Reporter
from tightrope.serving.server import STOP_SECONDS, SWITCH_SECONDS, TOLD, HttpServer, Ready
from tightrope.shadow.inference import Watched
from tightrope.shadow.judge import Bench, Judge
from tightrope.shadow.loop import Loop
from tightrope.shadow.worker import Worker
from tightrope.wiring.deployer import Deployer, Places, as_deployed
from tightrope.wiring.paging import pager_of

log = logging.getLogger(__name__)

DATABASE = "tightrope.db"
"""The state's file, in the folder that the settings name."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """All the parts, wired and not started yet."""

    service: Service
    bench: Bench
    store: SqliteStore
    worker: Loop
    judge: Loop
    archive: DiskArchive
    reporter: Reporter
    pager: Pager

    def start(self) -> None:
        """The judge first, so that modes are known before the first request."""
        self.pager.start()
        self.judge.start()
        self.service.start()
        self.archive.start()
        self.reporter.start()
        self.worker.start()
        deadline = time.monotonic() + STOP_SECONDS
        while any(self.service.gateway.router.routes(name).epoch < 0 for name in self.bench.plans):
            if time.monotonic() > deadline:
                log.warning("the judge has not told the modes yet: the compressed models answer until it does")
                break
            time.sleep(0.005)

    def stop(self) -> None:
        """In the direction of the data, each part when it has finished what the one before it left."""
        self.service.stop(STOP_SECONDS)
        self.worker.stop(STOP_SECONDS)
        self.archive.stop(STOP_SECONDS)
        self.judge.stop(STOP_SECONDS)
        self.reporter.stop(STOP_SECONDS)
        self.pager.stop(STOP_SECONDS)
        self.store.close()


def wire_up(settings: Settings, config: Path | None = None) -> Embedded:
    """Build everything from the settings; ``config`` is the file that a drift report's own process reads them from.

    Raises:
        ConfigError: with every mistake in the settings or the models.
    """
    settings = as_deployed(settings)
    pairs = load_pairs(settings)
    metrics = Metrics(process_registry())
    bus, store = MemoryBus(), SqliteStore(settings.state / DATABASE, exclusive=True)
    places = Places(
        pairs=pairs,
        watched=all_watched(pairs),
        plans={name: pair.plan for name, pair in pairs.items()},
        paces={name: learn(pair) for name, pair in pairs.items()},
    )
    bench = Bench(places.plans)
    for part, plan in product((Part.WORKER, Part.JUDGE), places.plans.values()):
        metrics.announce(part, plan.model, plan.scopes)

    def tell(event: Event) -> None:
        service.outbox.note(event)

    deployer = Deployer(settings, places, as_watched, tell)
    service = build_service(settings, pairs, places.paces, bus, store, bench, deployer, metrics)
    archive, pager = _archive(settings, pairs, metrics), pager_of(settings, metrics)
    return Embedded(
        service=service,
        bench=bench,
        store=store,
        worker=Loop("worker", partial(Worker, bus, places.watched, metrics, archive=archive)),
        judge=Loop("judge", partial(Judge, bus, store, bench, metrics, host.cpu(), pager=pager)),
        archive=archive,
        reporter=Reporter(settings, {name: pair.plan.scopes for name, pair in pairs.items()}, metrics, config),
        pager=pager,
    )


def _archive(settings: Settings, pairs: Mapping[str, Pair], metrics: Metrics) -> DiskArchive:
    layouts = {name: Layout.of(pair.inputs) for name, pair in pairs.items()}
    first = {n: 0 if of.golden else settings.reports.reference_rows for n, of in settings.models.items()}
    keep = settings.reports.keep_rows
    return DiskArchive(settings.state / ROWS, layouts, keep=keep, reference=first, metrics=metrics)


def all_watched(pairs: Mapping[str, Pair]) -> dict[str, Watched]:
    """Every pair as the shadow sees it."""
    return {name: as_watched(pair) for name, pair in pairs.items()}


def as_watched(pair: Pair) -> Watched:
    """A pair as the shadow sees it."""
    free = all(spec.shape[0] == -1 for spec in pair.inputs)
    models = {role: apart(model) for role, model in pair.models.items()}
    return Watched(models, pair.decision, pair.output, free, pair.noise_share)


def run(settings: Settings, ready: Ready, config: Path | None = None) -> None:
    """Serve until a signal says stop."""
    sys.setswitchinterval(SWITCH_SECONDS)
    embedded = wire_up(settings, config)
    server = HttpServer(settings.server, embedded.service.app, embedded.service.rpc)
    embedded.start()
    try:
        server.serve_until_told(ready, TOLD)
    finally:
        embedded.stop()
