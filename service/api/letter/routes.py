"""The week over HTTP: its page, its JSON, and the sign-off of a decision."""

import time
import uuid
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import Field

from tightrope.monitors.records import Event
from tightrope.service.api.answers import json_response
from tightrope.service.api.auth import actor_of, require_operator
from tightrope.service.api.letter.page import week_page, week_policy
from tightrope.service.api.openapi import answers
from tightrope.service.api.request_body import ActorName, RequestBody
from tightrope.service.api.week.documents import DecisionTaken, WeekAnswer
from tightrope.service.api.week.history import DECIDED
from tightrope.service.api.week.reader import WeekReader
from tightrope.service.config.access import AccessTokens
from tightrope.service.errors import ConflictError, quote
from tightrope.service.inference.engine import InferenceEngine

CONFIRM_SECONDS = 2.0
"""Time for which a sign-off waits to be seen in the audit trail."""

_LOOK_SECONDS = 0.05

WEEK_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class SignOffBody(RequestBody):
    """A decision of the week's letter, what was decided and why, and who says so; all go into the audit trail."""

    decision: str = Field(min_length=1, max_length=400, description="The `id` of a decision of the week")
    reason: str = Field(min_length=3, max_length=1000, description="What was decided, and why")
    actor: ActorName = None


def create_router(engine: InferenceEngine, reader: WeekReader, tokens: AccessTokens) -> APIRouter:
    """``GET /week``, ``GET /v1/weeks/{week}`` and ``POST /v1/weeks/{week}/decisions``."""
    router = APIRouter()

    @router.get("/week", include_in_schema=False)
    def page(week: str | None = None) -> Response:
        """The page of a week, by default of this one."""
        html = week_page(reader.answer(reader.week(week)), links=True)
        policy = {"Content-Security-Policy": f"{week_policy()}; frame-ancestors 'none'"}
        return Response(html, headers=WEEK_HEADERS | policy, media_type="text/html")

    @router.get("/v1/weeks/{week}", tags=["status"], **answers(WeekAnswer, 404))
    def document(week: str) -> Response:
        """A week in words and figures for those who decide: harm, savings, the cost of safety, what is not known, and
        decisions with owner and date. ``week`` is a year and a week (ISO 8601, UTC), such as 2026-W48.
        """
        return json_response(reader.answer(reader.week(week)))

    owner = Annotated[str, Depends(require_operator(tokens))]

    @router.post("/v1/weeks/{week}/decisions", tags=["control"], **answers(DecisionTaken, 401, 403, 404, 409))
    def sign_off(week: str, body: SignOffBody, operator: owner) -> Response:
        """Sign off a decision of a week: who decided, what and why go into the audit trail."""
        chosen = reader.week(week)
        decisions = reader.answer(chosen, fresh=True)["decisions"]
        decision = next((each for each in decisions if each["id"] == body.decision), None)
        if decision is None:
            known = ", ".join(each["id"] for each in decisions) or "none"
            raise ConflictError(f"decision: {quote(body.decision)} is not due in {chosen.name}; due: {known}")
        detail = {"decision": decision["id"], "week": chosen.name}
        fields = decision["model"], DECIDED, decision["scope"], actor_of(operator, body.actor), body.reason
        event = Event(uuid.uuid4().hex, time.time(), *fields, detail)
        engine.add_event(event)
        taken: DecisionTaken = {"event": event.id, "recorded": _is_recorded(reader, event)}
        reader.answer(chosen, fresh=True)
        return json_response(taken)

    return router


def _is_recorded(reader: WeekReader, event: Event) -> bool:
    """Wait until the audit trail has an event."""
    deadline = time.monotonic() + CONFIRM_SECONDS
    while not (found := reader.trail.has(event.id)) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return found
