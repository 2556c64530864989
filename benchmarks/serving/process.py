"""A server as a process: when it is ready, what it costs, and how it ends. Linux only: it reads /proc."""

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
POLL = 0.005
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
QUIET_SECONDS, QUIET_SHARE, MOST_WAITING = 0.1, 0.2, 10.0
"""A server is quiet when it used less than this share of a core for so long; one that never is gets so long."""


class NotStartedError(Exception):
    """A server did not answer; its output says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """One inference: where to, with which headers, and the body."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process and its children have used so far, and hold now."""

    seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    name: str
    address: str
    process: subprocess.Popen[bytes]
    ready_seconds: float

    def cost(self) -> Cost:
        """Of all its processes together; shared pages are counted once for each, as most tools do."""
        found = [_cost(pid) for pid in family(self.process.pid)]
        return Cost(sum(c.seconds for c in found), sum(c.megabytes for c in found))

    def settle(self) -> Cost:
        """Wait until it has finished what was left to do, so that it costs the next one nothing; the cost then."""
        deadline, before = time.monotonic() + MOST_WAITING, self.cost()
        while time.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            now = self.cost()
            if now.seconds - before.seconds <= QUIET_SHARE * QUIET_SECONDS:
                return now
            before = now
        return before


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def running(name: str, command: Sequence[str], port: int, first: Request, log: Path) -> Iterator[Server]:
    """A server of ours, from the moment it answered ``first``; told to stop at the end."""
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=output, stderr=output, env=quiet, start_new_session=True)  # noqa: S603 - our own commands
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
            told = "it did not answer in time"
            try:
                answer = http.request("POST", address + first.path, body=first.body, headers=dict(first.headers))
                if answer.status == 200:  # noqa: PLR2004 - HTTP's OK
                    return
                told = f"it answered {answer.status}: {answer.data[:300]!r}"
            except urllib3.exceptions.HTTPError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotStartedError(f"{name}: {told}\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(POLL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """The whole group, by its own handle: some servers leave their children behind."""
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


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        for file in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, file.read_text().split())
            except OSError:
                continue
    return found


def _cost(pid: int) -> Cost:
    """Of one process, with those children that are gone."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return Cost(0.0, 0.0)
    return Cost(sum(map(int, told[11:15])) / TICK, int(told[21]) * PAGE / 2**20)
