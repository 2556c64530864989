"""uvicorn as a part: it takes its port before it starts, reports when it is up, and leaves signals to its owner."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import uvicorn

from tightrope.service.config.loader import ConfigError
from tightrope.service.config.process.server import ServerSection
from tightrope.service.errors import UnavailableError
from tightrope.service.transport.admission import Admission
from tightrope.service.transport.http.asgi import App, InferLayer
from tightrope.service.transport.http.bounded_protocol import BoundedProtocol
from tightrope.service.transport.http.uvicorn_protocol import protocol_factory
from tightrope.service.transport.listening import open_port
from tightrope.serving import gc_tuning
from tightrope.serving.acceptor import Acceptor, allow_descriptors
from tightrope.serving.exit_deadline import ExitDeadline

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""Time for each part to finish what it has accepted."""

IDLE_DRAIN_SECONDS = 1.0
"""Time that an idle connection stays open when the server stops: a request that was sent meanwhile is answered."""

DRAIN_POLL_SECONDS = 0.01
CUT_OFF_SECONDS = 0.2
"""Time for a request to end by itself after its connection was cut off."""

KEEP_ALIVE_SECONDS = 75
"""Idle time of a connection; longer than that of client pools, which would otherwise reuse a closed connection."""

TICKS_PER_SECOND = 10
"""Calls of uvicorn's `on_tick` in a second."""

SWITCH_SECONDS = 0.0005
"""Time for which other threads may keep the interpreter while a request waits; a tenth of Python's default."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

PRIVATE_UMASK = 0o077
"""The permissions that files and folders of a server do not get: its state holds callers' inputs."""


def prepare_process() -> None:
    """Set what a serving process needs of the interpreter and the system: short switches, files for its user alone, and
    as many descriptors as it may have.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    os.umask(PRIVATE_UMASK)
    allow_descriptors()


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
        bounded = cast(type[asyncio.Protocol], partial(BoundedProtocol, Admission(server)))
        config = uvicorn.Config(
            app,
            http=protocol_factory(app) if isinstance(app, InferLayer) else bounded,
            ws="none",
            host=server.host,
            port=server.port,
            log_config=None,  # its lines are limited as all others are
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            lifespan="off",
        )
        super().__init__(config)
        self._layer = app if isinstance(app, InferLayer) else None
        self._listener = listener or listen(server)
        self._shared = listener is not None
        self._rpc = rpc
        self._drain_seconds = server.drain_seconds

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: uvicorn's own would end the process before accepted requests are finished."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        del sockets
        config, loop = self.config, asyncio.get_running_loop()
        protocol: Any = config.http_protocol_class
        make = partial(protocol, config=config, server_state=self.server_state, app_state={}, _loop=loop)
        self._acceptor = Acceptor(self._listener, make, shared=self._shared)
        self._acceptor.start()
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """End connections that take too long, each second; whether the server should stop."""
        if counter % TICKS_PER_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                cast(BoundedProtocol, connection).expire(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop both transports at once, so that neither accepts requests while the other finishes."""
        del sockets
        seconds = self._drain_seconds / 2
        stopping = [self._rpc.stop(seconds)] if self._rpc else []
        await asyncio.gather(self._drain(seconds), *stopping)

    async def _drain(self, seconds: float) -> None:
        """Answer what was sent; what is not answered in time is cut off."""
        await self._acceptor.close()
        connections, tasks = self.server_state.connections, self.server_state.tasks
        for connection in list(connections):
            connection.shutdown()
        began = now = time.monotonic()
        while (connections or tasks) and now < began + seconds:
            if now >= began + min(IDLE_DRAIN_SECONDS, seconds / 2):
                for connection in list(connections):
                    cast(BoundedProtocol, connection).close_if_idle()
            await asyncio.sleep(DRAIN_POLL_SECONDS)
            now = time.monotonic()
        if connections or tasks:
            log.error("%d connections were cut off: their requests were not answered in time", len(connections))
        for connection in list(connections):
            connection.transport.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=CUT_OFF_SECONDS)  # they hear that their callers are gone
        for task in list(tasks):
            task.cancel()

    def serve_until_stopped(self, ready: ReadyCallback, signals: Sequence[int] = ()) -> None:
        """Run an event loop until `should_exit` is set, or one of the signals arrives. Then this process has
        `server.drain_seconds` to end.
        """
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.get_loop().set_default_executor(_LeavingExecutor(thread_name_prefix="http"))
            for number in signals:
                runner.get_loop().add_signal_handler(number, self.handle_exit, number, None)
            runner.run(self._serve_and_announce(ready, signals))

    async def _serve_and_announce(self, ready: ReadyCallback, signals: Sequence[int]) -> None:
        with ExitDeadline(self._drain_seconds, signals) if signals else nullcontext():
            grpc_port = await self._rpc.start() if self._rpc else None
            serving = asyncio.create_task(self.serve())
            while not self.started and not serving.done():
                await asyncio.sleep(0.005)  # uvicorn has no event to wait for
            if self.started:
                host, port = self._listener.getsockname()[:2]
                address = ListenAddress(host, port, grpc_port)
                log.info("ready: %s", address.http, extra={"fields": {"event": "ready"}})
                ready(address)
                if self._layer:
                    with suppress(UnavailableError):
                        await self._layer.app()  # load FastAPI now, not at the first request outside inference
                gc_tuning.freeze_heap()
            await serving
        log.info("stopped", extra={"fields": {"event": "stopped"}})


class _LeavingExecutor(ThreadPoolExecutor):
    """The event loop's threads: its end does not wait for one that hangs."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - its own
        """Take no more work."""
        del wait
        super().shutdown(wait=False, cancel_futures=cancel_futures)


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
    if free.family == socket.AF_INET6:
        held.setsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, free.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        )
    host, port = free.getsockname()[:2]
    free.close()
    held.bind((host, port))
    return held


def _open_port(host: str, port: int, key: str) -> socket.socket:
    try:
        return open_port(host, port)
    except OSError as error:
        raise ConfigError([f"{key}: cannot listen: {error.strerror}"]) from error
