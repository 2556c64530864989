"""The review over HTTP: rows for reviewers, and their answers."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import Response
from msgspec import json
from pydantic import Field

from tightrope.monitors.review.opinions import Opinion
from tightrope.service.adapters.review.row_presenter import RowDocument
from tightrope.service.adapters.sqlite.review_table import ReviewRow
from tightrope.service.api.answers import (
    NextReview,
    ReviewModels,
    ReviewTaken,
    ShownRow,
    json_response,
)
from tightrope.service.api.auth import BearerCredentials
from tightrope.service.api.labels import WholeNumber
from tightrope.service.api.openapi import answers
from tightrope.service.api.request_body import RequestBody
from tightrope.service.api.review.desk import ELSEWHERE, ReviewDesk
from tightrope.service.errors import UnknownModelError

PRIVATE = {"Cache-Control": "no-store"}
"""Inputs of people's requests are kept by no browser and no proxy."""


class ReviewAnswer(RequestBody):
    """A reviewer's answer about a row."""

    answer: Annotated[Opinion, Field(description="Which answer is right")]
    label: Annotated[WholeNumber | None, Field(description="With `neither`: the class that is right, from 0")] = None
    seconds: Annotated[float, Field(ge=0, le=86_400, description="The time that it took")] = 0.0


def create_router(named: Callable[[str], str], desk: ReviewDesk) -> APIRouter:
    """The routes for reviewers, each with a token of their own; ``named`` returns the name of a served model."""
    router = APIRouter(prefix="/v1", tags=["review"])

    def reviewer_of(model: str, credentials: BearerCredentials) -> str:
        """The digest of the reviewer who asks."""
        name = named(model)
        found = desk.reviewer(name, credentials.credentials) if credentials else None
        if found is None:
            raise HTTPException(401, "a reviewer's bearer token is needed", {"WWW-Authenticate": "Bearer"})
        return found

    reviewer = Annotated[str, Depends(reviewer_of)]

    @router.get("/reviews", **answers(ReviewModels, 401))
    def reviews(credentials: BearerCredentials) -> Response:
        """The models that the reviewer is asked about."""
        known = {name: desk.reviewer(name, credentials.credentials) for name in desk.models} if credentials else {}
        found = {name: digest for name, digest in known.items() if digest is not None}
        if not found:
            raise HTTPException(401, "a reviewer's bearer token is needed", {"WWW-Authenticate": "Bearer"})
        asked = {name: digest for name, digest in found.items() if desk.is_asked(name)}
        if not asked:
            raise UnknownModelError(f"another judge judges {', '.join(found)}: {ELSEWHERE}")
        document: ReviewModels = {
            "models": [{"name": name, "waiting": desk.waiting(name, digest)} for name, digest in asked.items()]
        }
        return json_response(document, headers=PRIVATE)

    @router.get("/models/{model}/reviews/next", **answers(NextReview, 401, 404))
    def next_row(model: str, digest: reviewer) -> Response:
        """The next row for the reviewer."""
        return json_response(_next(desk, model, digest, desk.next(model, digest)), headers=PRIVATE)

    @router.post("/models/{model}/reviews/{name}", **answers(ReviewTaken, 401, 404, 409))
    def answer(model: str, name: str, body: ReviewAnswer, digest: reviewer) -> Response:
        """Take an answer; the reviewer's answer before it becomes final."""
        label = desk.answer(model, digest, name, body.answer, body.label, body.seconds)
        document: ReviewTaken = {"id": name, "label": label}
        return json_response(document, headers=PRIVATE)

    @router.delete("/models/{model}/reviews/{name}", **answers(NextReview, 401, 404))
    def take_back(model: str, name: str, digest: reviewer) -> Response:
        """Take an answer back, and show its row again; 404 if it is final."""
        row = desk.take_back(model, digest, name)
        return json_response(_next(desk, model, digest, row), headers=PRIVATE)

    return router


def _next(desk: ReviewDesk, model: str, reviewer: str, row: ReviewRow | None) -> NextReview:
    decision = desk.models[model]
    shown: ShownRow | None = None
    if row is not None:
        shown = {
            "id": row.id,
            "a": decision.title(row.a),
            "b": decision.title(row.b),
            "same": row.a == row.b,
            "input": json.decode(row.document or b'{"columns":[],"texts":[],"pictures":[]}', type=RowDocument),
        }
    waiting = desk.waiting(model, reviewer)
    return {"model": model, "waiting": waiting, "classes": list(decision.titles), "row": shown}
