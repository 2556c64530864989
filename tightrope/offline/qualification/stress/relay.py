"""A relay of TCP connections in this process, whose link is slow, narrow or cut.

How it works. Each connection to the relay is one to the server. What either side sends waits in a queue until it is
due: first until the link has carried all before it, at its rate, and what the server sends then for the delay. A cut
link keeps connections open, and carries nothing: a caller learns of it by its own time limit alone, as where a cable is
pulled. The relay runs in a thread of its own, and ends all connections when it is closed.
"""

import asyncio
import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

RELAYED_BYTES = 16 * 1024
MOST_WAITING = 64
"""Pieces that wait in one direction of a connection; a sender that is faster than the link waits, too."""

START_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LinkShape:
    """A link by its ``name`` for people: ``delay`` is in seconds, and lies on the way from the server;
    ``bytes_per_second`` holds for each direction, over all connections.
    """

    name: str
    delay: float = 0.0
    bytes_per_second: float = math.inf
    is_cut: bool = False


@dataclass(slots=True)
class LinkDirection:
    """One direction of a link, which carries one piece after the other."""

    bytes_per_second: float
    delay: float
    _free_at: float = field(default=-math.inf, init=False)

    def due(self, now: float, size: int) -> float:
        """The time at which a piece of ``size`` bytes arrives that is sent ``now``.

        >>> narrow = LinkDirection(bytes_per_second=100.0, delay=1.0)
        >>> narrow.due(10.0, 50), narrow.due(10.0, 50), narrow.due(20.0, 100)
        (11.5, 12.0, 22.0)
        """
        self._free_at = max(now, self._free_at) + size / self.bytes_per_second
        return self._free_at + self.delay


class Relay:
    """Listens on a free port of this host, and connects to a server through the link."""

    def __init__(self, host: str, port: int, shape: LinkShape) -> None:
        self.address = ""
        self._server = host, port
        self._is_cut = shape.is_cut
        self._there = LinkDirection(shape.bytes_per_second, 0.0)
        self._back = LinkDirection(shape.bytes_per_second, shape.delay)
        self._connections: dict[asyncio.Task[None], socket.socket] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="relay", daemon=True)

    def start(self) -> None:
        """Start, and wait until it listens.

        Raises:
            OSError: when it cannot listen.
        """
        self._thread.start()
        if not self._listening.wait(START_SECONDS):
            raise OSError("the relay does not listen")

    def close(self) -> None:
        """End all connections. It may be called again."""
        if self._loop is not None and self._over is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(0.0)
            self.address = f"127.0.0.1:{listener.getsockname()[1]}"
            self._listening.set()
            self._loop.add_reader(listener, self._accept, listener)
            await self._over.wait()
            self._loop.remove_reader(listener)
            running, opened = [*self._connections], [*self._connections.values()]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for connection in opened:
            connection.close()  # that of a task that was cancelled before it began

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the caller is gone already
            connection, _ = listener.accept()
            connection.settimeout(0.0)
            task = asyncio.get_running_loop().create_task(self._carry_both(connection))
            self._connections[task] = connection
            task.add_done_callback(self._connections.pop)

    async def _carry_both(self, connection: socket.socket) -> None:
        """Carry one connection until either side ends."""
        reader, writer = await asyncio.open_connection(sock=connection)
        opened = [writer]
        try:
            if self._is_cut:
                await asyncio.Event().wait()
            server_reader, server_writer = await asyncio.open_connection(*self._server)
            opened.append(server_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, server_writer, self._there))
                both.create_task(_carry(server_reader, writer, self._back))
        except* OSError:
            pass  # either side is gone: the other learns it by the end of its connection
        finally:
            for each in opened:
                each.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: LinkDirection) -> None:
    """Carry what one side sends to the other, each piece when it is due."""
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_WAITING)

    async def deliver() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    async with asyncio.TaskGroup() as both:
        both.create_task(deliver())
        now = asyncio.get_running_loop().time
        while data := await reader.read(RELAYED_BYTES):
            await waiting.put((direction.due(now(), len(data)), data))
        await waiting.put((direction.due(now(), 0), b""))


@contextmanager
def relayed(host: str, port: int, shape: LinkShape) -> Iterator[Relay]:
    """A running relay to a server.

    Raises:
        OSError: when it cannot listen.
    """
    relay = Relay(host, port, shape)
    relay.start()
    try:
        yield relay
    finally:
        relay.close()
