"""The acceptor goes on where descriptors run out, and leaves no connection behind that waited."""

import asyncio
import errno
import os
import resource
import socket
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest

from tightrope.serving import acceptor
from tightrope.serving.acceptor import Acceptor, allow_descriptors

CALLERS = 8


class Echo(asyncio.Protocol):
    """Answers with what it receives."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self.transport.write(data)  # type: ignore[attr-defined] # a transport of a socket


class ScarceSocket(socket.socket):
    """A listener whose next ``failures`` accepts find no descriptor."""

    failures = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept, or raise."""
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


class LateSocket(socket.socket):
    """A listener that ``callers`` call between the last accept and the close, as on a busy machine."""

    callers: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Close once each caller's kernel has sent its first segment."""
        if self.callers is not None:
            self.calls = [self.callers.submit(call, self.getsockname()) for _ in range(CALLERS)]
            time.sleep(0.2)
            self.callers = None
        super().close()


def call(address: tuple[str, int]) -> bytes:
    """The answer to one request, or the error that its caller sees."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.send(b"hello")
        return connection.recv(5)


def listen() -> ScarceSocket:
    """A listener on a free port."""
    listener = ScarceSocket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def run(test: Callable[[ScarceSocket, Acceptor], Coroutine[Any, Any, None]], *, started: bool = True) -> None:
    """Run a test with an acceptor."""

    async def whole() -> None:
        with listen() as listener:
            accepting = Acceptor(listener, Echo)
            if started:
                accepting.start()
            await asyncio.wait_for(test(listener, accepting), 20)
            if listener.fileno() >= 0:
                await accepting.close()

    asyncio.run(whole())


async def ask(address: tuple[str, int], data: bytes = b"hello") -> bytes:
    """The answer on a connection of its own."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(data)
        return await reader.read(4096)
    finally:
        writer.close()


def test_connections_are_answered() -> None:
    """Many at once, too."""

    async def test(listener: ScarceSocket, _: Acceptor) -> None:
        answers = await asyncio.gather(*[ask(listener.getsockname(), b"%d" % number) for number in range(200)])
        assert answers == [b"%d" % number for number in range(200)]

    run(test)


@pytest.mark.parametrize("failures", [1, 2, 5])
def test_failed_accept_ends_nothing(failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is refused with a 503 by the spare descriptor, or waits a moment; the next one is answered."""
    monkeypatch.setattr(acceptor, "REST_SECONDS", 0.01)

    async def test(listener: ScarceSocket, _: Acceptor) -> None:
        listener.failures = failures
        first = await ask(listener.getsockname())
        assert first == b"hello" or first.startswith(b"HTTP/1.1 503 ")
        assert (await ask(listener.getsockname()), listener.failures) == (b"hello", 0)

    run(test)


def test_failed_accept_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """In one line that names the cause; callers can repeat it."""

    async def test(listener: ScarceSocket, _: Acceptor) -> None:
        for failures in (1, 1, 1):
            listener.failures = failures
            assert b"no descriptors left" in await ask(listener.getsockname())

    run(test)
    assert [record.getMessage() for record in caplog.records] == [
        "connections are refused, because descriptors run out: [Errno 24] Too many open files (see ulimit -n)"
    ]


def test_last_descriptors_are_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that would take one is refused; once others are closed, connections are accepted again."""

    async def test(listener: ScarceSocket, _: Acceptor) -> None:
        free = [os.dup(listener.fileno()) for _ in range(8)]  # not in order: others were closed before
        for each in free:
            os.close(each)
        most = 4 * (max(free) + 12) // 3  # a quarter is kept back
        monkeypatch.setattr(resource, "getrlimit", lambda _: (most, most))
        held = [socket.create_connection(listener.getsockname()) for _ in range(12)]
        assert b"no descriptors left" in await ask(listener.getsockname())
        for each in held:
            each.close()
        answers = [await ask(listener.getsockname()) for _ in range(100)]  # the server closes its ends meanwhile
        assert answers[-1] == b"hello"

    run(test)


def test_waiting_connections_are_accepted_before_the_end() -> None:
    """Each was made before the port was closed, and gets its answer; afterwards there is no port."""

    async def test(listener: ScarceSocket, accepting: Acceptor) -> None:
        address = listener.getsockname()
        accepting.start()
        waiting = [socket.create_connection(address) for _ in range(100)]
        for each in waiting:
            each.send(b"hello")
        await accepting.close()
        await asyncio.sleep(0.05)
        assert [each.recv(5) for each in waiting] == [b"hello"] * 100
        for each in waiting:
            each.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)

    run(test, started=False)


@pytest.mark.parametrize("others", [0, 1])
def test_callers_between_the_last_accept_and_the_close_lose_no_request(others: int) -> None:
    """They are refused before they send it, or answered by another process that shares the port."""

    async def whole() -> list[bytes | BaseException]:
        closing, *_ = listeners = [LateSocket() for _ in range(1 + others)]
        for each in listeners:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.bind(closing.getsockname() if each is not closing else ("127.0.0.1", 0))
        acceptors = [Acceptor(each, Echo) for each in listeners]
        for accepting in acceptors:
            accepting.start()
        with ThreadPoolExecutor(CALLERS) as closing.callers:
            await acceptors[0].close()
            answers = await asyncio.gather(*map(asyncio.wrap_future, closing.calls), return_exceptions=True)
        for accepting in acceptors[1:]:
            await accepting.close()
        return answers

    answers = asyncio.run(whole())
    if others:
        assert answers == [b"hello"] * CALLERS
    else:
        assert [type(each) for each in answers] == [ConnectionRefusedError] * CALLERS


def test_process_that_ends_alone_leaves_a_shared_socket_open() -> None:
    """Processes that inherited one socket go on with it: a filter would stay on it, and refuse all callers."""

    async def whole() -> bytes:
        with listen() as listener, listener.dup() as inherited:
            ending, other = (Acceptor(each, Echo, shared=True) for each in (listener, inherited))
            address = listener.getsockname()
            ending.start()
            other.start()
            await ending.close()
            answer = await asyncio.wait_for(ask(address), 10)
            await other.close()
            return answer

    assert asyncio.run(whole()) == b"hello"


def test_closing_while_it_rests_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not resume on a closed port."""
    monkeypatch.setattr(acceptor, "REST_SECONDS", 0.02)

    async def test(listener: ScarceSocket, accepting: Acceptor) -> None:
        listener.failures = 1000
        with socket.create_connection(listener.getsockname()):
            await asyncio.sleep(0.01)
            await accepting.close()
            await asyncio.sleep(0.1)
        assert accepting._resting is None or accepting._resting.cancelled()

    run(test)


def test_connection_that_ends_at_once_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that cannot be opened."""

    def broken() -> NoReturn:
        raise OSError("gone")

    async def test(listener: ScarceSocket, accepting: Acceptor) -> None:
        monkeypatch.setattr(accepting, "_make", broken)
        assert await ask(listener.getsockname()) == b""
        monkeypatch.setattr(accepting, "_make", Echo)
        assert await ask(listener.getsockname()) == b"hello"

    run(test)


def test_process_may_have_as_many_descriptors_as_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit becomes the hard one; a system that forbids it changes nothing."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
    allow_descriptors()
    assert limits == [(4096, 4096)]

    def forbidden(*_: object) -> NoReturn:
        raise ValueError

    monkeypatch.setattr(resource, "setrlimit", forbidden)
    allow_descriptors()
