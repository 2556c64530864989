"""Raw bytes in place of HTTP against a running server: none gets a 500, and none costs other callers anything.

A good caller beside them is answered within a second each time, and the memory stays below the bound that the server
prints at its start. The generator has a fixed seed; `make fuzz` sends many more conversations, from a seed of its own.
"""

import os
import re
import socket
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.configs import write_config
from tests.support.fuzz.good_client import GoodClient, peak_bytes
from tests.support.fuzz.mutations import seeded
from tests.support.fuzz.raw_bytes import Conversation, Ending, conversations
from tests.support.servers import serving
from tests.support.serving.model_pairs import all_pairs
from tightrope.service.config.loader import load
from tightrope.service.transport.memory_bound import memory_bound

CONVERSATIONS = int(os.environ.get("FUZZ_REQUESTS", "1000"))
SEED = int(os.environ.get("FUZZ_SEED", "15"))
STATUS = re.compile(rb"(?:^|\n|\}|\])HTTP/1\.1 (\d{3}) ")
RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""SO_LINGER that resets a connection when it is closed."""
CALLERS = 8
MOST_HELD = 24
LIMIT_SECONDS = 2
CONNECTIONS = {"connections": 64, "connections_per_peer": 64}
SECONDS = {"head_seconds": LIMIT_SECONDS, "body_seconds": LIMIT_SECONDS}
LIMITS = {"max_body_bytes": 256 * 1024, "limits": {"decodings": 1, **CONNECTIONS, **SECONDS}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration with narrow limits."""
    pairs = {"plain": all_pairs(tmp_path)["plain"]}
    return write_config(tmp_path, {"models": pairs, "state": "state", "server": {"port": 0, **LIMITS}})


class RawSender:
    """Has conversations, and counts the statuses of their answers; ``bad`` has those that are the server's fault."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.statuses: Counter[int] = Counter()
        self.bad: list[tuple[Conversation, bytes]] = []
        self._target = (parts.hostname, parts.port)
        self._held: deque[socket.socket] = deque()

    def converse(self, conversation: Conversation) -> None:
        """Have one conversation."""
        pieces, ending = conversation
        connection = socket.create_connection(self._target, 30.0)
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            if ending is Ending.SENDS_NO_MORE:
                connection.shutdown(socket.SHUT_WR)
                while data := connection.recv(65_536):
                    answer += data
        except TimeoutError:
            self.bad.append((conversation, answer))
        except OSError:  # it was refused, and sent on
            pass
        finally:
            self._end(connection, ending)
        self._count(conversation, answer)

    def _count(self, conversation: Conversation, answer: bytes) -> None:
        statuses = [int(status) for status in STATUS.findall(answer)]
        self.statuses.update(statuses)
        if {status for status in statuses if status >= 500} - {503}:
            self.bad.append((conversation, answer))

    def close(self) -> None:
        """Read what the server says on the connections that are held, and close them."""
        deadline = time.monotonic() + 2 * LIMIT_SECONDS
        while self._held:
            with self._held.popleft() as connection, suppress(TimeoutError, ConnectionError):
                connection.settimeout(max(0.05, deadline - time.monotonic()))
                answer = b""
                while data := connection.recv(65_536):
                    answer += data
                self._count(([], Ending.STAYS), answer)

    def _end(self, connection: socket.socket, ending: Ending) -> None:
        if ending is Ending.STAYS:
            self._held.append(connection)
            if len(self._held) > MOST_HELD:
                self._held.popleft().close()
            return
        if ending is Ending.RESETS:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()


def test_raw_bytes_are_no_fault_of_the_server(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Framings that contradict each other, halves, upgrades, other protocols, and noise."""
    with serving(path) as server:
        sender = RawSender(server.address)
        with GoodClient(server) as good, ThreadPoolExecutor(CALLERS) as callers:
            before = peak_bytes(server)
            for _ in callers.map(sender.converse, conversations(seeded(SEED), CONVERSATIONS)):
                pass
            sender.close()
            good.assert_served()
        growth = peak_bytes(server) - before
        assert server.stop() == 0
    assert sender.bad == []
    assert {200, 400, 404, 405, 408, 413, 414, 431} <= {*sender.statuses}, sender.statuses
    assert growth < memory_bound(load(path, {}).server)
    assert "Traceback" not in capfd.readouterr().err
