"""The wiring of a gateway, top to bottom: load the model pairs, then connect router, engine, outbox and transports."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tightrope.monitors.records import Role
from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.load_watch import LoadWatch
from tightrope.service.adapters.ports import AuditTrail, Bus
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.runs.health import RunHealth
from tightrope.service.api.incidents.library import NO_INCIDENTS, IncidentLibrary
from tightrope.service.api.overview.event_log import log_event
from tightrope.service.api.ports import Deployer, VerdictReader
from tightrope.service.api.review.desk import ReviewDesk
from tightrope.service.api.week.costs import price_of
from tightrope.service.config.access import access_tokens
from tightrope.service.config.extras import missing_extras
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.batching.sharing_watch import SharingWatch
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.loading.pair_loading import build_pair
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.probing.probe_memory import ProbeMemory
from tightrope.service.inference.qualified.admission import admit
from tightrope.service.inference.remote_health import RemoteHealth
from tightrope.service.inference.states.not_comparable import NotComparableCount
from tightrope.service.lifecycle import Service
from tightrope.service.outbox import Outbox
from tightrope.service.routing.control_consumer import ControlConsumer
from tightrope.service.routing.judge_watch import JudgeWatch
from tightrope.service.routing.qualification_watch import QualificationWatch
from tightrope.service.routing.router import Router
from tightrope.service.routing.sight_watches import SightWatches
from tightrope.service.sampling.draw_key import draw_key
from tightrope.service.sampling.ledger.ledger import open_ledger
from tightrope.service.sampling.ledger.sources import CostSource, GatewayCosts
from tightrope.service.sampling.payload_joiner import PayloadConsumer
from tightrope.service.sampling.recorder import AnswerRecorder
from tightrope.service.transport.admission import Admission
from tightrope.service.transport.http.asgi import App, InferLayer
from tightrope.service.transport.responder import Responder
from tightrope.service.transport.spans import open_spans

if TYPE_CHECKING:
    from tightrope.service.transport.grpc.server import GrpcServer

log = logging.getLogger(__name__)

SILENCE_ALLOWED = (
    "the modes stay when a judge falls silent, so a harmful compressed model goes on answering where no row is kept"
)
"""The risk of a configuration in which silence does not lead to the baseline."""

ROWS_FOLDER, REPORTS_FOLDER = "rows", "reports"
"""Folders in the state folder: the compared rows, and the drift reports made of them."""


def load_pairs(
    settings: Settings,
    build_one: Callable[[str, Settings], ModelPair] | None = None,
    memory: ProbeMemory | None = None,
    *,
    enforced: bool = True,
) -> dict[str, ModelPair]:
    """Load and check every model; a step of this process that never ends ends the process. ``memory`` has what earlier
    starts found, by default that of the state folder. Where the statements of qualification are not ``enforced``, a
    model without a sound one is loaded all the same: nothing is served.

    Raises:
        ConfigError: with every mistake of every model.
    """
    pairs: dict[str, ModelPair] = {}
    problems: list[str] = []
    memory = memory or ProbeMemory(settings.state.folder)
    with LoadWatch(settings.candidates.seconds) as watch:

        def build(name: str) -> ModelPair:
            if build_one:
                return build_one(name, settings)
            return build_pair(
                name, settings, watch.announce, None, memory, partial(admit, enforced=enforced, keeps=enforced)
            )

        for name in settings.models:
            try:
                pairs[name] = build(name)
            except ConfigError as error:
                problems += error.problems
    if problems := problems + missing_extras(settings):
        raise ConfigError(problems)
    return pairs


def _begin_model(metrics: Metrics, name: str, pair: ModelPair, settings: Settings) -> None:
    """Create a model's counters at zero, show who answers for it, and log its warnings."""
    metrics.initialize(Component.GATEWAY, name, pair.plan.scopes)
    section = settings.models[name]
    metrics.set_model_info(name, section.owner or "", section.page, section.mode or "unset")
    for line in pair.warnings:
        log.warning("%s", line)


def build_service(
    settings: Settings,
    pairs: dict[str, ModelPair],
    profiles: Mapping[str, RunProfile],
    bus: Bus,
    trail: AuditTrail,
    verdicts: VerdictReader,
    deployer: Deployer,
    metrics: Metrics,
    modes_timeout: float | None = None,
    review: ReviewDesk | Mapping[str, str | None] | None = None,
    worker_costs: Sequence[CostSource] = (),
    incidents: IncidentLibrary = NO_INCIDENTS,
) -> Service:
    """Wire a gateway for these pairs.

    ``profiles`` holds each pair's run profile. Where the judges are in other processes, ``modes_timeout`` is how many
    seconds the gateway waits for their modes before it reports that it is ready; None if they are in this process.
    ``review`` is the desk of the reviewers, where there are any, or in a cluster the address of the page of each
    reviewed model, at its judge; ``incidents`` has those that are recorded;
    ``worker_costs`` count for a worker in this process.
    """
    for name, pair in pairs.items():
        _begin_model(metrics, name, pair, settings)
    deadline = time.monotonic() + (modes_timeout or 0.0)

    router = _router(pairs)
    plan_of = partial(_plan_of, pairs)
    outbox, key = Outbox(bus, metrics.record_dropped, plan_of=plan_of, on_event=log_event), draw_key(settings)
    recorder = AnswerRecorder(outbox, metrics, profiles, key)
    engine = InferenceEngine(pairs, router, outbox, metrics, recorder)
    RunHealth(Component.GATEWAY, pairs, metrics)
    NotComparableCount(pairs, metrics)
    sight = _sight_watches(pairs, router, outbox, recorder, metrics)
    qualification = QualificationWatch(router, pairs, outbox.add_event, metrics)
    judge_watch = _judge_watch(settings, pairs, router, outbox, metrics) if modes_timeout is not None else None

    control = ControlConsumer(bus, router, metrics, plan_of, sight.hear, judge_watch)
    watched = {name: model.payloads for name, model in settings.models.items() if model.payloads}
    payloads = PayloadConsumer(bus, pairs, watched, outbox, metrics, key) if watched else None

    is_ready = partial(_is_ready, control, router, deadline, pairs if settings.server.readiness == "strict" else ())
    costs = [GatewayCosts(pairs, profiles, router.blindness, metrics), *worker_costs]
    ledger = open_ledger(settings.state.folder, costs, metrics.record_counts)
    spans, admission = open_spans(settings, metrics), Admission(settings.server, metrics.record_refused_connection)
    responder, tokens = Responder(engine, profiles, spans), access_tokens(settings)

    def make_app() -> App:
        from tightrope.service.api.app import create_app  # noqa: PLC0415 - FastAPI loads after the first inferences

        others = tokens, watched, _reports(settings), is_ready, sight.facts, review
        more: dict[str, Any] = {"daily": ledger, "price": price_of(settings.server), "incidents": incidents}
        return create_app(engine, bus, trail, verdicts, deployer, *others, **more)

    app = InferLayer(make_app, responder, admission)
    grpc, health = _grpc_server(settings, responder, is_ready, admission), RemoteHealth(pairs, metrics)
    sharing = SharingWatch(pairs, lambda model: verdicts.progress(model)["noise"], engine.keep_apart, metrics)
    parts = app, engine, outbox, control, sight, health, sharing, qualification, ledger
    return Service(*parts, judge_watch, payloads, grpc, spans)


def _plan_of(pairs: Mapping[str, ModelPair], model: str) -> str | None:
    """The coverage of the plan of a model; None for one that is not served."""
    return pairs[model].plan.coverage if model in pairs else None


def _reports(settings: Settings) -> ReportStore:
    return ReportStore(settings.state / REPORTS_FOLDER)


def _sight_watches(
    pairs: Mapping[str, ModelPair], router: Router, outbox: Outbox, recorder: AnswerRecorder, metrics: Metrics
) -> SightWatches:
    blind_seconds = {name: pair.plan.blind_seconds for name, pair in pairs.items()}
    subgroups = {name: pair.subgroups.scopes for name, pair in pairs.items()}
    return SightWatches(router, subgroups, blind_seconds, outbox, recorder.served.totals, metrics)


def _judge_watch(
    settings: Settings, pairs: Mapping[str, ModelPair], router: Router, outbox: Outbox, metrics: Metrics
) -> JudgeWatch:
    """The watch over judges in other processes."""
    plans = {name: pair.plan.coverage for name, pair in pairs.items()}
    if not settings.safe_mode.silence_limit:
        log.warning("safe_mode: %s", SILENCE_ALLOWED)
    return JudgeWatch(router, plans, settings.safe_mode.silence_limit, outbox.add_event, metrics)


def _router(pairs: Mapping[str, ModelPair]) -> Router:
    """The router of these pairs; the baseline answers until a judge has published the modes."""
    scopes = {name: pair.subgroups.scopes for name, pair in pairs.items()}
    always_baseline = {name: pair.subgroups.always_baseline for name, pair in pairs.items()}
    hosts = {name: pair.host_classes.get(Role.COMPRESSED, "") for name, pair in pairs.items()}
    askable = [name for name, pair in pairs.items() if pair.plan.askable]
    return Router(scopes, cautious=True, always_baseline=always_baseline, hosts=hosts, askable=askable)


def _grpc_server(
    settings: Settings, responder: Responder, is_ready: Callable[[], bool], admission: Admission
) -> "GrpcServer | None":
    """The gRPC server, or None. Its library is loaded only where a port is configured.

    Raises:
        ConfigError: when the port is in use.
    """
    if settings.server.grpc_port is None:
        return None
    from tightrope.service.transport.grpc.server import GrpcServer  # noqa: PLC0415 - see above
    from tightrope.service.transport.grpc.servicer import InferenceServicer  # noqa: PLC0415 - see above

    return GrpcServer(settings.server, InferenceServicer(responder, is_ready, admission), is_ready)


def _is_ready(control: ControlConsumer, router: Router, deadline: float, strict: Iterable[str]) -> bool:
    """Whether the gateway has read the current modes, or the deadline (`time.monotonic`) for that has passed, and
    nothing speaks against the topics that it uses, nor against the modes of the models that are ``strict``.
    """
    has_modes = control.caught_up.is_set() or time.monotonic() >= deadline
    return has_modes and not router.distrust and not any(map(router.explain, strict))
