"""An HTTP server that somebody else starts and stops: of the gateway, and of whatever else shows its health."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import uvicorn

from tightrope.service.config.loader import ConfigError, Server
from tightrope.service.transport.http.asgi import App, InferLayer
from tightrope.service.transport.http.uvicorn_protocol import fast_path
from tightrope.serving import gc_tuning

STOP_SECONDS = 10.0
"""How long each part may take to finish what has arrived."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection may rest; longer than pools of clients let theirs, which would meet a closed one otherwise."""

SWITCH_SECONDS = 0.0005
"""How long other threads may keep the interpreter while a request waits; Python's default is ten times that."""

TOLD = (signal.SIGINT, signal.SIGTERM)
"""The signals that say stop."""


class Rpc(Protocol):
    """A server of another transport, on the same event loop."""

    async def start(self) -> int:
        """Listen; the port."""

    async def stop(self, seconds: float) -> None:
        """Finish what is under way within so many seconds."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens: what its callers need."""

    host: str
    port: int
    grpc_port: int | None = None

    @property
    def http(self) -> str:
        """Where it is asked over HTTP."""
        return f"http://{self._host}:{self.port}"

    @property
    def grpc(self) -> str | None:
        """Where it is asked over gRPC, if it can be."""
        return None if self.grpc_port is None else f"{self._host}:{self.grpc_port}"

    @property
    def addresses(self) -> dict[str, str]:
        """For machines to read."""
        return {"address": self.http} | ({"grpc": self.grpc} if self.grpc else {})

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


Ready = Callable[[Listening], None]
"""Told when the first request would be answered."""


class HttpServer(uvicorn.Server):
    """uvicorn, telling when it listens and where; whoever runs it decides about signals. ``rpc`` runs beside it; a
    ``listener`` that others share stands in the place of one of its own.

    Raises:
        ConfigError: when the address is not to be had.
    """

    def __init__(self, server: Server, app: App, rpc: Rpc | None = None, listener: socket.socket | None = None) -> None:
        config = uvicorn.Config(
            app,
            http=fast_path(app) if isinstance(app, InferLayer) else "auto",
            host=server.host,
            port=server.port,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            lifespan="off",
            timeout_graceful_shutdown=int(STOP_SECONDS),
        )
        super().__init__(config)
        self._layer = app if isinstance(app, InferLayer) else None
        self._listener = listener or listen(server)
        self._rpc = rpc

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: uvicorn's own way would end the process before what has arrived is finished."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Both transports at once: neither takes more while the other finishes."""
        stopping = [self._rpc.stop(STOP_SECONDS)] if self._rpc else []
        await asyncio.gather(super().shutdown(sockets), *stopping)

    def serve_until_told(self, ready: Ready, signals: Sequence[int] = ()) -> None:
        """Run an event loop until `should_exit` is set, or one of the signals comes."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            for number in signals:
                runner.get_loop().add_signal_handler(number, self.handle_exit, number, None)
            runner.run(self._announced(ready))

    async def _announced(self, ready: Ready) -> None:
        grpc_port = await self._rpc.start() if self._rpc else None
        serving = asyncio.create_task(self.serve([self._listener]))
        while not self.started and not serving.done():
            await asyncio.sleep(0.005)  # uvicorn has no event to wait for
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            ready(Listening(host, port, grpc_port))
            if self._layer:
                await self._layer.rest()
            gc_tuning.settled()
        await serving


def listen(server: Server) -> socket.socket:
    """Take the port; uvicorn's own way would end the process with a traceback where it is in use.

    Raises:
        ConfigError: when it is not to be had.
    """
    return _taken(server.host, server.port, "server")


def hold(host: str, port: int) -> socket.socket:
    """A port for several servers of gRPC, which open it themselves: nobody else can have it, and nothing arrives here.

    Raises:
        ConfigError: when it is not to be had.
    """
    free = _taken(host, port, "server.grpc_port")  # what shares a port is not refused where others share theirs
    held = socket.socket(free.family)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    host, port = free.getsockname()[:2]
    free.close()
    held.bind((host, port))
    return held


def _taken(host: str, port: int, key: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError([f"{key}: cannot listen: {error.strerror}"]) from error
