"""A way to Kafka that takes its time: a SOCKS 5 proxy on this machine which holds back whatever goes to the server."""

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGREED = b"\x05\x00"
CONNECTED = b"\x05\x00\x00\x01" + bytes(6)
IPV4 = 1


class Proxy:
    """Passes connections on; what a client sends arrives ``delay`` seconds later, as on a long and wide road."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.url = ""
        self.connections = 0

    async def serve(self, listening: threading.Event, over: asyncio.Event) -> None:
        """Until it is over."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.url = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        listening.set()
        async with server:
            await over.wait()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await _greeted(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        self.connections += 1
        await asyncio.gather(self._later(reader, back), _at_once(there, writer))

    async def _later(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await _read(reader):
            loop.call_later(self.delay, writer.write, data)
        loop.call_later(self.delay, writer.close)


async def _greeted(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The connection that a client asks for (RFC 1928: no password, an IPv4 address)."""
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(AGREED)
    _, _, _, kind, *address, port = struct.unpack("!BBBB4BH", await reader.readexactly(10))
    assert kind == IPV4
    found = await asyncio.open_connection(".".join(map(str, address)), port)
    writer.write(CONNECTED)
    return found


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(1 << 16)
    except OSError:
        return b""


async def _at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await _read(reader):
        writer.write(data)
    writer.close()


@contextmanager
def proxy() -> Iterator[Proxy]:
    """A proxy in a thread, until the block ends."""
    made, listening = Proxy(), threading.Event()
    with asyncio.Runner() as runner:
        over = asyncio.Event()
        thread = threading.Thread(target=lambda: runner.run(made.serve(listening, over)))
        thread.start()
        listening.wait()
        try:
            yield made
        finally:
            runner.get_loop().call_soon_threadsafe(over.set)
            thread.join()
