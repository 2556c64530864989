"""With bodies of 100 MB, and callers that leave or stall, memory stays bounded and other callers are served."""

import contextlib
import json
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from tests.support.servers import Server
from tests.support.serving.service_harness import AUTH, LENGTH, BackgroundClient

MB = 1 << 20
FLOOD = 100 * MB
MOST_GROWTH = 150 * MB
SECONDS = 10.0
INFER, ORDER = "/v2/models/plain/infer", "/v1/models/modes/force-safe"


class Memory:
    """Bytes of a server's process, and their peak since this was made."""

    def __init__(self, server: Server) -> None:
        self._process = Path(f"/proc/{server.process.pid}")
        with contextlib.suppress(OSError):  # where it is not allowed, the peak so far is the older one
            (self._process / "clear_refs").write_text("5")
        self._before = self._read("VmRSS")

    def growth(self) -> int:
        """The peak beyond the bytes held before."""
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        return int((self._process / "status").read_text().split(f"{name}:")[1].split()[0]) * 1024


def chunks() -> Iterator[bytes]:
    """A body of 100 MB in chunks."""
    piece = b"[" * MB
    for _ in range(FLOOD // MB):
        yield piece


@pytest.fixture(scope="module")
def neighbour(server: Server) -> Iterator[BackgroundClient]:
    """Valid requests in the background."""
    with BackgroundClient(server.address) as somebody:
        yield somebody


@pytest.mark.parametrize("length", [True, False], ids=["Content-Length", "chunked"])
@pytest.mark.parametrize(
    ("path", "headers"),
    [(INFER, {}), (INFER, {"Content-Encoding": "gzip"}), (ORDER, {}), (ORDER, AUTH), ("/v2/nope", {})],
    ids=["infer", "infer, compressed", "order without token", "order", "nothing there"],
)
def test_flood_is_refused_and_not_kept(
    server: Server, neighbour: BackgroundClient, path: str, headers: dict[str, str], *, length: bool
) -> None:
    """413 in bounded time, on every path; memory does not grow with the body."""
    memory = Memory(server)
    began = time.monotonic()
    announced = {"Content-Length": str(FLOOD)} if length else {}
    answer = httpx.post(server.address + path, content=chunks(), headers={**headers, **announced}, timeout=60.0)
    assert time.monotonic() - began < SECONDS
    assert answer.status_code == 413
    assert answer.json()["error"].startswith("the body has more than ")
    assert memory.growth() < MOST_GROWTH
    neighbour.is_served()


def test_compressed_bomb_is_refused(server: Server, neighbour: BackgroundClient) -> None:
    """Half a gigabyte of zeros in two megabytes: inflating stops at the limit."""
    packer = zlib.compressobj(level=1)
    bomb = b"".join([*(packer.compress(bytes(MB)) for _ in range(512)), packer.flush()])
    memory = Memory(server)
    answer = httpx.post(server.address + INFER, content=bomb, headers={"Content-Encoding": "deflate"}, timeout=60.0)
    assert answer.status_code == 413
    assert answer.json()["error"] == (
        "the body inflates to more than 16777216 bytes, which is the most that is taken (server.max_body_bytes)"
    )
    assert memory.growth() < MOST_GROWTH
    neighbour.is_served()


def test_caller_that_expects_continue_is_refused_before_it_sends(server: Server) -> None:
    """Expect: 100-continue, as curl sends it: the response comes without a byte of the body."""
    with connected(server) as line:
        line.sendall(head(f"Content-Length: {FLOOD}\r\nExpect: 100-continue"))
        assert line.recv(4096).startswith(b"HTTP/1.1 413")


def head(headers: str) -> bytes:
    """The head of an inference request."""
    return f"POST {INFER} HTTP/1.1\r\nHost: test\r\n{headers}\r\n\r\n".encode()


def connected(server: Server) -> socket.socket:
    """A bare connection."""
    address = urlsplit(server.address)
    return socket.create_connection((address.hostname, address.port), timeout=30.0)


@pytest.mark.parametrize("headers", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_callers_that_disconnect_leave_nothing_behind(
    server: Server, neighbour: BackgroundClient, headers: str
) -> None:
    """Many of them: the server goes on, and counts none of their requests."""
    before = requests(server)
    for _ in range(50):
        with connected(server) as line:
            line.sendall(head(headers) + (b"5\r\n[[[[[\r\n" if "chunked" in headers else b"[[[[["))
    neighbour.is_served()
    assert requests(server) == before


def requests(server: Server) -> list[str]:
    """The number of bad requests counted for this model."""
    lines = httpx.get(server.address + "/metrics").text.splitlines()
    return [line for line in lines if line.startswith("tightrope_requests_total") and "_error" in line]


def test_slow_callers_delay_no_other(server: Server, neighbour: BackgroundClient) -> None:
    """A body that comes byte by byte is answered once it is complete."""
    lines = [connected(server) for _ in range(20)]
    for line in lines:
        line.sendall(head("Content-Length: 2") + b"{")
    neighbour.is_served()
    for line in lines:
        line.sendall(b"}")
        assert line.recv(4096).startswith(b"HTTP/1.1 400")
        line.close()


def test_large_batch_does_not_stop_the_event_loop(server: Server) -> None:
    """A request at the limit runs in a thread: health is answered meanwhile, or an orchestrator would restart the
    server.
    """
    rows = 1_900_000
    tensor = {"name": "input", "shape": [rows, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8 * rows}}
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    content = text + np.ones((rows, 2), "<f4").tobytes()
    with BackgroundClient(server.address, live) as watch:
        began = time.monotonic()
        answer = httpx.post(server.address + INFER, content=content, headers={LENGTH: str(len(text))}, timeout=60.0)
        took = time.monotonic() - began
    assert answer.status_code == 200
    assert watch.failures == []
    assert watch.slowest < took / 2


def live(client: httpx.Client) -> bool:
    """Call the liveness page, as an orchestrator does."""
    return client.get("/v2/health/live").status_code == httpx.codes.OK
