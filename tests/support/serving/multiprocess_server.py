"""A real `tightrope serve --processes N`, observed by its port, its processes and their files."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, Self

import httpx

from tests.support.cluster.cluster import TIMEOUT_SECONDS, wait_until
from tests.support.commands import command, environment
from tests.support.configs import ROOT, TOKEN
from tests.support.harmful_pair import request, traffic

REQUESTS = 'tightrope_requests_total{model="m",outcome="ok"}'
INFER_BODY = request(traffic(1, harm=False)[0])


class _ProcessStatus(NamedTuple):
    """A process's id, its state (T: stopped by a signal), and its parent's id."""

    pid: int
    state: str
    parent: int


class ProcessGroup:
    """Processes that share a port; ``folder`` holds their temporary files."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, str], folder: Path) -> None:
        self.process = process
        self.address = ready["address"]
        self.grpc = ready.get("grpc", "")
        self._folder = folder

    @property
    def members(self) -> set[int]:
        """The process ids of the members."""
        return {status.pid for status in _processes() if status.parent == self.process.pid}

    @property
    def counted(self) -> dict[str, float]:
        """The requests that each living member has answered, by the name of its metrics file."""
        counts = {}
        for file in self._folder.glob("tightrope-*/*.json"):
            with suppress(FileNotFoundError):
                samples = json.loads(file.read_text())["counted"]["tightrope_requests"]
                counts[file.name] = sum(value for name, _, value, _ in samples if name == "tightrope_requests_total")
        return counts

    @contextmanager
    def only(self, member: int) -> Iterator[None]:
        """Pause the other members until the block ends, so that this one accepts every new HTTP connection."""
        others = self.members - {member}
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: {status.state for status in _processes() if status.pid in others} <= {"T"})
            yield
        finally:
            for pid in others:
                os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill the supervisor and its members: without Kafka a member takes ten seconds to end by itself."""
        members = self.members
        self.process.kill()
        for pid in members:
            os.kill(pid, signal.SIGKILL)

    def page(self) -> dict[str, float]:
        """Return the metrics as one member shows them, by name and labels; it updates its file before."""
        lines = httpx.get(f"{self.address}/metrics", timeout=TIMEOUT_SECONDS).text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def served_by(self) -> str:
        """Return the role that served one request on a new connection."""
        answer = httpx.post(f"{self.address}/v2/models/m/infer", json=INFER_BODY, timeout=TIMEOUT_SECONDS).json()
        return str(answer["parameters"]["served_by"])

    def roles(self) -> set[str]:
        """Return the roles that serve a request to each member."""
        roles = set()
        for member in self.members:
            with self.only(member):
                roles.add(self.served_by())
        return roles


def _processes() -> Iterator[_ProcessStatus]:
    """Yield the status of every process."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent = file.read_text().rpartition(")")[2].split()[:2]
            yield _ProcessStatus(int(file.parent.name), state, int(parent))


@contextmanager
def process_group(path: Path, folder: Path, *more: str) -> Iterator[ProcessGroup]:
    """Run the processes, two by default, until the block ends."""
    line = command("serve", path, "--json", *(more or ("--processes", "2")))
    env = environment(TMPDIR=str(folder), TIGHTROPE_CONTROL_TOKEN=TOKEN)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready, f"it ended with code {process.wait(TIMEOUT_SECONDS)} before it was up"
            yield ProcessGroup(process, json.loads(ready), folder)
        finally:
            process.terminate()
            process.wait(TIMEOUT_SECONDS)


class Callers:
    """Connections that send requests one after the other until the block ends. ``lost`` counts each caller's failed
    requests, which it repeats on another connection.
    """

    def __init__(self, address: str, number: int) -> None:
        self.answered, self.lost = [0] * number, [0] * number
        self.served_by: set[str] = set()
        self._host = address.removeprefix("http://")
        self._over = Event()
        self._threads = [Thread(target=self._run, args=[caller]) for caller in range(number)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, requests: int) -> None:
        """Wait until each caller has this many answers."""
        wait_until(lambda: min(self.answered) >= requests)

    def _run(self, caller: int) -> None:
        connection = HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)
        while not self._over.is_set():
            try:
                connection.request("POST", "/v2/models/m/infer", json.dumps(INFER_BODY))
                response = connection.getresponse()
                answer = json.loads(response.read())
                assert response.status == HTTPStatus.OK
                self.served_by.add(answer["parameters"]["served_by"])
                self.answered[caller] += 1
            except OSError:
                self.lost[caller] += 1
                connection.close()
        connection.close()


def is_running(pid: int) -> bool:
    """Return whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
