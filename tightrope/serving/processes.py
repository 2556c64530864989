"""Several gateway processes on one port: `tightrope serve --processes N`.

How it works. The started process, the supervisor, serves nothing. It opens the HTTP socket, which all members inherit,
so a connection that no member has accepted yet survives the end of any of them. gRPC's library opens its port itself:
the supervisor only reserves it, and the kernel distributes connections by SO_REUSEPORT. Members are started from the
command line, because neither onnxruntime nor the Kafka client survives a fork. Each member has a slot, 1 to N, and a
file for its metrics in a temporary folder that all share. The first member starts alone: if it cannot start it prints
why, and the supervisor exits with its code. A member that ends later is replaced, after a delay that doubles while it
keeps ending soon. Members end with the supervisor, even if it is killed: it holds their standard input open, and they
stop when it closes.
"""

import asyncio
import logging
import signal
import socket
import sys
import tempfile
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tightrope.service.adapters.prometheus.multiprocess import merge_ended
from tightrope.service.config.loader import ConfigError
from tightrope.service.config.process.server import ServerSection
from tightrope.serving.server import STOP_SIGNALS, ListenAddress, ReadyCallback, listen, reserve_port
from tightrope.serving.syn_filter import drop_new_connections

log = logging.getLogger(__name__)

MEMBER_GRACE_SECONDS = 5.0
"""A member that has not ended this long after its `server.drain_seconds` is killed."""

MIN_RESTART_SECONDS, MAX_RESTART_SECONDS = 0.5, 30.0
"""Delay before a member is replaced; it doubles each time the member ends within `STABLE_SECONDS`."""

STABLE_SECONDS = 60.0

DRAIN_BYTES = 65_536
"""Size of a read when a member's output is discarded."""


@dataclass(frozen=True, slots=True)
class Member:
    """One process of several, identified by its metrics file, `SLOT-SERIAL.json`."""

    file: Path

    @classmethod
    def create(cls, folder: Path, slot: int, serial: int) -> "Member":
        """Return the member of a slot; ``serial`` counts the processes started before it."""
        return cls(folder / f"{slot}-{serial}.json")

    @property
    def slot(self) -> str:
        """Its number among the processes, which its replacement inherits."""
        return self.file.stem.partition("-")[0]

    @property
    def joins(self) -> bool:
        """Whether other processes were started before it."""
        return not self.file.stem.endswith("-0")


def stop_with_parent() -> None:
    """Raise SIGTERM in this process when its standard input ends, because the supervisor is gone."""

    def wait() -> None:
        with open(0, "rb", buffering=0, closefd=False) as stdin:
            stdin.read()
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def serve(config: Path, server: ServerSection, ready: ReadyCallback) -> int:
    """Run the processes until a signal stops them; return the exit code.

    Raises:
        ConfigError: when a port cannot be taken, or no temporary folder can be made.
    """
    with ExitStack() as held:
        listener = held.enter_context(listen(server))
        grpc_port = server.grpc_port
        if grpc_port is not None:
            grpc_port = held.enter_context(reserve_port(server.host, grpc_port)).getsockname()[1]
        address = ListenAddress(server.host, listener.getsockname()[1], grpc_port)
        folder = Path(held.enter_context(_temporary_folder()))
        command = _member_command(config, address, server.processes, listener.fileno())
        supervisor = Supervisor(command, folder, server.drain_seconds + MEMBER_GRACE_SECONDS, [listener])
        return asyncio.run(supervisor.run(server.processes, lambda: ready(address)))


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="tightrope-")
    except OSError as error:
        text = f"several need a folder in {tempfile.gettempdir()}: {error.strerror}"
        raise ConfigError([f"server.processes: {text}"]) from error


def _member_command(config: Path, address: ListenAddress, processes: int, listener: int) -> list[str]:
    """Return the command line of a member, without its file at the end."""
    rpc = [] if address.grpc_port is None else ["--grpc-port", str(address.grpc_port)]
    where = ["--host", address.host, "--port", str(address.port), *rpc, "--listener", str(listener)]
    return [
        *(sys.executable, "-P", "-m", "tightrope", "serve", str(config), *where),
        *("--processes", str(processes), "--json", "--member"),
    ]


class Supervisor:
    """Keeps processes of one command running.

    The command's last argument is a member's file; the processes inherit ``listeners``, and each prints a line once
    it is up. A process that has not ended ``stop_seconds`` after SIGTERM is killed.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, stop_seconds: float, listeners: Sequence[socket.socket] = ()
    ) -> None:
        self._command = command
        self._folder = folder
        self._stop_seconds = stop_seconds
        self._listeners = listeners
        self._serials = count()
        self._running: set[Process] = set()
        self._up: set[int] = set()
        self._stopping = asyncio.Event()

    async def run(self, number: int, ready: Callable[[], None]) -> int:
        """Run ``number`` processes until a signal; call ``ready`` when all are up; return the exit code.

        If the first does not start, the others are not started, and its exit code is returned.
        """
        for stop_signal in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(stop_signal, self._stop)
        first = await self._start(1)
        if not await _wait_until_up(first[1]):
            code = await first[1].wait()
            return 0 if self._stopping.is_set() else abs(code)

        def up(slot: int) -> None:
            if slot not in self._up:
                self._up.add(slot)
                if len(self._up) == number:
                    ready()

        up(1)
        slots = range(1, number + 1)
        tasks = [asyncio.create_task(self._keep_slot(slot, up, first if slot == 1 else None)) for slot in slots]
        await self._stopping.wait()
        _, late = await asyncio.wait(tasks, timeout=self._stop_seconds)
        self._send(signal.SIGKILL)
        await asyncio.gather(*tasks)
        return 1 if late else 0

    async def _keep_slot(self, slot: int, up: Callable[[int], None], running: tuple[Member, Process] | None) -> None:
        """Run one process after another in a slot until the supervisor stops."""
        delay, clock = MIN_RESTART_SECONDS, asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = clock.time()
            try:
                reason = await self._run_member(slot, up, running)
            except OSError as error:
                reason = str(error)
            if self._stopping.is_set():
                return
            delay, running = MIN_RESTART_SECONDS if clock.time() - began > STABLE_SECONDS else delay, None
            log.warning("gateway process %d ended: %s; another in %g s", slot, reason, delay)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(2 * delay, MAX_RESTART_SECONDS)

    async def _run_member(self, slot: int, up: Callable[[int], None], running: tuple[Member, Process] | None) -> str:
        """Run one process to its end and return the reason."""
        member, process = running or await self._start(slot)
        if running or await _wait_until_up(process):
            up(slot)
        await _discard_output(process)
        code = await process.wait()
        self._running.discard(process)
        merge_ended(member.file)
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    async def _start(self, slot: int) -> tuple[Member, Process]:
        """Start a process, in a session of its own: the supervisor forwards a terminal's signals to it."""
        member = Member.create(self._folder, slot, next(self._serials))
        process = await asyncio.create_subprocess_exec(
            *self._command,
            str(member.file),
            stdin=PIPE,  # held open: the process stops when it is closed
            stdout=PIPE,
            start_new_session=True,
            pass_fds=[listener.fileno() for listener in self._listeners],
        )
        self._running.add(process)
        if self._stopping.is_set():
            self._send(signal.SIGTERM)
        return member, process

    def _stop(self) -> None:
        """Stop the members. No connection begins from now on; the last of them accepts what waits on a listener, which
        nothing else may keep open.
        """
        self._stopping.set()
        for listener in self._listeners:
            drop_new_connections(listener)
        self._send(signal.SIGTERM)
        for listener in self._listeners:
            listener.close()

    def _send(self, number: signal.Signals) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):
                process.send_signal(number)


async def _discard_output(process: Process) -> None:
    """Read a process's output to its end, so that it never blocks on a full pipe."""
    assert process.stdout is not None  # noqa: S101 - it was given a pipe
    while await process.stdout.read(DRAIN_BYTES):
        pass


async def _wait_until_up(process: Process) -> bool:
    """Wait for a process's first line; False if it ends without one."""
    assert process.stdout is not None  # noqa: S101 - it was given a pipe
    return bool(await process.stdout.readline())
