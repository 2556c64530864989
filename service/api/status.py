"""Status routes: the served models with their modes, the monitors' verdicts, and the audit trail."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, TypeAlias

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response

from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import AuditTrail
from tightrope.service.adapters.prometheus.catalogue import DROP_REASONS
from tightrope.service.api.ports import VerdictReader
from tightrope.service.errors import UnknownModelError, quote
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.model_pair import ModelPair

NewestReport: TypeAlias = Callable[[str], str | None]
"""Returns the link to a model's newest drift report, or None."""


def create_router(
    engine: InferenceEngine, reader: VerdictReader, trail: AuditTrail, newest_report: NewestReport
) -> APIRouter:
    """``GET /v1/models…`` and ``/v1/events``."""
    router = APIRouter(prefix="/v1", tags=["status"])

    @router.get("/models")
    def models() -> Response:
        """Every model with the modes of its scopes."""
        return json_response({"models": [model_summary(engine, pair, newest_report) for pair in engine.pairs.values()]})

    @router.get("/models/{model}")
    def model(model: str) -> Response:
        """One model: artefacts, modes, sampling, the progress of the judgement, and its newest drift report."""
        pair = engine.pair(model)
        total = engine.metrics.total
        sampling = {
            "rate": pair.sampler.rate,
            "floors": dict(pair.sampler.floors),
            "kept": total("samples", model=pair.name),
            "dropped": sum(total("samples_dropped", model=pair.name, reason=reason) for reason in DROP_REASONS),
        }
        summary = model_summary(engine, pair, newest_report)
        return json_response({**summary, "sampling": sampling, "judged": reader.progress(pair.name)})

    @router.get("/models/{model}/verdicts")
    def verdicts(model: str, scope: str | None = None) -> Response:
        """The verdict of every monitor on every scope, with the evidence so far (log10, against its budget)."""
        pair = engine.pair(model)
        if scope is not None:
            require_scope(pair, scope)
        found = [asdict(v) for v in reader.verdicts(pair.name) if scope in {None, v.scope}]
        return json_response({"model": model, "verdicts": found})

    @router.get("/events")
    def events(
        model: str | None = None,
        after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """The audit trail, oldest first; for the next page set ``after`` to the last ``seq``. ``report`` links to the
        newest drift report of the event's model.
        """
        links = {name: newest_report(name) for name in engine.pairs}
        page = trail.events(model, after, limit)
        if model is not None and not page and not trail.events(model, 0, 1):
            engine.pair(model)  # one that was served once may have events
        return json_response({"events": [{"seq": seq, **asdict(e), "report": links.get(e.model)} for seq, e in page]})

    return router


def require_scope(pair: ModelPair, scope: str) -> None:
    """Check that a model has this scope.

    Raises:
        UnknownModelError: with the scopes that it has.
    """
    if scope not in pair.plan.scopes:
        raise UnknownModelError(f"scope: {quote(scope)} is none of {', '.join(pair.plan.scopes)}")


def model_summary(engine: InferenceEngine, pair: ModelPair, newest_report: NewestReport) -> dict[str, object]:
    """A model's artefacts, the mode and state of its scopes, the reason for which the gateway is blind, if it is, and
    the link to the model's newest report.
    """
    routes = engine.router.routes(pair.name)
    unknown = "unknown" if routes.epoch < 0 else "normal"
    return {
        "name": pair.name,
        "version": pair.version,
        "mode": "armed" if pair.plan.armed else "advisory",
        "baseline_digest": pair.models[Role.BASELINE].digest,
        "compressed_digest": pair.models[Role.COMPRESSED].digest,
        "plan": pair.plan.coverage,
        "epoch": routes.epoch,
        "safe": list(routes.safe),
        "following": list(engine.router.following(pair.name)),
        "always_baseline": list(pair.subgroups.always_baseline),
        "blind": engine.router.blindness(pair.name) or None,
        "scopes": {scope: routes.states.get(scope, unknown) for scope in pair.plan.scopes},
        "report": newest_report(pair.name),
        "requests": pair.batchability.describe(),
    }


def json_response(value: object) -> Response:
    """A JSON answer; the evidence of a detector without data, minus infinity, becomes null."""
    return Response(msgspec.json.encode(value), media_type="application/json")
