"""The answers of reviewers, for operators: counts, agreement, and every answer as CSV."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from math import isfinite

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from tightrope.monitors.review.opinions import Opinion
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.journal.incident_times import incident_at
from tightrope.service.adapters.review.status_documents import ReviewStatus
from tightrope.service.api.answers import json_response
from tightrope.service.api.auth import require_operator
from tightrope.service.api.openapi import answers, refusals
from tightrope.service.api.review.daily import daily_review
from tightrope.service.api.review.desk import ReviewDesk
from tightrope.service.config.access import AccessTokens
from tightrope.service.errors import UnknownModelError, quote

EXPORT_COLUMNS = (
    "model",
    "id",
    "row",
    "order",
    "answer",
    "label",
    "probability",
    "reviewer",
    "at",
    "seconds",
    "incident",
)
"""The columns of the export. ``order`` names the model behind A, then that behind B, ``incident`` is the id of the
incident in which the request lies.
"""


def create_router(
    named: Callable[[str], str],
    desk: ReviewDesk,
    tokens: AccessTokens,
    incidents: Callable[[], Sequence[Incident]] = tuple,
) -> APIRouter:
    """The routes for operators, who have one of these tokens. ``named`` returns the name of a served model,
    ``incidents`` are the recorded ones, oldest first.
    """
    router = APIRouter(prefix="/v1", tags=["labels"], dependencies=[Depends(require_operator(tokens))])

    @router.get("/models/{model}/reviews", **answers(ReviewStatus, 401, 403, 404))
    def status(model: str) -> Response:
        """How many answers there are, how far reviewers agree, and with a daily cap the rows of today by group."""
        return json_response(_status(desk, named(model)))

    content = {"text/csv": {"schema": {"type": "string"}}}

    @router.get(
        "/reviews.csv",
        response_class=Response,
        responses={200: {"description": "The answers", "content": content}, **refusals(401, 403, 404)},
    )
    def export(model: str | None = None, incident: str | None = None, request: str | None = None) -> Response:
        """All final answers about rows that are still kept, as CSV; of one ``incident``, of the rows of one ``request``
        by its id, which tells what reviewers said for its labels, or of all rows.
        """
        models = [*desk.models] if model is None else [named(model)]
        found = incidents()
        if incident is not None and incident not in {each.id for each in found}:
            raise UnknownModelError(f"incident: there is no {quote(incident)}; GET /v1/incidents lists them")
        return Response(
            _csv(desk, models, found, (incident, request)), headers={"Cache-Control": "no-store"}, media_type="text/csv"
        )

    return router


def _status(desk: ReviewDesk, model: str) -> ReviewStatus:
    agreement = desk.agreement(model)
    counts = Counter(given.opinion for given, _ in desk.opinions(model))
    status: ReviewStatus = {
        "model": model,
        "answers": {opinion: counts[opinion] for opinion in Opinion},
        "asked_twice": agreement.rows,
        "agreed": agreement.share if isfinite(agreement.share) else None,
        "kappa": agreement.kappa if isfinite(agreement.kappa) else None,
    }
    if desk.daily is not None and model in desk.daily.caps:
        status["daily"] = daily_review(desk.daily, model)
    return status


def _csv(
    desk: ReviewDesk, models: Sequence[str], incidents: Sequence[Incident], wanted: tuple[str | None, str | None]
) -> str:
    """The lines of one incident and of one request, or of all of them where that is None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EXPORT_COLUMNS)
    for given, row in (pair for model in models for pair in desk.opinions(model)):
        incident = incident_at(incidents, row.model, row.time)
        if wanted[0] not in {None, incident} or wanted[1] not in {None, row.request_id}:
            continue
        order = "baseline,compressed" if row.a_is_baseline else "compressed,baseline"
        label = "" if given.label is None else given.label
        written = order, given.opinion, label, row.probability, given.reviewer, given.at, given.seconds, incident
        writer.writerow([row.model, row.request_id, row.row, *written])
    return text.getvalue()
