"""Status routes: the served models with their modes, the monitors' verdicts, and the audit trail."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic import FiniteFloat, JsonValue

from tightrope.monitors.records import MODEL_SCOPE, Event, Role
from tightrope.monitors.safemode import ModeState
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.journal.incident_times import incident_at
from tightrope.service.adapters.ports import NO_BOUND, AuditTrail
from tightrope.service.adapters.prometheus.catalogue import DROP_REASONS
from tightrope.service.api.answers import (
    UNKNOWN_STATE,
    EventEntry,
    EventPage,
    GroupList,
    ModelList,
    ModelStatus,
    ModelSummary,
    QualificationStatus,
    SamplingStatus,
    VerdictList,
    json_response,
)
from tightrope.service.api.cost.days import cost_days
from tightrope.service.api.cost.documents import CostDays, ModelCost
from tightrope.service.api.cost.ports import DailyCosts
from tightrope.service.api.cost.reader import CostReader
from tightrope.service.api.incidents.library import IncidentLibrary
from tightrope.service.api.openapi import answers
from tightrope.service.api.overview.documents import Overview
from tightrope.service.api.overview.event_search import EventFilter, epoch_seconds, find_events
from tightrope.service.api.overview.event_words import event_sentence
from tightrope.service.api.overview.overview import DEFAULT_MODELS, OverviewReader
from tightrope.service.api.ports import VerdictReader
from tightrope.service.errors import UnknownModelError, quote
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.model_pair import ModelPair

MAX_MODELS = 50
"""The most models of one page of the overview."""

NewestReport: TypeAlias = Callable[[str], str | None]
"""Returns the link to a model's newest drift report, or None."""


DATE_FORM: dict[str, JsonValue] = {"format": "date"}
"""The form of a day, YYYY-MM-DD, in the description of the API."""


def create_router(
    engine: InferenceEngine,
    reader: VerdictReader,
    trail: AuditTrail,
    newest_report: NewestReport,
    overview: OverviewReader,
    costs: CostReader,
    daily_costs: DailyCosts,
    incidents: IncidentLibrary,
) -> APIRouter:
    """``GET /v1/overview``, ``/v1/models…`` and ``/v1/events``."""
    router = APIRouter(prefix="/v1", tags=["status"])

    @router.get("/models", **answers(ModelList))
    def models() -> Response:
        """Every model with the modes of its scopes."""
        summaries = [model_summary(engine, pair, reader, newest_report) for pair in engine.pairs.values()]
        document: ModelList = {"models": summaries}
        return json_response(document)

    @router.get("/models/{model}", **answers(ModelStatus, 404))
    def model(model: str) -> Response:
        """One model: artefacts, modes, sampling, the progress of the judgement, and its newest drift report."""
        pair = engine.pair(model)
        total = engine.metrics.total
        sampling: SamplingStatus = {
            "rate": pair.sampler.rate,
            "floors": dict(pair.sampler.floors),
            "kept": total("samples", model=pair.name),
            "dropped": sum(total("samples_dropped", model=pair.name, reason=reason) for reason in DROP_REASONS),
        }
        summary = model_summary(engine, pair, reader, newest_report)
        document: ModelStatus = {**summary, "sampling": sampling, "judged": reader.progress(pair.name)}
        return json_response(document)

    @router.get("/models/{model}/verdicts", **answers(VerdictList, 404))
    def verdicts(model: str, scope: str | None = None) -> Response:
        """The verdict of every monitor on every scope, with the evidence so far (log10, against its budget)."""
        pair = engine.pair(model)
        if scope is not None:
            require_scope(engine, pair, scope)
        found = [verdict for verdict in reader.verdicts(pair.name) if scope in {None, verdict.scope}]
        document: VerdictList = {"model": model, "verdicts": found}
        return json_response(document)

    @router.get("/models/{model}/groups", **answers(GroupList, 404))
    def groups(model: str) -> Response:
        """The undeclared groups in which harm is found, in words, with the lines of configuration that declare them."""
        document: GroupList = {"model": model, "groups": [*reader.groups(engine.pair(model).name)]}
        return json_response(document)

    _add_overview(router, overview)
    _add_cost(router, engine, costs, daily_costs)
    _add_events(router, engine, trail, newest_report, incidents)
    return router


def _add_overview(router: APIRouter, reader: OverviewReader) -> None:
    described = answers(Overview, 404)
    described["responses"][304] = {"description": "Nothing has changed"}

    @router.get("/overview", **described)
    def overview(
        model: str | None = None,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_MODELS)] = DEFAULT_MODELS,
        if_none_match: Annotated[str, Header()] = "",
    ) -> Response:
        """The state of all models and what to do, in words and figures for people: a headline over all models, a line
        for each, and all of ``model``, or of ``limit`` models from ``offset`` on, the most urgent first. An answer is
        computed at most once a second; with its `ETag` in `If-None-Match` it comes as 304 while nothing has changed.
        """
        answer = reader.answer(model, offset, limit)
        headers = {"ETag": f'"{answer.tag}"', "Cache-Control": "no-cache"}
        if answer.tag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(answer.body, headers=headers, media_type="application/json")


def _add_cost(router: APIRouter, engine: InferenceEngine, reader: CostReader, daily: DailyCosts) -> None:
    @router.get("/models/{model}/cost", **answers(ModelCost, 404))
    def cost(model: str) -> Response:
        """The cost of a model in CPU seconds since this process began: what compression saves, and what safety takes.
        Runs are measured by the clocks of their threads; the remainder is that of the whole process less all runs.
        """
        return json_response(reader.document(model))

    @router.get("/models/{model}/cost/days", **answers(CostDays, 404))
    def days(
        model: str,
        first: Annotated[
            str | None, Query(alias="from", description="The first day", json_schema_extra=DATE_FORM)
        ] = None,
        last: Annotated[str | None, Query(alias="to", description="The last day", json_schema_extra=DATE_FORM)] = None,
    ) -> Response:
        """The cost of a model by UTC day, over restarts, as far as this process's state folder has it: by default the
        week up to today. Days without anything are left out; up to 400 days are kept.
        """
        return json_response(cost_days(daily, engine.pair(model).name, first, last))


def _add_events(
    router: APIRouter,
    engine: InferenceEngine,
    trail: AuditTrail,
    newest_report: NewestReport,
    incidents: IncidentLibrary,
) -> None:
    @router.get("/events", **answers(EventPage, 404))
    def events(
        model: str | None = None,
        after: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
        before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        since: datetime | FiniteFloat | None = None,
        until: datetime | FiniteFloat | None = None,
        scope: str | None = None,
        kind: str | None = None,
        order: Literal["asc", "desc"] | None = None,
    ) -> Response:
        """The audit trail, newest first; for the page of earlier events set ``before`` to the last ``seq``. With
        ``after`` the events after this ``seq``, oldest first: so new ones are followed; ``order`` asks for either.
        ``since`` and ``until`` are times (ISO 8601, UTC without an offset, or seconds since the epoch), ``scope`` and
        ``kind`` are those of the events. ``text`` says an event in a sentence, ``report`` links to the newest drift
        report of its model, ``incident`` is the id of the incident in which it lies, for `/v1/incidents/{name}`.
        """
        links = {name: newest_report(name) for name in engine.pairs}
        wanted = EventFilter(
            model, scope, kind, epoch_seconds(since, float("-inf")), epoch_seconds(until, float("inf"))
        )
        page = find_events(
            trail,
            wanted,
            limit,
            after=after or 0,
            before=NO_BOUND if before is None else before,
            newest_first=order == "desc" if order else after is None,
        )
        if model is not None and not page and not trail.events(model, 0, 1):
            engine.pair(model)  # one that was served once may have events
        known = incidents.incidents() if page else ()
        entries = [_event_entry(seq, event, links.get(event.model), known) for seq, event in page]
        document: EventPage = {"events": entries}
        return json_response(document)


def _event_entry(seq: int, event: Event, report: str | None, incidents: Sequence[Incident]) -> EventEntry:
    incident = incident_at(incidents, event.model, event.time)
    return EventEntry(**asdict(event), seq=seq, text=event_sentence(event), report=report, incident=incident)


def scopes_of(engine: InferenceEngine, pair: ModelPair) -> Sequence[str]:
    """The scopes of a model: those of the configuration, then found groups that are watched."""
    return *pair.plan.scopes, *(added.scope for added in engine.router.routes(pair.name).added)


def require_scope(engine: InferenceEngine, pair: ModelPair, scope: str) -> None:
    """Check that a model has this scope.

    Raises:
        UnknownModelError: with the scopes that it has.
    """
    if scope not in (known := scopes_of(engine, pair)):
        raise UnknownModelError(f"scope: {quote(scope)} is none of {', '.join(known)}")


def model_summary(
    engine: InferenceEngine, pair: ModelPair, reader: VerdictReader, newest_report: NewestReport
) -> ModelSummary:
    """A model's artefacts, the mode and state of its scopes, the reason for which the gateway is blind, if it is, and
    the link to the model's newest report.
    """
    routes = engine.router.routes(pair.name)
    unknown = UNKNOWN_STATE if routes.epoch < 0 else "normal"
    unqualified, scopes = engine.router.unqualified(pair.name), scopes_of(engine, pair)
    states = dict.fromkeys(scopes, str(ModeState.SAFE)) if unqualified else routes.states
    return {
        "name": pair.name,
        "version": pair.version,
        "mode": "armed" if reader.is_armed(pair.name) else "advisory",
        "baseline_digest": pair.models[Role.BASELINE].digest,
        "compressed_digest": pair.models[Role.COMPRESSED].digest,
        "plan": pair.plan.coverage,
        "epoch": routes.epoch,
        "safe": [MODEL_SCOPE] if unqualified else list(routes.safe),
        "asked": sorted(engine.router.asked_classes(pair.name)),
        "following": list(engine.router.following(pair.name)),
        "always_baseline": list(pair.subgroups.always_baseline),
        "blind": engine.router.blindness(pair.name) or None,
        "qualification": _qualification(pair, unqualified),
        "scopes": {scope: states.get(scope, unknown) for scope in scopes},
        "added": {added.scope: added.words for added in routes.added},
        "report": newest_report(pair.name),
        "requests": pair.batchability.describe(),
    }


def _qualification(pair: ModelPair, unqualified: str) -> QualificationStatus | None:
    found = pair.qualification
    if found is None:
        return None
    objections = list(found.objections) or ([unqualified] if unqualified else [])
    return {
        "file": str(found.file) if found.file else None,
        "statement": found.digest,
        "verdict": found.verdict,
        "expires": found.predicate.made.expires.isoformat() if found.predicate else None,
        "withheld": list(found.withheld),
        "objections": objections,
    }
