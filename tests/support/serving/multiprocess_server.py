"""A real `tightrope serve --processes N`, looked at from outside: by its port, by its processes, and by their files."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import Self

import httpx

from tests.support.cluster.cluster import PATIENCE
from tests.support.commands import command, environment
from tests.support.harmful_pair import request, traffic
from tests.support.servers import ROOT, TOKEN

REQUESTS = 'tightrope_requests_total{model="m",outcome="ok"}'


class Several:
    """Processes that share a port. ``folder`` is where those that have them keep temporary files."""

    def __init__(self, process: subprocess.Popen[str], told: dict[str, str], folder: Path) -> None:
        self.process = process
        self.address = told["address"]
        self.grpc = told.get("grpc", "")
        self._folder = folder

    @property
    def members(self) -> set[int]:
        """The process ids of those that serve."""
        return {pid for pid, parent in _parents() if parent == self.process.pid}

    @property
    def counted(self) -> dict[str, float]:
        """The requests that each has answered by itself, by its file; of the living only."""
        found = {}
        for file in self._folder.glob("tightrope-*/*.json"):
            with suppress(FileNotFoundError):
                samples = json.loads(file.read_text())["counted"]["tightrope_requests"]
                found[file.name] = sum(value for name, _, value, _ in samples if name == "tightrope_requests_total")
        return found

    def page(self) -> dict[str, float]:
        """Its metrics as whoever answers shows them, by name and labels."""
        lines = httpx.get(f"{self.address}/metrics", timeout=PATIENCE).text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def served_by(self) -> str:
        """Who answers one request, on a connection of its own."""
        answer = httpx.post(f"{self.address}/v2/models/m/infer", json=QUESTION, timeout=PATIENCE).json()
        return str(answer["parameters"]["served_by"])


QUESTION = request(traffic(1, harm=False)[0])


def _parents() -> Iterator[tuple[int, int]]:
    """All processes with their parents'."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            _, parent = status.read_text().rpartition(")")[2].split()[:2]
            yield int(status.parent.name), int(parent)


@contextmanager
def several(path: Path, folder: Path, *more: str) -> Iterator[Several]:
    """They are up; killed at the end, where they have not ended."""
    line = command("serve", path, "--json", *(more or ("--processes", "2")))
    env = environment(TMPDIR=str(folder), TIGHTROPE_CONTROL_TOKEN=TOKEN)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told, f"it ended with code {process.wait(PATIENCE)} before it was up"
            yield Several(process, json.loads(told), folder)
        finally:
            process.terminate()
            process.wait(PATIENCE)


class Callers:
    """So many connections that ask one after the other until the block ends; ``lost`` has what each was not answered,
    which it asks again on another connection.
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

    def _run(self, caller: int) -> None:
        connection = HTTPConnection(self._host, timeout=PATIENCE)
        while not self._over.is_set():
            try:
                connection.request("POST", "/v2/models/m/infer", json.dumps(QUESTION))
                answer = connection.getresponse()
                told = json.loads(answer.read())
                assert answer.status == HTTPStatus.OK
                self.served_by.add(told["parameters"]["served_by"])
                self.answered[caller] += 1
            except OSError:
                self.lost[caller] += 1
                connection.close()
        connection.close()


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
