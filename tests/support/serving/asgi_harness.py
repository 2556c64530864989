"""The inference layer, called message by message as a server does."""

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.service.config.process.limits import LimitsSection
from tightrope.service.config.process.server import ServerSection
from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.transport.admission import Admission
from tightrope.service.transport.http import asgi
from tightrope.service.transport.http.asgi import InferLayer

INFER = "/v2/models/m/infer"
GOOD = json.dumps(body([[0.0, 1.0]])).encode()
MAX_BODY_BYTES = 4 * LARGE_BYTES


def admission(max_body_bytes: int = MAX_BODY_BYTES, **limits: float) -> Admission:
    """An admission with these limits."""
    return Admission(ServerSection(max_body_bytes=max_body_bytes, limits=LimitsSection.model_validate(limits)))


@dataclass
class InnerApp:
    """The application behind the layer: records its requests, and answers 299."""

    asked: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def __call__(self, scope: MutableMapping[str, Any], receive: asgi.Receive, send: asgi.Send) -> None:
        """Read one message, as FastAPI would."""
        message = await receive() if scope.get("method") == "POST" else {}
        self.asked.append((scope["method"], scope["path"], message.get("body", b"")))
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Exchange:
    """One request to the layer: the chunks read of its body, and the messages sent."""

    layer: InferLayer
    taken: int = 0
    sent: list[MutableMapping[str, Any]] = field(default_factory=list)

    async def _run(self, path: str, chunks: list[bytes], method: str, headers: dict[str, str], *, breaks: bool) -> None:
        async def receive() -> MutableMapping[str, Any]:
            if self.taken == len(chunks):
                return {"type": "http.disconnect"}
            self.taken += 1
            more = breaks or self.taken < len(chunks)
            return {"type": "http.request", "body": chunks[self.taken - 1], "more_body": more}

        async def send(message: MutableMapping[str, Any]) -> None:
            self.sent.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self.layer({"type": "http", "method": method, "path": path, "headers": raw}, receive, send)

    def run(
        self,
        path: str,
        *chunks: bytes,
        method: str = "POST",
        headers: dict[str, str] | None = None,
        breaks: bool = False,
    ) -> "Exchange":
        """Send a body in chunks; ``breaks``: the caller disconnects where the next one should follow."""
        asyncio.run(self._run(path, list(chunks or (b"",)), method, headers or {}, breaks=breaks))
        return self

    @property
    def status(self) -> int:
        """The response's status."""
        return int(self.sent[0]["status"])

    @property
    def error(self) -> str:
        """The response's error."""
        return str(json.loads(self.sent[1]["body"])["error"])


@dataclass
class LayerHarness:
    """A layer around a gateway of one pair, m."""

    bench: GatewayHarness
    inner: InnerApp
    layer: InferLayer

    def post(self, path: str, *chunks: bytes, **how: Any) -> Exchange:  # noqa: ANN401 - see Exchange.run
        """Run one exchange."""
        return Exchange(self.layer).run(path, *chunks, **how)
