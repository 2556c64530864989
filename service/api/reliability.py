"""Reliability curves over HTTP: how often each model is right at the confidence that it gives."""

from fastapi import APIRouter
from fastapi.responses import Response

from tightrope.service.api.answers import Error, ReliabilityAnswer, json_response
from tightrope.service.api.openapi import answers
from tightrope.service.api.ports import VerdictReader
from tightrope.service.api.status import require_scope
from tightrope.service.inference.engine import InferenceEngine

LABELS_UNSET = "model {0} takes no labels, so no confidence can be checked: set models.{0}.labels"
CONFIDENCE_UNKNOWN = "the decisions of model {} have no confidence, or no class that a label can confirm"


def create_router(engine: InferenceEngine, reader: VerdictReader) -> APIRouter:
    """``GET /v1/models/{model}/reliability``."""
    router = APIRouter(prefix="/v1", tags=["status"])

    @router.get("/models/{model}/reliability", **answers(ReliabilityAnswer, 404))
    def reliability(model: str, scope: str | None = None) -> Response:
        """How often each model is right at the confidence that it gives, by bins of confidence, with 95 % bands."""
        pair = engine.pair(model)
        if scope is not None:
            require_scope(engine, pair, scope)
        found = reader.reliability(pair.name)
        if found is None:
            missing = CONFIDENCE_UNKNOWN if pair.plan.label_horizon else LABELS_UNSET
            return json_response(Error(error=missing.format(pair.name)), 404)
        document: ReliabilityAnswer = {
            "model": model,
            "bins": found.bins,
            "dependent": found.dependent,
            "scopes": [each for each in found.scopes if scope in {None, each.scope}],
        }
        return json_response(document)

    return router
