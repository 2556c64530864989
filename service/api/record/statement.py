"""The statement by which a model was qualified, over HTTP, and the card that `tightrope card` made of it."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from tightrope.monitors.records import Role
from tightrope.service.api.answers import json_response
from tightrope.service.api.incidents.documents import StatementAnswer
from tightrope.service.api.incidents.links import card_path
from tightrope.service.api.incidents.report import REPORT_POLICY
from tightrope.service.api.openapi import answers, refusals
from tightrope.service.errors import UnknownModelError, quote
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.routing.qualification_gate import Qualification

CARD_FILE = "card.html"
"""The file that `tightrope card` writes beside the model."""

CARD_HEADERS = {
    "Content-Security-Policy": f"{REPORT_POLICY}; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def create_router(engine: InferenceEngine) -> APIRouter:
    """``GET /v1/models/{model}/qualification`` and ``GET /v1/models/{model}/card``."""
    router = APIRouter(prefix="/v1", tags=["status"])

    @router.get("/models/{model}/qualification", **answers(StatementAnswer, 404))
    def statement(model: str, artefact: str | None = None) -> Response:
        """The statement by which a model was qualified; 404 if none is asked for, or if another ``artefact`` serves."""
        name, served, found = _qualification(engine, model, artefact)
        document: StatementAnswer = {
            "model": name,
            "artefact": served,
            "verdict": found.verdict,
            "objections": list(found.objections),
            "digest": found.digest,
            "card": card_path(name, served) if _card(found) else None,
            "incidents": f"/v1/incidents?{urlencode({'model': name})}",
            "statement": msgspec.to_builtins(found.signed.statement) if found.signed else None,
        }
        return json_response(document)

    described: dict[int | str, dict[str, Any]] = {
        200: {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}},
        **refusals(404),
    }

    @router.get("/models/{model}/card", response_class=Response, responses=described)
    def card(model: str, artefact: str | None = None) -> Response:
        """The card of a model: for whom it was proved, and for whom not. 404 without one, or if another ``artefact``
        serves now.
        """
        name, _, found = _qualification(engine, model, artefact)
        page = _card(found)
        if page is None:
            text = f"model {name} has no card of its statement: `tightrope card CONFIG` writes it beside the statement"
            raise UnknownModelError(text)
        return Response(page, headers=CARD_HEADERS, media_type="text/html")

    return router


def _qualification(engine: InferenceEngine, model: str, artefact: str | None) -> tuple[str, str, Qualification]:
    """The name of a model, the digest of the compressed artefact that it serves, and the finding about it."""
    pair = engine.pair(model)
    served = pair.models[Role.COMPRESSED].digest
    if artefact is not None and artefact != served:
        other = f"model {pair.name} serves {served[:12]} now, and not {quote(artefact)[:60]}"
        raise UnknownModelError(f"{other}: `tightrope card` with the configuration of that time shows its card")
    if pair.qualification is None:
        text = f"model {pair.name} has no statement of qualification: set models.{pair.name}.qualification"
        raise UnknownModelError(text)
    return pair.name, served, pair.qualification


def _card(found: Qualification) -> bytes | None:
    """The page beside the statement, if it is about this very statement."""
    if found.file is None or not found.digest:
        return None
    try:
        page = found.file.with_name(CARD_FILE).read_bytes()
    except OSError:
        return None
    return page if found.digest.encode() in page else None
