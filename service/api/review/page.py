"""The page of the reviewers at ``/review``: without a network, and without code of others."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from tightrope.service.api.front_page.routes import Asset
from tightrope.service.errors import UnknownModelError, quote

REVIEW_FOLDER = Path(__file__).parent / "assets"
REVIEW_INDEX = "review.html"


def create_page_router() -> APIRouter:
    """``GET /review`` and the files of its page."""
    router = APIRouter(include_in_schema=False)
    assets = {path.name: Asset(path) for path in sorted(REVIEW_FOLDER.iterdir())}
    index = assets.pop(REVIEW_INDEX)

    @router.get("/review")
    def page(accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = "") -> Response:
        """The page."""
        return index.answer(accept_encoding, if_none_match)

    @router.get("/review/{name}")
    def asset(
        name: str, accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = ""
    ) -> Response:
        """A file of the page."""
        if name not in assets:
            raise UnknownModelError(f"the page has no file {quote(name)}")
        return assets[name].answer(accept_encoding, if_none_match)

    return router
