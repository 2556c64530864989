"""A gRPC server for the Open Inference Protocol and gRPC's own health service; its owner starts and stops it."""

import asyncio
import time
from collections.abc import Callable

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from tightrope.service.config.loader import ConfigError
from tightrope.service.config.process.server import ServerSection
from tightrope.service.transport.grpc.servicer import SERVICE, InferenceServicer
from tightrope.service.transport.listening import open_port

HEALTH_SERVICES = ("", SERVICE)
"""The services whose health is reported: the whole server, under the empty name, and the protocol."""
READINESS_POLL_SECONDS = 0.1
"""Seconds between two checks whether this replica is ready."""
TICK_SECONDS, QUIET_TICKS, MAX_HOLD_SECONDS, FAREWELL_SECONDS = 0.025, 10, 2.0, 0.05
"""Answers are held when the server stops: until no call came for some ticks, or this long; then until callers know."""
MIN_PING_MS = 500
"""Milliseconds between two pings of a client, with or without calls; the library closes the connection of one that
pings oftener, and by default of one that pings each second, as Triton's client may.
"""


class GrpcServer:
    """Listens on the configured address; ``is_ready`` tells whether this replica is ready.

    Raises:
        ConfigError: when the address is not available.
    """

    def __init__(self, server: ServerSection, servicer: InferenceServicer, is_ready: Callable[[], bool]) -> None:
        self._address = f"[{server.host}]" if ":" in server.host else server.host
        self._port = server.grpc_port or 0
        self._max_body_bytes = server.max_body_bytes
        self._limits = server.limits
        self._servicer = servicer
        self._is_ready = is_ready
        self._is_shared = server.processes > 1
        if not self._is_shared:
            _insist_on_free_port(server)

    async def start(self) -> int:
        """Listen, on the running event loop; returns the port.

        Raises:
            ConfigError: when the port was taken meanwhile.
        """
        self._health = health.aio.HealthServicer()
        options = [
            ("grpc.so_reuseport", int(self._is_shared)),
            ("grpc.max_receive_message_length", self._max_body_bytes),
            ("grpc.max_metadata_size", self._limits.header_bytes),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_MS),
        ]
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=self._limits.grpc_calls)
        self._server.add_generic_rpc_handlers((self._servicer,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            port = self._server.add_insecure_port(f"{self._address}:{self._port}")
        except RuntimeError as error:
            raise ConfigError([f"server.grpc_port: cannot listen: {error}"]) from error
        self._health_updates = asyncio.create_task(self._update_health())
        await self._server.start()
        return port

    async def stop(self, seconds: float) -> None:
        """Refuse new calls, and let those under way finish.

        The library cancels calls that arrive between its end and the moment at which callers hear of it. So answers
        are held for a moment: callers that wait for theirs make no new calls, and hear of the end before they get them.
        """
        self._health_updates.cancel()
        await self._health.enter_graceful_shutdown()
        self._servicer.hold_answers()
        held = min(MAX_HOLD_SECONDS, seconds / 4)
        await self._wait_for_quiet(held)
        stopping = asyncio.create_task(self._server.stop(seconds - held))
        await asyncio.sleep(FAREWELL_SECONDS)
        self._servicer.release_answers()
        await stopping

    async def _wait_for_quiet(self, seconds: float) -> None:
        """Wait until callers wait for their answers. A tick that takes too long tells nothing: the machine is busy."""
        now, quiet = time.monotonic(), 0
        latest = now + seconds
        while quiet < QUIET_TICKS and now < latest:
            before = now
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            quiet = quiet + 1 if self._servicer.held_at < before and now - before < 2 * TICK_SECONDS else 0

    async def _update_health(self) -> None:
        """Set the health service's status until this replica is ready, which it then remains."""
        is_ready = False
        while not is_ready:
            is_ready = self._is_ready()
            status = HealthCheckResponse.SERVING if is_ready else HealthCheckResponse.NOT_SERVING
            for service in HEALTH_SERVICES:
                await self._health.set(service, status)
            if not is_ready:
                await asyncio.sleep(READINESS_POLL_SECONDS)


def _insist_on_free_port(server: ServerSection) -> None:
    """Check the port before anything is started; the library only logs that it is taken.

    Raises:
        ConfigError: when the port is taken.
    """
    try:
        open_port(server.host, server.grpc_port or 0).close()
    except OSError as error:
        raise ConfigError([f"server.grpc_port: cannot listen: {error.strerror}"]) from error
