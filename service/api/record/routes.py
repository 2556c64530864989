"""Incidents over HTTP: their list, one with its moves, its report for people, and its file for operators."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import FiniteFloat

from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.journal.incident_times import incident_at
from tightrope.service.api.answers import json_response
from tightrope.service.api.auth import require_operator
from tightrope.service.api.incidents.documents import (
    IncidentDocument,
    IncidentList,
    incident_document,
    incident_entry,
)
from tightrope.service.api.incidents.library import IncidentLibrary, NoIncidents
from tightrope.service.api.incidents.report import REPORT_POLICY, report_page
from tightrope.service.api.openapi import answers, refusals
from tightrope.service.api.overview.event_search import epoch_seconds
from tightrope.service.config.access import AccessTokens
from tightrope.service.errors import UnavailableError, UnknownModelError, quote
from tightrope.service.inference.engine import InferenceEngine

REPORT_HEADERS = {
    "Content-Security-Policy": f"{REPORT_POLICY}; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

NOT_READ = "this gateway has not read the incidents of the cluster since it started; ask again in a moment"


def create_router(engine: InferenceEngine, library: IncidentLibrary, tokens: AccessTokens) -> APIRouter:
    """``GET /v1/incidents…`` and ``/v1/models/{model}/incidents/{time}``; the file takes the control token."""
    router = APIRouter(prefix="/v1", tags=["incidents"])

    def require(name: str) -> Incident:
        found = next((each for each in library.incidents() if each.id == name), None)
        if found is None and not library.is_known:
            raise UnavailableError(NOT_READ)
        if found is None:
            raise UnknownModelError(f"there is no incident {quote(name)}; GET /v1/incidents lists them")
        return found

    @router.get("/incidents", **answers(IncidentList, 404))
    def incidents(model: str | None = None, since: datetime | FiniteFloat | None = None) -> Response:
        """The incidents, newest first: of one ``model``, or of all; those that are open or ended at ``since`` or later
        (a time of ISO 8601, UTC without an offset, or seconds since the epoch).
        """
        begin = epoch_seconds(since, float("-inf"))
        found = [each for each in reversed(library.incidents()) if model in {None, each.model}]
        if model is not None and not found:
            engine.pair(model)
        chosen = [incident_entry(each) for each in found if each.closed is None or each.closed >= begin]
        is_recorded = not isinstance(library, NoIncidents)
        document: IncidentList = {"recorded": is_recorded, "known": library.is_known, "incidents": chosen}
        return json_response(document)

    _add_file(router, library, tokens)
    _add_reports(router, engine, library, require)

    @router.get("/incidents/{name}", **answers(IncidentDocument, 404, 503))
    def incident(name: str) -> Response:
        """An incident with its moves, each also in a sentence, and the paths of what belongs to it."""
        return json_response(incident_document(require(name)))

    return router


def _add_file(router: APIRouter, library: IncidentLibrary, tokens: AccessTokens) -> None:
    described: dict[int | str, dict[str, Any]] = {
        200: {"description": "The file", "content": {"application/zip": {"schema": {"type": "string"}}}},
        **refusals(401, 403, 404),
    }

    @router.get(
        "/incidents/{name}.zip",
        response_class=Response,
        responses=described,
        dependencies=[Depends(require_operator(tokens))],
    )
    def file(name: str) -> Response:
        """The file of an incident, which `tightrope replay` judges again."""
        content = library.file(name)
        if content is None:
            raise UnknownModelError(f"there is no file of an incident {quote(name)}; GET /v1/incidents lists them")
        headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "Cache-Control": "no-store"}
        return Response(content, headers=headers, media_type="application/zip")


def _add_reports(
    router: APIRouter, engine: InferenceEngine, library: IncidentLibrary, require: Callable[[str], Incident]
) -> None:
    described: dict[int | str, dict[str, Any]] = {
        200: {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}},
        **refusals(404),
    }

    @router.get("/incidents/{name}.html", response_class=Response, responses=described)
    def report(name: str) -> Response:
        """The report of an incident for people, to read or to print; it has no scripts and no values of rows."""
        return Response(report_page(require(name)), headers=REPORT_HEADERS, media_type="text/html")

    @router.get("/models/{model}/incidents/{time}", response_class=Response, responses=described)
    def report_of_time(model: str, time: FiniteFloat) -> Response:
        """The report of the incident of a model at a time, in seconds since the epoch. Alerts link to it: when they are
        sent, their incident has no name yet.
        """
        name = incident_at(library.incidents(), model, time)
        if name is None:
            engine.pair(model)
            raise UnknownModelError(f"model {quote(model)} has no incident at this time; GET /v1/incidents lists them")
        return report(name)
