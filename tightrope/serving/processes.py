"""Several gateways of a cluster on one port, each a process of its own: `tightrope serve --processes N`.

They share one listening socket, so a connection that nobody has taken yet is lost with none of them; gRPC's library
opens the port itself, and the kernel deals its connections out (SO_REUSEPORT). The process that was started only holds
the ports, starts the others from the command line (neither onnxruntime nor the Kafka client can be forked), and
replaces those that end.
"""

import asyncio
import logging
import signal
import sys
import tempfile
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tightrope.service.adapters.prometheus.multiprocess import bury
from tightrope.service.config.loader import ConfigError, Server
from tightrope.serving.server import TOLD, Listening, Ready, hold, listen

log = logging.getLogger(__name__)

END_SECONDS = 60.0
"""What has not ended so long after it was told to is killed."""

PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before a process is replaced, twice as many each time that it ends soon."""

SOON = 60.0
"""Seconds that are soon."""

CHUNK = 65_536
"""Bytes that are thrown away at a time."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of several processes, told by the file in which it keeps its metrics."""

    file: Path

    @classmethod
    def at(cls, folder: Path, place: int, serial: int) -> "Member":
        """The one in that place, after so many others have been started."""
        return cls(folder / f"{place}-{serial}.json")

    @property
    def place(self) -> str:
        """Among the others; whoever replaces it has it too."""
        return self.file.stem.partition("-")[0]

    @property
    def joins(self) -> bool:
        """Whether it is not the first of all."""
        return not self.file.stem.endswith("-0")


def end_with_parent() -> None:
    """Stop as if told to when nobody holds the other end of our input any more."""

    def wait() -> None:
        with open(0, "rb", buffering=0, closefd=False) as held:
            held.read()
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def serve(config: Path, server: Server, ready: Ready) -> int:
    """Until a signal says stop; the exit code.

    Raises:
        ConfigError: when a port is not to be had, or no file can be written.
    """
    with ExitStack() as held:
        listener = held.enter_context(listen(server))
        grpc_port = server.grpc_port
        if grpc_port is not None:
            grpc_port = held.enter_context(hold(server.host, grpc_port)).getsockname()[1]
        at = Listening(server.host, listener.getsockname()[1], grpc_port)
        folder = Path(held.enter_context(_folder()))
        keeper = Keeper(_command(config, at, server.processes, listener.fileno()), folder, (listener.fileno(),))
        return asyncio.run(keeper.keep(server.processes, lambda: ready(at)))


def _folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="tightrope-")
    except OSError as error:
        told = f"several need a folder in {tempfile.gettempdir()}: {error.strerror}"
        raise ConfigError([f"server.processes: {told}"]) from error


def _command(config: Path, at: Listening, processes: int, listener: int) -> list[str]:
    """What starts a member, but for its file."""
    rpc = [] if at.grpc_port is None else ["--grpc-port", str(at.grpc_port)]
    where = ["--host", at.host, "--port", str(at.port), *rpc, "--listener", str(listener)]
    return [
        *(sys.executable, "-P", "-m", "tightrope", "serve", str(config), *where),
        *("--processes", str(processes), "--json", "--member"),
    ]


class Keeper:
    """Keeps processes of a command alive, whose last argument is a member's file; each prints a line once it is up, and
    inherits these descriptors.
    """

    def __init__(self, command: Sequence[str], folder: Path, descriptors: Sequence[int] = ()) -> None:
        self._command = command
        self._descriptors = descriptors
        self._folder = folder
        self._serials = count()
        self._running: set[Process] = set()
        self._up: set[int] = set()
        self._stopping = asyncio.Event()

    async def keep(self, number: int, ready: Callable[[], None]) -> int:
        """So many of them until told to stop; the exit code. If the first does not start, which says why, nor do the
        others. Ready when all are up.
        """
        for told in TOLD:
            asyncio.get_running_loop().add_signal_handler(told, self._stop)
        first = await self._begin(1)
        if not await _is_up(first[1]):
            code = await first[1].wait()
            return 0 if self._stopping.is_set() else abs(code)

        def up(place: int) -> None:
            if place not in self._up:
                self._up.add(place)
                if len(self._up) == number:
                    ready()

        up(1)
        places = range(1, number + 1)
        tasks = [asyncio.create_task(self._place(place, up, first if place == 1 else None)) for place in places]
        await self._stopping.wait()
        _, late = await asyncio.wait(tasks, timeout=END_SECONDS)
        self._send(signal.SIGKILL)
        await asyncio.gather(*tasks)
        return 1 if late else 0

    async def _place(self, place: int, up: Callable[[int], None], running: tuple[Member, Process] | None) -> None:
        """One process after the other."""
        pause, clock = PAUSE, asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = clock.time()
            try:
                how = await self._one(place, up, running)
            except OSError as error:
                how = str(error)
            if self._stopping.is_set():
                return
            pause, running = PAUSE if clock.time() - began > SOON else pause, None
            log.warning("gateway process %d ended: %s; another in %g s", place, how, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _one(self, place: int, up: Callable[[int], None], running: tuple[Member, Process] | None) -> str:
        """To its end; how it came."""
        member, process = running or await self._begin(place)
        if running or await _is_up(process):
            up(place)
        await _drained(process)
        code = await process.wait()
        self._running.discard(process)
        bury(member.file)
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    async def _begin(self, place: int) -> tuple[Member, Process]:
        """Its input is held open: it ends with this process. What a terminal sends, this process passes on."""
        member = Member.at(self._folder, place, next(self._serials))
        process = await asyncio.create_subprocess_exec(
            *self._command,
            str(member.file),
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
            pass_fds=self._descriptors,
        )
        self._running.add(process)
        if self._stopping.is_set():
            self._send(signal.SIGTERM)
        return member, process

    def _stop(self) -> None:
        self._stopping.set()
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):
                process.send_signal(number)


async def _drained(process: Process) -> None:
    """It has no more to say, but may not wait for somebody to read it either."""
    assert process.stdout is not None  # noqa: S101 - it was given a pipe
    while await process.stdout.read(CHUNK):
        pass


async def _is_up(process: Process) -> bool:
    """It has printed a line; if it ends instead it has told why."""
    assert process.stdout is not None  # noqa: S101 - it was given a pipe
    return bool(await process.stdout.readline())
