import asyncio
import os
import socket
from pathlib import Path

import pytest

from tests.support.harmful_pair import config
from tests.support.servers import write_config
from tightrope.service.config.loader import ConfigError, load
from tightrope.serving.server import STOP_SECONDS, HttpServer, Listening, hold, listen
from tightrope.wiring.embedded import wire_up


def test_port_in_use_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """Found before anything is started; the line says which address."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts = wire_up(settings)
    first = HttpServer(settings.server, parts.service.app)
    taken = first._listener.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"cannot listen: Address already in use.*{taken}"):
        HttpServer(settings.server.model_copy(update={"port": taken}), parts.service.app)
    first._listener.close()
    parts.store.close()


def test_server_announces_where_it_listens_and_drains(tmp_path: Path) -> None:
    """Told to stop as soon as it is ready, it has listened on the address that it announced."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts = wire_up(settings)
    server = HttpServer(settings.server, parts.service.app)
    port = server._listener.getsockname()[1]
    told: list[Listening] = []

    def ready(at: Listening) -> None:
        told.append(at)
        server.should_exit = True

    parts.start()
    server.serve_until_told(ready)
    parts.stop()
    assert told == [Listening("127.0.0.1", port)]


class Other:
    """A server of another transport: remembers when it was started and stopped."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.seconds = 0.0

    async def start(self) -> int:
        """Listen."""
        self.told.append("started")
        return 8001

    async def stop(self, seconds: float) -> None:
        """Finish."""
        self.told.append("stopping")
        self.seconds = seconds
        await asyncio.sleep(0.1)
        self.told.append("stopped")


def test_other_transport_runs_as_long_as_the_server(tmp_path: Path) -> None:
    """It listens before anybody is told that the server is ready, and has finished when the server has."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts, other = wire_up(settings), Other()
    server = HttpServer(settings.server, parts.service.app, other)

    def ready(at: Listening) -> None:
        other.told.append(f"ready on {at.grpc}")
        server.should_exit = True

    parts.start()
    server.serve_until_told(ready)
    parts.stop()
    assert other.told == ["started", "ready on 127.0.0.1:8001", "stopping", "stopped"]
    assert other.seconds == STOP_SECONDS


def test_addresses_are_told_as_they_are_asked() -> None:
    """IPv6 in brackets; without gRPC there is no word of it."""
    assert Listening("127.0.0.1", 80).addresses == {"address": "http://127.0.0.1:80"}
    assert Listening("::1", 80, 81).addresses == {"address": "http://[::1]:80", "grpc": "[::1]:81"}


def test_listener_of_others_is_served_and_stays_theirs(tmp_path: Path) -> None:
    """It stands in the place of one of its own; who gave it can go on with it."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    with listen(settings.server) as shared:
        told: list[Listening] = []
        for _ in range(2):
            parts = wire_up(settings)
            server = HttpServer(
                settings.server, parts.service.app, listener=socket.socket(fileno=os.dup(shared.fileno()))
            )

            def ready(at: Listening, server: HttpServer = server) -> None:
                told.append(at)
                server.should_exit = True

            parts.start()
            server.serve_until_told(ready)
            parts.stop()
        assert told == [Listening("127.0.0.1", shared.getsockname()[1])] * 2


def test_port_that_is_held_is_nobody_elses_and_takes_nothing() -> None:
    """Only who shares it can listen there; until somebody does, callers are refused."""
    with hold("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(ConfigError, match=r"server\.grpc_port: cannot listen: Address already in use"):
            hold("127.0.0.1", port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        with socket.socket() as sharer:
            sharer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sharer.bind(("127.0.0.1", port))
            sharer.listen()
            socket.create_connection(("127.0.0.1", port)).close()
