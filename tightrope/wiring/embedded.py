"""All parts in one process: gateway, worker and judge over the memory bus, with state in SQLite."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Event
from tightrope.service.adapters import cpu
from tightrope.service.adapters.archive.archive import DiskArchive
from tightrope.service.adapters.archive.row_format import ColumnLayout
from tightrope.service.adapters.archive.row_inputs import RowKeeping
from tightrope.service.adapters.journal.recorder import JournalRecorder
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.open_inference.model import independent_copy
from tightrope.service.adapters.ports import NO_RECORDER, Pager
from tightrope.service.adapters.private_files import restrict_state
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.runs.detached import detach
from tightrope.service.adapters.runs.health import RunHealth
from tightrope.service.adapters.sqlite.event_table import DAY_SECONDS, EventRetention
from tightrope.service.adapters.sqlite.opening import open_state
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.state_use.holders import held_state
from tightrope.service.api.overview.event_log import log_event
from tightrope.service.app import ROWS_FOLDER, build_service, load_pairs
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.autotune import measure_profile
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.probing.probe_memory import ProbeMemory
from tightrope.service.lifecycle import Service
from tightrope.service.sampling.ledger.sources import WorkerCosts
from tightrope.serving.report_schedule import ReportScheduler
from tightrope.serving.requalification import Requalifier, build_requalifier
from tightrope.serving.server import STOP_SECONDS, STOP_SIGNALS, HttpServer, ReadyCallback, prepare_process
from tightrope.shadow.inference import WatchedPair
from tightrope.shadow.judge import Judge
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.loop import Loop, RecentFailures
from tightrope.shadow.worker import Worker
from tightrope.wiring.audit_keys import audit_keys
from tightrope.wiring.deployer import HotSwapDeployer, ServedPairs, with_deployed
from tightrope.wiring.mode_mapping import require_mapped
from tightrope.wiring.paging import build_pager
from tightrope.wiring.recording.recorder import StateWatch, build_recorder, build_watches, incident_library
from tightrope.wiring.review import Review

log = logging.getLogger(__name__)

DATABASE = "tightrope.db"
"""Name of the database in the state folder."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """All parts, wired and not started."""

    service: Service
    view: JudgementView
    store: SqliteStore
    worker: Loop
    judge: Loop
    archive: DiskArchive
    reporter: ReportScheduler
    requalifier: Requalifier
    pager: Pager
    deployer: HotSwapDeployer
    recorder: JournalRecorder | None
    watches: Sequence[StateWatch] = ()
    review: Review | None = None

    def start(self) -> None:
        """Start the parts, the judge before the gateway, so that modes are known before the first request."""
        self.pager.start()
        if self.recorder:
            self.recorder.start()
        for watch in self.watches:
            watch.start()
        self.judge.start()
        self.service.start()
        self.archive.start()
        if self.review:
            self.review.start()
        self.reporter.start()
        self.requalifier.start()
        self.worker.start()
        deadline = time.monotonic() + STOP_SECONDS
        while any(self.service.engine.router.routes(name).epoch < 0 for name in self.view.plans):
            if time.monotonic() > deadline:
                log.warning("the judge has not published the modes yet: the baselines answer until it does")
                break
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop the parts in the order of the data flow, each after the one that feeds it has finished."""
        self.deployer.stop()
        self.service.stop(STOP_SECONDS)
        self.worker.stop(STOP_SECONDS)
        self.service.ledger.stop(STOP_SECONDS)
        self.archive.stop(STOP_SECONDS)
        if self.review:
            self.review.stop(STOP_SECONDS)
        self.judge.stop(STOP_SECONDS)
        if self.recorder:
            self.recorder.stop(STOP_SECONDS)
        for watch in self.watches:
            watch.stop(STOP_SECONDS)
        self.reporter.stop(STOP_SECONDS)
        self.requalifier.stop(STOP_SECONDS)
        self.pager.stop(STOP_SECONDS)
        self.store.close()


def build_embedded(settings: Settings, config: Path | None = None) -> Embedded:
    """Build all parts; ``config`` is the settings' file, which the process of a drift report reads.

    Raises:
        ConfigError: with every problem of the settings or the models.
    """
    settings = with_deployed(settings)
    memory = ProbeMemory(settings.state.folder)
    pairs = load_pairs(settings, memory=memory)
    metrics = Metrics(process_registry())
    bus, store = MemoryBus(), _open_state(settings)
    memory.save()  # the first start makes the folder after the models are loaded
    served = _served(pairs)
    _require_mapped(store, served)
    view = JudgementView(served.plans, on_event=partial(log_event, seq_of=store.seq_of))
    for component, plan in product((Component.WORKER, Component.JUDGE), served.plans.values()):
        metrics.initialize(component, plan.model, plan.scopes)

    def record_event(event: Event) -> None:
        service.outbox.add_event(event)

    def shield(plan: Plan) -> None:
        service.engine.router.keep_safe(plan.model, view.unproven_scopes(plan))

    deployer = HotSwapDeployer(settings, served, as_watched, record_event, shield)
    archive = _archive(settings, pairs, metrics)
    review = Review.build(settings, pairs, bus, archive, metrics)
    desk, kept, stamp = (review.desk, review.archive, review.daily.stamp) if review else (None, archive, None)
    parts = settings, pairs, served.profiles, bus, store, view, deployer, metrics
    shown: dict[str, Any] = {"review": desk, "incidents": incident_library(settings)}
    service = build_service(*parts, worker_costs=[WorkerCosts(pairs, metrics)], **shown)
    RunHealth(Component.WORKER, served.watched, metrics)
    pager = build_pager(settings, metrics, store)
    store.make_room = archive.make_room
    recorder = build_recorder(settings, served.plans)
    kept_by: dict[str, Any] = {"pager": pager, "recorder": recorder or NO_RECORDER, "labels": archive}
    judging = partial(Judge, bus, store, view, metrics, cpu.cpu_name(), **kept_by)
    return Embedded(
        service=service,
        view=view,
        store=store,
        worker=Loop("worker", partial(Worker, bus, served.watched, metrics, archive=kept, stamp=stamp)),
        judge=judge_loop(judging, metrics),
        archive=archive,
        reporter=ReportScheduler(settings, {name: pair.plan.scopes for name, pair in pairs.items()}, metrics, config),
        requalifier=build_requalifier(settings, config, metrics, service.engine, record_event),
        pager=pager,
        deployer=deployer,
        recorder=recorder,
        watches=build_watches(settings, recorder, store, record_event, metrics),
        review=review,
    )


def _require_mapped(store: SqliteStore, served: ServedPairs) -> None:
    """Check that each stored mode has its scope.

    Raises:
        ConfigError: with the modes that have none; the store is closed then.
    """
    try:
        require_mapped(store, served.plans)
    except ConfigError:
        store.close()
        raise


def _served(pairs: dict[str, ModelPair]) -> ServedPairs:
    return ServedPairs(
        pairs=pairs,
        watched=all_watched(pairs),
        plans={name: pair.plan for name, pair in pairs.items()},
        profiles={name: measure_profile(pair) for name, pair in pairs.items()},
    )


def _open_state(settings: Settings) -> SqliteStore:
    section = settings.state
    folder = section.folder if section.events_file else None
    retention = EventRetention(section.events_days * DAY_SECONDS, section.events_most, folder)
    required, keys = settings.state_required, audit_keys(settings)
    return open_state(section / DATABASE, required=required, retention=retention, keys=keys)


def _archive(settings: Settings, pairs: Mapping[str, ModelPair], metrics: Metrics) -> DiskArchive:
    layouts = {name: ColumnLayout.from_specs(pair.inputs) for name, pair in pairs.items()}
    digest = audit_keys(settings).request_digest
    keeping = {name: RowKeeping(settings.reports.row_bytes, digest, pair.sampler) for name, pair in pairs.items()}
    first = {
        name: 0 if section.golden else settings.reports.reference_rows for name, section in settings.models.items()
    }
    keep = settings.reports.keep_rows
    return DiskArchive(settings.state / ROWS_FOLDER, layouts, keeping, keep=keep, reference=first, metrics=metrics)


def judge_loop(make: Callable[..., Judge], metrics: Metrics) -> Loop:
    """Return the loop of a judge, which keeps silent while its starts fail again and again."""
    recent = RecentFailures()
    metrics.judge_failing.set_function(recent.is_failing)
    return Loop("judge", partial(make, is_failing=recent.is_failing), metrics.judge_failures.inc, recent)


def all_watched(pairs: Mapping[str, ModelPair]) -> dict[str, WatchedPair]:
    """Return every pair in the worker's form."""
    return {name: as_watched(pair) for name, pair in pairs.items()}


def as_watched(pair: ModelPair) -> WatchedPair:
    """Return a pair in the worker's form, with models whose connections, threads and failures are not shared."""
    models = {role: detach(independent_copy(model)) for role, model in pair.models.items()}
    free, noise_share, search = pair.has_free_rows, pair.noise_share, pair.plan.search
    columns = search.columns if search else ()
    return WatchedPair(models, pair.decision, pair.output, free, noise_share, pair.batchability, pair.kind, columns)


def run(settings: Settings, ready: ReadyCallback, config: Path | None = None) -> None:
    """Serve until a signal stops it."""
    prepare_process()
    restrict_state(settings.state.folder)
    with held_state(settings.state.folder, "run"):
        embedded = build_embedded(settings, config)
        server = HttpServer(settings.server, embedded.service.app, embedded.service.grpc)
        embedded.start()
        try:
            server.serve_until_stopped(ready, STOP_SIGNALS)
        finally:
            embedded.stop()
