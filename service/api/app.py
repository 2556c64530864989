"""The FastAPI application for everything but inference: the routers, the exception handlers and /metrics.

FastAPI takes longer to load than everything that inference needs. The gateway therefore imports this module only when
the first request arrives that is no inference request.
"""

import math
from collections.abc import Callable, Container, Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from tightrope.service.adapters.archive.report_store import ReportStore
from tightrope.service.adapters.ports import AuditTrail, Bus, LabelLists
from tightrope.service.adapters.powercap.rapl import open_meter
from tightrope.service.adapters.review.label_outbox import LabelOutbox
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.api import (
    deployments,
    documentation,
    drift_reports,
    inference_schema,
    labels,
    metadata,
    orders,
    payload_events,
    reliability,
    status,
)
from tightrope.service.api.auth import guarded_view, require_application, require_operator
from tightrope.service.api.cost.ports import DailyCosts
from tightrope.service.api.cost.reader import CostReader
from tightrope.service.api.front_page import routes as front_page
from tightrope.service.api.incidents.library import NO_INCIDENTS, IncidentLibrary
from tightrope.service.api.letter import routes as letter
from tightrope.service.api.openapi import INTRODUCTION, complete_document, refusals
from tightrope.service.api.overview.overview import OverviewReader
from tightrope.service.api.overview.sources import SightReader
from tightrope.service.api.ports import Deployer, VerdictReader
from tightrope.service.api.record import routes as incident_routes
from tightrope.service.api.record import statement
from tightrope.service.api.review import elsewhere
from tightrope.service.api.review import export as review_export
from tightrope.service.api.review import page as review_page
from tightrope.service.api.review import routes as reviews
from tightrope.service.api.review.desk import ReviewDesk
from tightrope.service.api.week.costs import NO_PRICE, HourPrice
from tightrope.service.api.week.reader import WeekReader
from tightrope.service.config.access import AccessTokens
from tightrope.service.errors import OverloadedError, TightropeError
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.protocol.metadata import SERVER_VERSION
from tightrope.service.transport.http.codec import status_of
from tightrope.service.transport.responder import INTERNAL_ERROR


def create_app(
    engine: InferenceEngine,
    bus: Bus,
    trail: AuditTrail,
    verdicts: VerdictReader,
    deployer: Deployer,
    tokens: AccessTokens,
    watched: Container[str],
    reports: ReportStore,
    is_ready: Callable[[], bool],
    sight: SightReader,
    review: ReviewDesk | Mapping[str, str | None] | None = None,
    *,
    daily: DailyCosts,
    price: HourPrice = NO_PRICE,
    incidents: IncidentLibrary = NO_INCIDENTS,
) -> FastAPI:
    """Build the application.

    ``tokens`` are those of people who look or give orders, ``watched`` the models that take payload events;
    ``is_ready`` says whether this replica may receive requests, ``sight`` what it knows of the judgement of a model;
    ``review`` is the desk of the reviewers, where there are any, or the addresses of their pages at the judges;
    ``daily`` is the ledger of costs, ``price`` that of compute time, ``incidents`` has those that are recorded.
    """
    app = new_app()
    newest_report = partial(drift_reports.newest_link, reports)
    operator, application, looking = require_operator(tokens), require_application(tokens), guarded_view(tokens)
    app.include_router(inference_schema.create_router(refusals(404, 503)))
    app.include_router(metadata.create_router(engine, is_ready))
    costs = CostReader(engine, open_meter())
    shown: dict[str, Any] = {"control": tokens.has_control, "cost": costs.sentence, "incidents": incidents.incidents}
    overview = OverviewReader(engine, verdicts, trail, sight, newest_report, **shown)
    read = verdicts, trail, newest_report, overview, costs, daily, incidents
    app.include_router(status.create_router(engine, *read), **looking)
    app.include_router(incident_routes.create_router(engine, incidents, tokens), **looking)
    app.include_router(statement.create_router(engine), **looking)
    weeks = WeekReader(engine, verdicts, overview, trail, daily, price)
    app.include_router(letter.create_router(engine, weeks, tokens), **looking)
    app.include_router(reliability.create_router(engine, verdicts), **looking)
    app.include_router(orders.create_router(engine, bus, operator, verdicts, newest_report))
    _add_metrics(app, engine)
    lists = trail if isinstance(trail, LabelLists) else None
    app.include_router(labels.create_router(engine, bus, tokens, lists))
    app.include_router(payload_events.create_router(engine, bus, watched, application))
    app.include_router(deployments.create_router(engine, deployer, operator))
    app.include_router(drift_reports.create_router(engine, reports), **looking)
    app.include_router(documentation.create_router())
    app.include_router(front_page.create_router())
    _add_own_review(app, engine, _desk_without_rows(bus, engine) if review is None else review, tokens, incidents)
    add_exception_handlers(app)
    complete_document(app)
    return app


def new_app() -> FastAPI:
    """An application without routes."""
    return FastAPI(
        title="Tightrope",
        version=SERVER_VERSION,
        description=INTRODUCTION,
        default_response_class=JSONResponse,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )


def add_review(
    app: FastAPI, named: Callable[[str], str], desk: ReviewDesk, tokens: AccessTokens, incidents: IncidentLibrary
) -> None:
    """Add the page of reviewers, their routes, and those of operators about them; ``named`` returns the name of a
    served model.
    """
    app.include_router(reviews.create_router(named, desk))
    app.include_router(review_export.create_router(named, desk, tokens, incidents.incidents))
    app.include_router(review_page.create_page_router())


def _add_own_review(
    app: FastAPI,
    engine: InferenceEngine,
    review: ReviewDesk | Mapping[str, str | None],
    tokens: AccessTokens,
    incidents: IncidentLibrary,
) -> None:
    def named(model: str) -> str:
        return engine.pair(model).name

    if isinstance(review, ReviewDesk):
        add_review(app, named, review, tokens, incidents)
    else:
        app.include_router(elsewhere.create_router(named, review))


def _desk_without_rows(bus: Bus, engine: InferenceEngine) -> ReviewDesk:
    table = ReviewTable(None)
    return ReviewDesk(table, LabelOutbox(table, bus), {}, engine.metrics)


def _add_metrics(app: FastAPI, engine: InferenceEngine) -> None:
    text = {"schema": {"type": "string"}}
    content = {"text/plain": text, "application/openmetrics-text": text}

    @app.get(
        "/metrics",
        tags=["operations"],
        response_class=Response,
        responses={200: {"description": "The metrics", "content": content}},
    )
    def metrics(accept: Annotated[str, Header()] = "") -> Response:
        """Metrics in the Prometheus or the OpenMetrics text format, by the Accept header."""
        body, content_type = engine.metrics.exposition(accept)
        return Response(body, media_type=content_type)


def add_exception_handlers(app: FastAPI) -> None:
    """Answer every error with the protocol's body, {"error": "…"}."""

    @app.exception_handler(TightropeError)
    def tightrope_error(_: Request, error: TightropeError) -> JSONResponse:
        headers = {"Retry-After": str(math.ceil(error.seconds))} if isinstance(error, OverloadedError) else None
        return JSONResponse({"error": str(error)}, status_of(error), headers)

    @app.exception_handler(StarletteHTTPException)
    def http_error(request: Request, error: StarletteHTTPException) -> JSONResponse:
        methods = app.openapi()["paths"].get(getattr(request.scope.get("route"), "path", ""), ())
        allow = {"Allow": ", ".join(method.upper() for method in methods)}  # all of the path's, not one route's
        headers = allow if methods and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
        return JSONResponse({"error": str(error.detail)}, error.status_code, headers=headers)

    @app.exception_handler(RequestValidationError)
    def validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"error": f"{where}: {first['msg']}"}, 400)

    @app.exception_handler(Exception)
    def unexpected_error(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"error": INTERNAL_ERROR}, 500)
