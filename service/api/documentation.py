"""The page `/docs`, a view of `/openapi.json` for a browser, from files of this origin: it works without a network, and
no script from elsewhere runs where tokens are typed.
"""

from importlib.resources import files
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from tightrope.service.errors import UnknownModelError

OWN_FILES = Path(__file__).parent / "page"
LIBRARY_FILES = Path(str(files(fastapi_offline))) / "static"
ASSETS = {
    "initializer.js": (OWN_FILES / "initializer.js", "text/javascript"),
    "page.css": (OWN_FILES / "page.css", "text/css"),
    "swagger-ui-bundle.js": (LIBRARY_FILES / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (LIBRARY_FILES / "swagger-ui.css", "text/css"),
}
"""The files that the page loads, by name, with their types. Swagger UI comes from the pinned package."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page runs scripts of this origin and talks to this origin; nothing inline, and in no frame."""

PAGE_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
ASSET_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=3600"}


def create_router() -> APIRouter:
    """``GET /docs`` and the files of its page."""
    router = APIRouter(prefix="/docs", include_in_schema=False)
    text = (OWN_FILES / "index.html").read_text(encoding="utf-8")

    @router.get("", response_class=HTMLResponse)
    def page(request: Request) -> HTMLResponse:
        """The page; its links are relative, so that it works behind a proxy with a prefix."""
        is_folder = request.scope.get("raw_path", b"").endswith(b"/")
        links = (
            {"assets": "", "document": "../openapi.json"}
            if is_folder
            else {"assets": "docs/", "document": "openapi.json"}
        )
        return HTMLResponse(text.format_map(links), headers=PAGE_HEADERS)

    @router.get("/{name}", response_class=FileResponse)
    def asset(name: str) -> Response:
        """A file of the page."""
        if name not in ASSETS:
            raise UnknownModelError(f"the page has no file {name[:80]!r}")
        path, media_type = ASSETS[name]
        return FileResponse(path, media_type=media_type, headers=ASSET_HEADERS)

    return router
