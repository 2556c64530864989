"""A way to Kafka that takes its time: a SOCKS 5 proxy on this machine which holds back whatever goes to the server."""

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

AGREED = b"\x05\x00"
CONNECTED = b"\x05\x00\x00\x01" + bytes(6)
"""Of RFC 1928: no password is asked for, and the server is there."""

Waiting = asyncio.Queue[tuple[float, bytes]]


class Proxy:
    """Passes connections on; what a client sends arrives ``delay`` seconds later, as on a long and wide road."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.url = ""
        self.listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None

    async def serve(self) -> None:
        """Until it is told to stop."""
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.url = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.listening.set()
        await self._over.wait()
        server.close()

    def stop(self) -> None:
        """With all connections."""
        assert self._loop is not None
        assert self._over is not None
        self._loop.call_soon_threadsafe(self._over.set)

    async def _pass_on(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        waiting: Waiting = asyncio.Queue()
        with suppress(OSError, asyncio.IncompleteReadError):
            server, there = await _asked_for(client, back)
            await asyncio.gather(self._hold(client, waiting), _deliver(waiting, there), _return(server, back))

    async def _hold(self, client: asyncio.StreamReader, waiting: Waiting) -> None:
        """Nothing comes back from here before it is due."""
        while data := await _read(client):
            waiting.put_nowait((asyncio.get_running_loop().time() + self.delay, data))
        waiting.put_nowait((0.0, b""))


async def _asked_for(
    client: asyncio.StreamReader, back: asyncio.StreamWriter
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The connection that a client wants, to an IPv4 address."""
    _, methods = await client.readexactly(2)
    await client.readexactly(methods)
    back.write(AGREED)
    *_, a, b, c, d, port = struct.unpack("!BBBBBBBBH", await client.readexactly(10))
    found = await asyncio.open_connection(f"{a}.{b}.{c}.{d}", port)
    back.write(CONNECTED)
    return found


async def _deliver(waiting: Waiting, there: asyncio.StreamWriter) -> None:
    """In order, each when it is due."""
    while True:
        due, data = await waiting.get()
        if not data:
            break
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        there.write(data)
    there.close()


async def _return(server: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    while data := await _read(server):
        back.write(data)
    back.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(1 << 16)
    except OSError:
        return b""


@contextmanager
def proxy() -> Iterator[Proxy]:
    """A proxy in a thread, until the block ends."""
    made = Proxy()
    thread = threading.Thread(target=lambda: asyncio.run(made.serve()))
    thread.start()
    made.listening.wait()
    try:
        yield made
    finally:
        made.stop()
        thread.join()
