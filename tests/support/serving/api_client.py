"""The HTTP API in this process, without a server."""

import asyncio
from collections.abc import Container
from typing import Any

import httpx
from fastapi import FastAPI

from tests.support.serving.service_harness import GatewayHarness
from tightrope.service.api.app import create_app
from tightrope.service.config.access import AccessTokens

UNUSED: Any = None
"""A dependency that no tested request needs."""


class ApiClient:
    """Sends requests to an application."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def post(self, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own options
        """Post one request."""
        return asyncio.run(self._send("POST", path, **options))

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """Get one page."""
        return asyncio.run(self._send("GET", path, headers=headers))

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own options
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://here") as client:
            return await client.request(method, path, **options)


def api_client(gateway: GatewayHarness, token: str | None = None, watched: Container[str] = ()) -> ApiClient:
    """A client of the whole API; ``watched`` are the models that take payload events."""
    bus, engine = gateway.bus, gateway.engine
    parts = engine, bus, UNUSED, UNUSED, UNUSED, AccessTokens(token), watched, UNUSED, lambda: True, UNUSED
    return ApiClient(create_app(*parts, daily=UNUSED))
