"""A TCP proxy to Kafka that can be slow, dead or refusing, in a process of its own."""

import asyncio
import multiprocessing
import multiprocessing.connection
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

DELAY = 2.0
"""Delay of every piece of data in the slow mode, in seconds."""

MODES = ("open", "slow", "dead", "refusing")


class FaultyProxy:
    """The proxy's address, and the control of its mode."""

    def __init__(self, address: str, pipe: multiprocessing.connection.Connection) -> None:
        self.address = address
        self._pipe = pipe

    def set_mode(self, mode: str) -> None:
        """Change the mode and wait until it is in effect; `refusing` closes all connections."""
        self._pipe.send(mode)
        self._pipe.recv()


@contextmanager
def faulty_proxy(address: str, port: int) -> Iterator[FaultyProxy]:
    """Run a proxy from a port to an address, in the mode `open`, until the block ends."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(address, port, theirs), daemon=True)
    process.start()
    try:
        proxy = FaultyProxy(f"127.0.0.1:{port}", ours)
        proxy.set_mode("open")
        yield proxy
    finally:
        process.kill()


def _run(address: str, port: int, pipe: multiprocessing.connection.Connection) -> None:
    asyncio.run(_Proxy(address, port, pipe).run())


class _Proxy:
    def __init__(self, address: str, port: int, pipe: multiprocessing.connection.Connection) -> None:
        host, _, target = address.rpartition(":")
        self._target = host, int(target)
        self._port = port
        self._pipe = pipe
        self._mode = "refusing"
        self._alive = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Set the modes that the pipe sends."""
        while True:
            self._mode = await asyncio.to_thread(self._pipe.recv)
            (self._alive.clear if self._mode == "dead" else self._alive.set)()
            if self._mode == "refusing" and self._server is not None:
                self._server.close()
                self._server = None
                for task in self._tasks:
                    task.cancel()
            elif self._mode != "refusing" and self._server is None:
                self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port, family=socket.AF_INET)
            self._pipe.send(self._mode)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection(*self._target)
            for source, sink in ((reader, back), (there, writer)):
                task = asyncio.create_task(self._pass(source, sink))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                await self._alive.wait()
                if self._mode == "slow":
                    await asyncio.sleep(DELAY)
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
