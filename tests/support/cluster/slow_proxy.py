"""A slow connection to Kafka: a SOCKS 5 proxy on this machine that delays all data to the server."""

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

AGREED = b"\x05\x00"
CONNECTED = b"\x05\x00\x00\x01" + bytes(6)
"""Replies of RFC 1928: no authentication required, and connection succeeded."""

Waiting = asyncio.Queue[tuple[float, bytes]]


class SlowProxy:
    """Forwards connections; a client's data arrive ``delay`` seconds later, at full bandwidth."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.url = ""
        self.listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None

    async def serve(self) -> None:
        """Serve until `stop`."""
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.url = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.listening.set()
        await self._over.wait()
        server.close()

    def stop(self) -> None:
        """Stop, and close all connections."""
        assert self._loop is not None
        assert self._over is not None
        self._loop.call_soon_threadsafe(self._over.set)

    async def _pass_on(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        waiting: Waiting = asyncio.Queue()
        with suppress(OSError, asyncio.IncompleteReadError):
            server, there = await _connect(client, back)
            await asyncio.gather(self._hold(client, waiting), _deliver(waiting, there), _return(server, back))

    async def _hold(self, client: asyncio.StreamReader, waiting: Waiting) -> None:
        """Queue the client's data with the time at which each part is due."""
        while data := await _read(client):
            waiting.put_nowait((asyncio.get_running_loop().time() + self.delay, data))
        waiting.put_nowait((0.0, b""))


async def _connect(
    client: asyncio.StreamReader, back: asyncio.StreamWriter
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open the connection that a client requests, to an IPv4 address."""
    _, methods = await client.readexactly(2)
    await client.readexactly(methods)
    back.write(AGREED)
    *_, a, b, c, d, port = struct.unpack("!BBBBBBBBH", await client.readexactly(10))
    server = await asyncio.open_connection(f"{a}.{b}.{c}.{d}", port)
    back.write(CONNECTED)
    return server


async def _deliver(waiting: Waiting, there: asyncio.StreamWriter) -> None:
    """Send queued data in order, each part when it is due."""
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
def slow_proxy() -> Iterator[SlowProxy]:
    """A proxy in a thread."""
    running = SlowProxy()
    thread = threading.Thread(target=lambda: asyncio.run(running.serve()))
    thread.start()
    running.listening.wait()
    try:
        yield running
    finally:
        running.stop()
        thread.join()
