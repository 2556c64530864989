import asyncio
import os
import socket
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.service.config.loader import ConfigError, load
from tightrope.serving.server import HttpServer, ListenAddress, listen, reserve_port
from tightrope.wiring.embedded import build_embedded


def test_port_in_use_is_a_configuration_error(tmp_path: Path) -> None:
    """It is reported before anything is started, with the address."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts = build_embedded(settings)
    first = HttpServer(settings.server, parts.service.app)
    taken = first._listener.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"cannot listen: Address already in use.*{taken}"):
        HttpServer(settings.server.model_copy(update={"port": taken}), parts.service.app)
    first._listener.close()
    parts.store.close()


def test_server_reports_its_address(tmp_path: Path) -> None:
    """It listens on that address, and stops when it is told to."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts = build_embedded(settings)
    server = HttpServer(settings.server, parts.service.app)
    port = server._listener.getsockname()[1]
    addresses: list[ListenAddress] = []

    def ready(address: ListenAddress) -> None:
        addresses.append(address)
        server.should_exit = True

    parts.start()
    server.serve_until_stopped(ready)
    parts.stop()
    assert addresses == [ListenAddress("127.0.0.1", port)]


class OtherServer:
    """A server of another transport that records its start and stop."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.seconds = 0.0

    async def start(self) -> int:
        """Listen."""
        self.calls.append("started")
        return 8001

    async def stop(self, seconds: float) -> None:
        """Finish."""
        self.calls.append("stopping")
        self.seconds = seconds
        await asyncio.sleep(0.1)
        self.calls.append("stopped")


def test_other_transport_runs_with_the_server(tmp_path: Path) -> None:
    """It listens before the server is reported as ready, and has finished when the server has."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts, other = build_embedded(settings), OtherServer()
    server = HttpServer(settings.server, parts.service.app, other)

    def ready(address: ListenAddress) -> None:
        other.calls.append(f"ready on {address.grpc}")
        server.should_exit = True

    parts.start()
    server.serve_until_stopped(ready)
    parts.stop()
    assert other.calls == ["started", "ready on 127.0.0.1:8001", "stopping", "stopped"]
    assert other.seconds == settings.server.drain_seconds / 2


def test_addresses_as_json() -> None:
    """IPv6 is in brackets; without gRPC the key is missing."""
    assert ListenAddress("127.0.0.1", 80).addresses == {"address": "http://127.0.0.1:80"}
    assert ListenAddress("::1", 80, 81).addresses == {"address": "http://[::1]:80", "grpc": "[::1]:81"}


def test_shared_listener_survives_the_server(tmp_path: Path) -> None:
    """It replaces the server's own, and can be used again."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    with listen(settings.server) as shared:
        addresses: list[ListenAddress] = []
        for _ in range(2):
            parts = build_embedded(settings)
            server = HttpServer(
                settings.server, parts.service.app, listener=socket.socket(fileno=os.dup(shared.fileno()))
            )

            def ready(address: ListenAddress, server: HttpServer = server) -> None:
                addresses.append(address)
                server.should_exit = True

            parts.start()
            server.serve_until_stopped(ready)
            parts.stop()
        assert addresses == [ListenAddress("127.0.0.1", shared.getsockname()[1])] * 2


def test_reserved_port_is_exclusive_and_refuses_connections() -> None:
    """Only a socket with SO_REUSEPORT can listen there; until one does, connections are refused."""
    with reserve_port("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(ConfigError, match=r"server\.grpc_port: cannot listen: Address already in use"):
            reserve_port("127.0.0.1", port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.socket() as sharer:
            sharer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sharer.bind(("127.0.0.1", port))
            sharer.listen()
            socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_reserved_port_of_all_addresses_is_reserved_in_both_families() -> None:
    """Members of several processes share it; another server cannot take its IPv4 half."""
    with reserve_port("::", 0) as held:
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", held.getsockname()[1]))
        with socket.socket(socket.AF_INET6) as sharer:
            sharer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sharer.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sharer.bind(held.getsockname()[:2])
            sharer.listen()
            socket.create_connection(("127.0.0.1", held.getsockname()[1])).close()
