"""The drift reports over HTTP: a list with their figures, and each page under a policy that keeps it to itself."""

from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from tightrope.service.adapters.archive.report_store import ReportStore, policy
from tightrope.service.errors import UnknownModelError
from tightrope.service.inference.engine import Gateway

ALONE = "frame-ancestors 'none'; sandbox allow-scripts"
"""What only a header can ask: the page is a stranger to this server, whatever a script in it should try."""

NEWEST = "newest"


class ReportEntry(BaseModel):
    """One drift report."""

    name: str = Field(description="When it was made, e.g. 20260131T235959Z")
    time: datetime = Field(description="The same as a time, UTC")
    link: str = Field(description="Where its page is")
    figures: dict[str, object] = Field(description="What it found: by column, and by scope")


class ReportList(BaseModel):
    """A model's drift reports, newest first."""

    model: str
    reports: list[ReportEntry]


def link(model: str, report: str) -> str:
    """Where a report's page is."""
    return f"/v1/models/{model}/reports/{report}"


def newest(store: ReportStore, model: str) -> str | None:
    """Where a model's newest page is, if there is one: it belongs beside whatever is said of the model."""
    return next((link(model, name) for name in store.names(model)), None)


def routes(gateway: Gateway, store: ReportStore) -> APIRouter:
    """Everything about drift reports."""
    router = APIRouter(prefix="/v1/models/{model}/reports", tags=["drift reports"])

    @router.get("")
    def reports(model: str) -> ReportList:
        """A model's drift reports, newest first, with their figures."""
        name = gateway.pair(model).name
        entries = [
            ReportEntry(
                name=report.name,
                time=datetime.fromtimestamp(report.time, UTC),
                link=link(name, report.name),
                figures=dict(report.figures),
            )
            for report in store.list(name)
        ]
        return ReportList(model=name, reports=entries)

    @router.get("/{name}", response_class=FileResponse, responses={200: {"content": {"text/html": {}}}})
    def page(model: str, name: str) -> FileResponse:
        """One report's page; `newest` is the newest one's, an address that stays, for alerts and bookmarks. Its scripts
        are known by their hashes; it can reach no server, not even this one.
        """
        known = gateway.pair(model).name
        wanted = next(iter(store.names(known)), name) if name == NEWEST else name
        report = store.find(known, wanted)
        if report is None:
            raise UnknownModelError(f"there is no report {name[:80]!r}; GET /v1/models/{model}/reports lists them")
        headers = {
            "Content-Security-Policy": f"{policy(report.scripts)}; {ALONE}",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        return FileResponse(report.page, media_type="text/html", headers=headers)

    return router
