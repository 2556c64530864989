"""The memory and processor time of hostile requests, bounded relative to plain requests of the same size."""

import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.service.transport.http.test_asgi_floods import Memory
from tests.support.configs import write_config
from tests.support.servers import Server, serving
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.raw_caller import RawCaller

MB = 1 << 20
SIZE = 3 * MB
CALLERS = 3
SLACK_BYTES, SLACK_SECONDS = 8 * MB, 0.1
INFER = "/v2/models/m/infer"
HEAD = b'{"inputs":[{"name":"input","datatype":"FP32","shape":[%d,2],"data":['


def repeated(item: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """A body of `SIZE` bytes that repeats an item."""
    count = (SIZE - len(before) - len(after)) // len(item)
    return before + (item * count)[:-1] + after


ROWS = (SIZE - 100) // 8
PLAIN = HEAD % ROWS + (b"1.0," * 2 * ROWS)[:-1] + b"]}]}"
HOSTILE = {
    "objects": repeated(b"{},", b"[", b"]"),
    "objects as data": repeated(b"{},", HEAD % ROWS, b"]}]}"),
    "objects as inputs": repeated(b"{},", b'{"inputs":[', b"]}"),
    "objects in a field that is ignored": repeated(b"{},", b'{"x":[', b"]}"),
    "arrays": repeated(b"[],", b'{"x":[', b"]}"),
    "arrays of the greatest depth": repeated(b"[" * 29 + b"]" * 29 + b",", b'{"x":[', b"]}"),
    "parameters": repeated(b'"a":{},', b'{"parameters":{', b"}}"),
    "shape": repeated(b"{},", b'{"inputs":[{"name":"input","shape":[', b"]}]}"),
    "open arrays": b"[" * SIZE,
    "quotes": b'"' * SIZE,
    "backslashes": b'{"' + b"\\" * SIZE,
    "digits": b'{"inputs":[' + b"1" * SIZE,
}


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server with the limits of a fresh configuration."""
    folder: Path = tmp_path_factory.mktemp("roomy")
    config = write_config(folder, {"models": {"m": {**sure_and_unsure(folder), **CALM}}, "state": "state"})
    with serving(config) as running:
        yield running


class Cost:
    """The cost of a server until the block ends: bytes at its peak, and seconds of processor time."""

    def __init__(self, server: Server) -> None:
        self._stat = Path(f"/proc/{server.process.pid}/stat")
        self._memory = Memory(server)
        self._before = self._seconds()
        self.bytes = 0
        self.seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bytes, self.seconds = self._memory.growth(), self._seconds() - self._before

    def _seconds(self) -> float:
        fields = self._stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at_once(send: Callable[[], int]) -> set[int]:
    """The statuses of several callers at a time."""
    statuses: list[int] = []
    callers = [threading.Thread(target=lambda: statuses.append(send())) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(statuses) == CALLERS
    return {*statuses}


def sender(server: Server, content: bytes, **headers: str) -> Callable[[], int]:
    """Sends an inference request; returns its status."""
    return lambda: httpx.post(server.address + INFER, content=content, headers=headers, timeout=60.0).status_code


@pytest.fixture(scope="module")
def plain(roomy: Server) -> Cost:
    """The cost of plain requests, after one that makes the server's own threads and buffers."""
    assert sender(roomy, json.dumps({"inputs": []}).encode() + b" " * (2 * 65_536))() == 400
    with Cost(roomy) as cost:
        assert at_once(sender(roomy, PLAIN)) == {200}
    return cost


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_costs_at_most_half_of_plain_json(roomy: Server, plain: Cost, name: str) -> None:
    """In memory and processor time, from as many callers at a time: it is refused before it becomes objects."""
    with Cost(roomy) as cost:
        assert at_once(sender(roomy, HOSTILE[name])) == {400}
    assert cost.bytes <= plain.bytes / 2 + SLACK_BYTES
    assert cost.seconds <= plain.seconds / 2 + SLACK_SECONDS


@pytest.mark.parametrize(
    ("content", "status"),
    [(repeated(b"{},", b"[", b"]"), 400), (repeated(b"{}", b"", b"") * 4, 413), (bytes(16 * MB), 413)],
    ids=["objects", "many objects", "zeros"],
)
def test_gzip_bomb_costs_at_most_half_of_plain_json(roomy: Server, plain: Cost, content: bytes, status: int) -> None:
    """Some kilobytes that inflate to megabytes cost what these cost plain."""
    packed = gzip.compress(content)
    assert len(packed) < len(content) / 200
    with Cost(roomy) as cost:
        assert at_once(sender(roomy, packed, **{"Content-Encoding": "gzip"})) <= {status, 413}
    assert cost.bytes <= plain.bytes / 2 + SLACK_BYTES
    assert cost.seconds <= plain.seconds / 2 + SLACK_SECONDS


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nHost: h\r\nX: ", b"GET / HTTP/1.1\r\nX"])
def test_head_of_40_megabytes_costs_nothing(roomy: Server, plain: Cost, start: bytes) -> None:
    """It is refused when its limit is passed, and the rest is thrown away."""
    piece = b"x" * MB
    with Cost(roomy) as cost, RawCaller(roomy.address) as caller:
        caller.send(start)
        for _ in range(40):
            caller.send(piece)
    assert cost.bytes <= plain.bytes / 2 + SLACK_BYTES
    assert cost.seconds <= plain.seconds / 2 + SLACK_SECONDS


def test_small_pieces_of_a_body_cost_time_in_proportion(roomy: Server) -> None:
    """Chunks of one byte: twice the bytes cost twice the time, not four times."""
    seconds = []
    for count in (100_000, 200_000):
        body = b"1\r\n \r\n" * count + b"0\r\n\r\n"
        with Cost(roomy) as cost, RawCaller(roomy.address) as caller:
            caller.send(b"POST %b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" % INFER.encode() + body)
            assert caller.response()[0] == 400
        seconds.append(cost.seconds)
    assert seconds[1] <= 2.8 * seconds[0] + 0.1
