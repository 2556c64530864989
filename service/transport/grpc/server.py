"""A gRPC server that somebody else starts and stops: the Open Inference Protocol, and gRPC's own health service."""

import asyncio
import socket
from collections.abc import Callable

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from tightrope.service.config.loader import ConfigError, Server
from tightrope.service.transport.grpc.servicer import SERVICE, Inference

SERVICES = ("", SERVICE)
"""Whose health can be asked for: the server's as a whole, by the empty name, and the protocol's."""
LOOK_SECONDS = 0.1
"""How often is looked whether this replica is ready by now."""


class RpcServer:
    """Listens where the settings say; ``knows`` says whether this replica is ready.

    Raises:
        ConfigError: when the address is not to be had.
    """

    def __init__(self, server: Server, inference: Inference, knows: Callable[[], bool]) -> None:
        self._address = f"[{server.host}]" if ":" in server.host else server.host
        self._port = server.grpc_port or 0
        self._most = server.max_body_bytes
        self._inference = inference
        self._knows = knows
        self._shared = server.processes > 1
        if not self._shared:
            _insist_on_free(server)

    async def start(self) -> int:
        """Listen, on the event loop that runs; the port.

        Raises:
            ConfigError: when somebody took it meanwhile.
        """
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            options=[("grpc.so_reuseport", int(self._shared)), ("grpc.max_receive_message_length", self._most)]
        )
        self._server.add_generic_rpc_handlers((self._inference,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            port = self._server.add_insecure_port(f"{self._address}:{self._port}")
        except RuntimeError as error:
            raise ConfigError([f"server.grpc_port: cannot listen: {error}"]) from error
        self._telling = asyncio.create_task(self._tell())
        await self._server.start()
        return port

    async def stop(self, seconds: float) -> None:
        """Take no new calls, and let those under way finish."""
        self._telling.cancel()
        await self._health.enter_graceful_shutdown()
        await self._server.stop(seconds)

    async def _tell(self) -> None:
        """Tell the health service, which does not ask, whether this replica is ready; once it is, it stays so."""
        while True:
            known = self._knows()
            status = HealthCheckResponse.SERVING if known else HealthCheckResponse.NOT_SERVING
            for service in SERVICES:
                await self._health.set(service, status)
            if known:
                return
            await asyncio.sleep(LOOK_SECONDS)


def _insist_on_free(server: Server) -> None:
    """Found before anything is started, and told in one line; the library tells its own log instead."""
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        socket.create_server((server.host, server.grpc_port or 0), family=family).close()
    except OSError as error:
        raise ConfigError([f"server.grpc_port: cannot listen: {error.strerror}"]) from error
