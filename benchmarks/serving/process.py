"""Server processes: start and readiness, CPU and memory, stop. Linux only: it reads /proc."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

START_SECONDS, STOP_SECONDS = 120.0, 20.0
POLL_SECONDS = 0.005
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
QUIET_SECONDS, QUIET_SHARE, MAX_SETTLE_SECONDS = 0.1, 0.2, 10.0
"""A server is quiet when it used at most this share of a core for `QUIET_SECONDS`; the wait for it is bounded."""


class NotStartedError(Exception):
    """A server did not answer its first request; the message ends with its output."""


@dataclass(frozen=True, slots=True)
class Request:
    """An inference request: path, body, and headers."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds that a process and its children have used, and resident memory that they hold now."""

    seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    address: str
    process: subprocess.Popen[bytes]
    ready_seconds: float

    def cost(self) -> Cost:
        """CPU and memory of all its processes; shared pages count once for each process, as in most tools."""
        costs = [_cost(pid) for pid in process_tree(self.process.pid)]
        return Cost(sum(c.seconds for c in costs), sum(c.megabytes for c in costs))

    def settle(self) -> Cost:
        """Wait until deferred work is done, so that it does not slow the next server; returns the cost then."""
        deadline, before = time.monotonic() + MAX_SETTLE_SECONDS, self.cost()
        while time.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            now = self.cost()
            if now.seconds - before.seconds <= QUIET_SHARE * QUIET_SECONDS:
                return now
            before = now
        return before


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running_server(name: str, command: Sequence[str], port: int, first: Request, log: Path) -> Iterator[Server]:
    """Start a server and yield it when it has answered ``first``; stop it at the end.

    Raises:
        NotStartedError: it ends, or does not answer in time.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, start_new_session=True)  # noqa: S603 - our own commands
    try:
        address = f"http://127.0.0.1:{port}"
        _await(name, process, address, first, log)
        yield Server(name, address, process, time.monotonic() - began)
    finally:
        _stop(process)


def _await(name: str, process: subprocess.Popen[bytes], address: str, first: Request, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with urllib3.PoolManager(retries=False, timeout=10.0) as http:
        while True:
            problem = "it did not answer in time"
            try:
                answer = http.request("POST", address + first.path, body=first.body, headers=dict(first.headers))
                if answer.status == 200:  # noqa: PLR2004 - HTTP's OK
                    return
                problem = f"it answered {answer.status}: {answer.data[:300]!r}"
            except urllib3.exceptions.HTTPError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotStartedError(f"{name}: {problem}\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the process, then kill its whole process group: some servers leave children behind."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def process_tree(pid: int) -> list[int]:
    """The ids of a process and of all its descendants."""
    pids = [pid]
    for parent in pids:
        for file in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                pids += map(int, file.read_text().split())
            except OSError:
                continue
    return pids


def _cost(pid: int) -> Cost:
    """CPU and memory of one process; its CPU includes children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return Cost(0.0, 0.0)
    return Cost(sum(map(int, fields[11:15])) / TICK, int(fields[21]) * PAGE / 2**20)
