"""The link of a relay, by sockets of this host."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tightrope.offline.qualification.stress.relay import LinkDirection, LinkShape, Relay, relayed

DELAY = 0.3


@contextmanager
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets, and ends a connection when its caller does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer(connection: socket.socket) -> None:
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[:2]
        listener.shutdown(socket.SHUT_RDWR)


def connect(relay: Relay) -> socket.socket:
    """A connection to the relay."""
    host, port = relay.address.split(":")
    return socket.create_connection((host, int(port)), 10.0)


def receive(connection: socket.socket, size: int) -> bytes:
    """Bytes of this number, or those until the end."""
    found = b""
    while len(found) < size and (data := connection.recv(size - len(found))):
        found += data
    return found


def test_everything_arrives_in_order_and_ends_arrive_too() -> None:
    """More than fits into any buffer; the end of one side is the end of the other."""
    sent = bytes(range(256)) * 8192
    with echo() as server, relayed(*server, LinkShape("plain")) as relay, connect(relay) as connection:
        writer = threading.Thread(target=connection.sendall, args=(sent,))
        writer.start()
        assert receive(connection, len(sent)) == sent
        writer.join()
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def test_answers_come_later_by_the_delay() -> None:
    """Once for each answer, not for each piece of it."""
    with echo() as server, relayed(*server, LinkShape("slow", delay=DELAY)) as relay, connect(relay) as connection:
        for _ in range(2):
            begin = time.monotonic()
            connection.sendall(b"x" * 100_000)
            receive(connection, 100_000)
            assert DELAY <= time.monotonic() - begin < 2 * DELAY


def test_narrow_link_takes_its_time() -> None:
    """Both directions have the rate of their own."""
    shape = LinkShape("narrow", bytes_per_second=100_000)
    with echo() as server, relayed(*server, shape) as relay, connect(relay) as connection:
        begin = time.monotonic()
        connection.sendall(b"x" * 50_000)
        assert len(receive(connection, 50_000)) == 50_000
        assert time.monotonic() - begin >= 0.5


def test_rate_is_shared_by_what_is_sent_together() -> None:
    """One piece waits for the one before it, and an idle link saves nothing up."""
    direction = LinkDirection(bytes_per_second=10.0, delay=0.5)
    assert [direction.due(now, 10) for now in (0.0, 0.0, 0.5, 9.0)] == [1.5, 2.5, 3.5, 10.5]


def test_cut_link_is_open_and_silent() -> None:
    """Nothing reaches the server, nothing comes back, and no end of the connection tells it."""
    with echo() as server, relayed(*server, LinkShape("cut", is_cut=True)) as relay, connect(relay) as connection:
        connection.sendall(b"hello")
        connection.settimeout(DELAY)
        with pytest.raises(TimeoutError):
            connection.recv(1)


@pytest.mark.parametrize("shape", [LinkShape("cut", is_cut=True), LinkShape("slow", delay=60.0)])
def test_closing_ends_waiting_callers_at_once(shape: LinkShape) -> None:
    """They do not wait for what is under way; closing again does nothing."""
    with echo() as server:
        relay = Relay(*server, shape)
        relay.start()
        with connect(relay) as connection:
            connection.sendall(b"hello")
            relay.close()
            begin = time.monotonic()
            with suppress(ConnectionError):
                assert connection.recv(1) == b""
            assert time.monotonic() - begin < 5.0
        relay.close()
        with pytest.raises(OSError, match="refused"):
            connect(relay)


def test_server_that_is_gone_ends_the_connection() -> None:
    """As a refused connection does."""
    with echo() as server:
        gone = server
    with relayed(*gone, LinkShape("plain")) as relay, connect(relay) as connection, suppress(ConnectionError):
        assert connection.recv(1) == b""
