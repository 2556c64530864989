"""``GET /`` and the files of its page, which draws ``/v1/overview`` in the browser: without a network, and without code
of others.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from tightrope.service.errors import UnknownModelError, quote

ASSETS_FOLDER = Path(__file__).parent / "assets"
INDEX = "index.html"
MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}

FRONT_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline and nothing from elsewhere, in no frame; and no text of an answer ever becomes HTML or a script."""

HEADERS = {
    "Content-Security-Policy": FRONT_PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asked for again each time, by its ETag: the files of two releases never meet
    "Vary": "Accept-Encoding",
}


UNSENT = re.compile(rb"^(?:/\*\*.*| \*.*| +)| // .*", re.MULTILINE)
"""Comments and indentation: browsers do not need them. Numbers of lines stay the same."""


CSS_SPACE = re.compile(rb"(?<=[{};:,]) | (?=[{}])")
"""Spaces in style sheets that say nothing."""


class Asset:
    """A file of the page in memory: its bytes, also compressed, its type and its ETag."""

    def __init__(self, path: Path) -> None:
        content = UNSENT.sub(b"", path.read_bytes())
        self.content = CSS_SPACE.sub(b"", content) if path.suffix == ".css" else content
        self.compressed = gzip.compress(self.content, mtime=0)
        self.media_type = MEDIA_TYPES[path.suffix]
        self.etag = f'W/"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    def answer(self, encodings: str, known: str) -> Response:
        """The file, or 304 if the browser has it: ``known`` is what it says of its ETags."""
        headers = {**HEADERS, "ETag": self.etag}
        if self.etag in known:
            return Response(status_code=304, headers=headers)
        if "gzip" not in encodings:
            return Response(self.content, headers=headers, media_type=self.media_type)
        return Response(self.compressed, headers=headers | {"Content-Encoding": "gzip"}, media_type=self.media_type)


def create_router() -> APIRouter:
    """``GET /`` and ``GET /page/{name}``; the page's links are relative, so that it works behind a proxy's prefix."""
    return page_router(ASSETS_FOLDER, INDEX, "/", "/page")


def shared_files() -> APIRouter:
    """``GET /page/{name}`` alone: the files that other pages share with this one."""
    return _files_below("/page", _assets(ASSETS_FOLDER))


def page_router(folder: Path, index_name: str, path: str, below: str) -> APIRouter:
    """The files of a folder: the index at ``path``, the others ``below`` a path."""
    assets = _assets(folder)
    index = assets.pop(index_name)
    router = _files_below(below, assets)

    @router.get(path)
    def page(accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = "") -> Response:
        """The page."""
        return index.answer(accept_encoding, if_none_match)

    return router


def _assets(folder: Path) -> dict[str, Asset]:
    return {each.name: Asset(each) for each in sorted(folder.iterdir())}


def _files_below(below: str, assets: Mapping[str, Asset]) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get(f"{below}/{{name}}")
    def asset(
        name: str, accept_encoding: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = ""
    ) -> Response:
        """A file of the page."""
        if name not in assets:
            raise UnknownModelError(f"the page has no file {quote(name)}")
        return assets[name].answer(accept_encoding, if_none_match)

    return router
