"""A server whose descriptors run out goes on: kept connections are answered, and all is well afterwards."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.cluster.cluster import wait_until
from tests.support.configs import write_config
from tests.support.harmful_pair import config, request, traffic
from tests.support.servers import Server, serving

INFER = "/v2/models/m/infer"
ROW = request(traffic(1, harm=False)[0])
FEW = 128


@contextmanager
def crowded(server: Server, number: int) -> Iterator[None]:
    """Hold this many connections; the server may close them."""
    host, port = server.address.split("//")[1].split(":")
    with ExitStack() as held:
        for _ in range(number):
            held.enter_context(socket.create_connection((host, int(port)), 10))
        yield


def answers(client: httpx.Client, path: str = "") -> int:
    """The status of an inference, or of a page."""
    return (client.get(path) if path else client.post(INFER, json=ROW)).status_code


def is_well(server: Server) -> bool:
    """Whether new connections get inference, pages and metrics."""
    with httpx.Client(base_url=server.address, timeout=30.0) as client:
        return {answers(client), answers(client, "/metrics"), answers(client, "/v1/models/m")} == {200}


def allow(server: Server, descriptors: int) -> None:
    """Allow the server this many descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (descriptors, hard))


def open_descriptors(server: Server) -> int:
    """The number of open descriptors of the server."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_crowd_in_the_first_seconds_ends_nothing(tmp_path: Path, seconds: float) -> None:
    """Not while the rest of the API is loaded, either."""
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        allow(server, FEW)
        with httpx.Client(base_url=server.address, timeout=30.0) as kept:
            assert answers(kept) == 200
            time.sleep(seconds)
            with crowded(server, 2 * FEW):
                assert [answers(kept) for _ in range(10)] == [200] * 10
            wait_until(lambda: is_well(server))
        assert server.stop() == 0


def test_server_without_any_descriptor_goes_on(tmp_path: Path) -> None:
    """Neither its port nor any part of it is lost: new connections wait, and are answered later."""
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        allow(server, 1)  # before the rest of the API is loaded
        with httpx.Client(base_url=server.address, timeout=0.5) as early, suppress(httpx.TransportError):
            answers(early)
        time.sleep(0.5)
        allow(server, FEW)
        wait_until(lambda: is_well(server))
        with httpx.Client(base_url=server.address, timeout=30.0) as kept:
            assert answers(kept) == 200
            for left in (0, 1, 2, 0):
                allow(server, open_descriptors(server) + left)
                with crowded(server, 20):
                    assert [answers(kept) for _ in range(5)] == [200] * 5
                    time.sleep(0.3)
                allow(server, FEW)
                wait_until(lambda: is_well(server))
        assert server.stop() == 0
