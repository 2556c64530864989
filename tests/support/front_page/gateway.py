"""A small gateway with the page's own routes, and with answers that a test sets."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from tests.support.front_page.overviews import AT, Json, well
from tightrope.service.api.front_page.routes import create_router

START_SECONDS = 30.0


@dataclass
class PageGateway:
    """``overview`` is its answer, and ``seconds`` have passed since; orders are kept, or refused with ``refusal``, a
    status and words. It counts the looks of the page, and those at which the answer was unchanged.
    """

    overview: Json = field(default_factory=well)
    event: Json | None = None
    token: str | None = None
    refusal: tuple[int, str] | None = None
    orders: list[Json] = field(default_factory=list)
    looks: int = 0
    unchanged: int = 0
    seconds: float = 0.0
    address: str = ""

    def shown(self, model: str | None, limit: int) -> Json:
        """The answer with one model, or with the first ``limit`` of them."""
        self.looks += model is None
        models = self.overview["models"]
        chosen = models[:limit] if model is None else [each for each in models if each["name"] == model]
        return self.overview | {"models": chosen}

    def wait_for_looks(self, pause: Callable[[float], None], count: int = 2) -> None:
        """Wait until the page has asked so often, and has drawn what it got; ``pause`` takes milliseconds."""
        wanted = self.looks + count
        while self.looks < wanted:
            pause(50)
        pause(100)

    def knows(self, request: Request) -> bool:
        """Whether a request carries the token, if one is asked for."""
        return self.token is None or request.headers.get("authorization") == f"Bearer {self.token}"


def create_app(gateway: PageGateway) -> FastAPI:
    """The page's routes as the product has them, beside the answers."""
    app = FastAPI()
    app.include_router(create_router())

    @app.get("/v1/overview")
    def overview(request: Request, model: str | None = None, limit: int = 10) -> Response:
        if not gateway.knows(request):
            return JSONResponse({"error": "a valid bearer token is needed"}, 401)
        answer = JSONResponse(gateway.shown(model, limit))
        tag = f'"{hashlib.sha256(answer.body).hexdigest()}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Date": formatdate(AT + gateway.seconds, usegmt=True)}
        if request.headers.get("if-none-match") == tag:
            gateway.unchanged += 1
            return Response(status_code=304, headers=headers)
        answer.headers.update(headers)
        return answer

    @app.get("/v1/events")
    def events(model: str, after: int) -> Response:
        return JSONResponse({"events": [gateway.event | {"seq": after + 1, "model": model}] if gateway.event else []})

    @app.post("/v1/models/{model}/{kind}")
    def order(model: str, kind: str, body: dict[str, Any]) -> Response:
        if gateway.refusal:
            return JSONResponse({"error": gateway.refusal[1]}, gateway.refusal[0])
        gateway.orders.append({"model": model, "kind": kind, **body})
        return JSONResponse({"confirmed": True})

    return app


@contextmanager
def page_gateway() -> Iterator[PageGateway]:
    """A running gateway, until the block ends."""
    gateway = PageGateway()
    config = uvicorn.Config(
        create_app(gateway), host="127.0.0.1", port=0, log_level="error", date_header=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    gateway.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    try:
        yield gateway
    finally:
        server.should_exit = True
        thread.join()
