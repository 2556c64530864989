"""The review at a gateway of a cluster: the rows lie at the judges, so each path says where they are."""

from collections.abc import Callable, Mapping
from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from tightrope.service.api.answers import Error, json_response
from tightrope.service.api.front_page.routes import FRONT_PAGE_POLICY

UNREVIEWED = "no model is reviewed: set models.NAME.review"
AT_THE_JUDGE = "rows of {0} are reviewed at {1}"
ON_ITS_PORT = "/review on the port of its judge"

POINTER_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Review · Tightrope</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="page/page.css"></head>
<body><main><h1>Review</h1>{0}</main></body></html>
"""


def create_router(named: Callable[[str], str], pages: Mapping[str, str | None]) -> APIRouter:
    """The paths of the review. ``pages`` has the address of the page for each reviewed model, or None where the
    configuration has none; ``named`` returns the name of a served model.
    """
    router = APIRouter(include_in_schema=False)
    addresses = {model: address or ON_ITS_PORT for model, address in pages.items()}
    lines = [AT_THE_JUDGE.format(model, address) for model, address in addresses.items()] or [UNREVIEWED]

    def refusal(reason: str) -> Response:
        error: Error = {"error": reason}
        return json_response(error, 404)

    @router.get("/review")
    def page() -> Response:
        """A page with the addresses."""
        body = "".join(f"<p>{_sentence(line, pages)}</p>" for line in lines)
        return HTMLResponse(POINTER_PAGE.format(body), headers={"Content-Security-Policy": FRONT_PAGE_POLICY})

    @router.get("/v1/reviews")
    @router.get("/v1/reviews.csv")
    def of_all() -> Response:
        """The addresses of all models' pages."""
        return refusal("; ".join(lines))

    @router.get("/v1/models/{model}/reviews")
    @router.api_route("/v1/models/{model}/reviews/{name}", methods=["GET", "POST", "DELETE"])
    def of_model(model: str, name: str = "") -> Response:
        """The address of one model's page."""
        del name
        found = named(model)
        unreviewed = f"model {found} is not reviewed: set models.{found}.review"
        return refusal(AT_THE_JUDGE.format(found, addresses[found]) if found in addresses else unreviewed)

    return router


def _sentence(line: str, pages: Mapping[str, str | None]) -> str:
    """A line as HTML, its address as a link."""
    text = escape(line)
    for address in {escape(each) for each in pages.values() if each}:
        text = text.replace(address, f'<a href="{address}">{address}</a>')
    return f"{text[0].upper()}{text[1:]}."
