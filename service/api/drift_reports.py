"""Drift reports over HTTP: a list with their figures, and the pages, each isolated by a content security policy."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from tightrope.service.adapters.archive.report_store import ReportStore, content_security_policy
from tightrope.service.api.answers import ReportEntry, ReportList, json_response
from tightrope.service.api.openapi import answers, refusals
from tightrope.service.errors import UnknownModelError
from tightrope.service.inference.engine import InferenceEngine

ISOLATION_POLICY = "frame-ancestors 'none'; sandbox allow-scripts"
"""Directives that work only as a header: the page gets an origin of its own, so its scripts cannot call this server."""

NEWEST = "newest"
"""The name in a path that stands for the newest report."""


PAGE: dict[str, Any] = {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}}
"""The description of a report's page."""


def link(model: str, report: str) -> str:
    """The path of a report's page."""
    return f"/v1/models/{model}/reports/{report}"


def newest_link(store: ReportStore, model: str) -> str | None:
    """The path of a model's newest report, or None. Status, orders and events show it."""
    return next((link(model, name) for name in store.names(model)), None)


def create_router(engine: InferenceEngine, store: ReportStore) -> APIRouter:
    """``GET /v1/models/{model}/reports`` and ``…/reports/{name}``."""
    router = APIRouter(prefix="/v1/models/{model}/reports", tags=["drift reports"])

    @router.get("", **answers(ReportList, 404))
    def reports(model: str) -> Response:
        """A model's drift reports, newest first, with their figures."""
        name = engine.pair(model).name
        entries: list[ReportEntry] = [
            {
                "name": report.name,
                "time": datetime.fromtimestamp(report.time, UTC),
                "link": link(name, report.name),
                "figures": dict(report.figures),
            }
            for report in store.list(name)
        ]
        document: ReportList = {"model": name, "reports": entries}
        return json_response(document)

    described: dict[int | str, dict[str, Any]] = {200: PAGE, **refusals(404)}

    @router.get("/{name}", response_class=FileResponse, responses=described)
    def page(model: str, name: str) -> FileResponse:
        """One report's page. The name `newest` is a stable address for alerts and bookmarks. The policy allows
        the page's own scripts, by their hashes, and no connection to any server.
        """
        served = engine.pair(model).name
        wanted = next(iter(store.names(served)), name) if name == NEWEST else name
        report = store.find(served, wanted)
        if report is None:
            raise UnknownModelError(f"there is no report {name[:80]!r}; GET /v1/models/{model}/reports lists them")
        headers = {
            "Content-Security-Policy": f"{content_security_policy(report.scripts)}; {ISOLATION_POLICY}",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        return FileResponse(report.page, media_type="text/html", headers=headers)

    return router
