"""uvicorn as a part: it takes its port before it starts, reports when it is up, and leaves signals to its owner."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import uvicorn

from tightrope.service.config.loader import ConfigError, ServerSection
from tightrope.service.transport.http.asgi import App, InferLayer
from tightrope.service.transport.http.uvicorn_protocol import protocol_factory
from tightrope.serving import gc_tuning

STOP_SECONDS = 10.0
"""Time for each part to finish what it has accepted."""

KEEP_ALIVE_SECONDS = 75
"""Idle time of a connection; longer than that of client pools, which would otherwise reuse a closed connection."""

SWITCH_SECONDS = 0.0005
"""Time for which other threads may keep the interpreter while a request waits; a tenth of Python's default."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

PRIVATE_UMASK = 0o077
"""The permissions that files and folders of a server do not get: its state holds callers' inputs."""


def prepare_process() -> None:
    """Set what a serving process needs of the interpreter and the system: short switches, files for its user alone."""
    sys.setswitchinterval(SWITCH_SECONDS)
    os.umask(PRIVATE_UMASK)


class TransportServer(Protocol):
    """A server of another transport on the same event loop."""

    async def start(self) -> int:
        """Listen and return the port."""

    async def stop(self, seconds: float) -> None:
        """Finish accepted requests within this time."""


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Host and ports of a running server."""

    host: str
    port: int
    grpc_port: int | None = None

    @property
    def http(self) -> str:
        """The base URL."""
        return f"http://{self._host}:{self.port}"

    @property
    def grpc(self) -> str | None:
        """The gRPC target, host:port; None without gRPC."""
        return None if self.grpc_port is None else f"{self._host}:{self.grpc_port}"

    @property
    def addresses(self) -> dict[str, str]:
        """Both addresses for JSON."""
        return {"address": self.http} | ({"grpc": self.grpc} if self.grpc else {})

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


ReadyCallback = Callable[[ListenAddress], None]
"""Called once the server answers requests."""


class HttpServer(uvicorn.Server):
    """uvicorn with an optional ``rpc`` server beside it; ``listener`` is a socket that several processes share.

    Raises:
        ConfigError: when the port cannot be taken.
    """

    def __init__(
        self,
        server: ServerSection,
        app: App,
        rpc: TransportServer | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=protocol_factory(app) if isinstance(app, InferLayer) else "auto",
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
        """Install no handlers: uvicorn's own would end the process before accepted requests are finished."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop both transports at once, so that neither accepts requests while the other finishes."""
        stopping = [self._rpc.stop(STOP_SECONDS)] if self._rpc else []
        await asyncio.gather(super().shutdown(sockets), *stopping)

    def serve_until_stopped(self, ready: ReadyCallback, signals: Sequence[int] = ()) -> None:
        """Run an event loop until `should_exit` is set, or one of the signals arrives."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            for number in signals:
                runner.get_loop().add_signal_handler(number, self.handle_exit, number, None)
            runner.run(self._serve_and_announce(ready))

    async def _serve_and_announce(self, ready: ReadyCallback) -> None:
        grpc_port = await self._rpc.start() if self._rpc else None
        serving = asyncio.create_task(self.serve([self._listener]))
        while not self.started and not serving.done():
            await asyncio.sleep(0.005)  # uvicorn has no event to wait for
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            ready(ListenAddress(host, port, grpc_port))
            if self._layer:
                await self._layer.app()  # load FastAPI now, not at the first request outside inference
            gc_tuning.freeze_heap()
        await serving


def listen(server: ServerSection) -> socket.socket:
    """Open the HTTP port; uvicorn's own way ends the process with a traceback where it is in use.

    Raises:
        ConfigError: when it cannot be taken.
    """
    return _open_port(server.host, server.port, "server")


def reserve_port(host: str, port: int) -> socket.socket:
    """Reserve a port for gRPC servers of several processes, which open it themselves with SO_REUSEPORT.

    The socket does not listen, so no connection arrives on it.

    Raises:
        ConfigError: when it cannot be taken.
    """
    free = _open_port(host, port, "server.grpc_port")  # SO_REUSEPORT alone would join a port that others share
    held = socket.socket(free.family)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    host, port = free.getsockname()[:2]
    free.close()
    held.bind((host, port))
    return held


def _open_port(host: str, port: int, key: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError([f"{key}: cannot listen: {error.strerror}"]) from error
