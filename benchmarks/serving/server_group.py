"""Servers of one model that run side by side and are loaded in turns, A B A B: other load on the machine slows all of
them alike, so the ratio of two slices of one turn says more than either figure.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.serving.load import Load, Slice
from benchmarks.serving.models import ModelKind, model_files
from benchmarks.serving.process import Server, free_port, running_server
from benchmarks.serving.servers import Candidate

WARM_UP_SECONDS = 1.0


@dataclass(slots=True)
class ServerResult:
    """One server under one load: its slices, the CPU seconds of each, its memory, and its start-up time."""

    name: str
    slices: list[Slice] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    megabytes: float = 0.0
    ready_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Requests/s, median of the slices."""
        return median(one.rate for one in self.slices)

    @property
    def errors(self) -> int:
        """Requests without a 200 response."""
        return sum(one.errors for one in self.slices)

    @property
    def cpu_per_1000(self) -> list[float]:
        """CPU seconds of 1,000 requests, for each slice."""
        pairs = zip(self.cpu_seconds, self.slices, strict=True)
        return [1e3 * seconds / max(1, one.requests) for seconds, one in pairs]

    def latency(self, percentile: str) -> float:
        """A percentile, ``p50`` or ``p99``, in milliseconds: median of the slices."""
        return median(float(getattr(one, percentile)) for one in self.slices)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A line of the tables: a server under one load. Ratios to the reference are medians over the turns."""

    workload: str
    connections: int
    server: str
    rate: float
    ratio: float
    lowest: float
    highest: float
    p50: float
    p99: float
    cpu: float
    cpu_ratio: float
    megabytes: float
    ready_seconds: float
    errors: int


def result_row(workload: str, connections: int, reference: ServerResult, result: ServerResult) -> ResultRow:
    """Summarise a server's slices, paired with those of the reference."""
    ratios = [ours.rate / theirs.rate for theirs, ours in zip(reference.slices, result.slices, strict=True)]
    cpu = [ours / max(theirs, 1e-9) for theirs, ours in zip(reference.cpu_per_1000, result.cpu_per_1000, strict=True)]
    return ResultRow(
        workload=workload,
        connections=connections,
        server=result.name,
        rate=result.rate,
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        p50=result.latency("p50"),
        p99=result.latency("p99"),
        cpu=median(result.cpu_per_1000),
        cpu_ratio=median(cpu),
        megabytes=result.megabytes,
        ready_seconds=result.ready_seconds,
        errors=result.errors,
    )


class ServerGroup:
    """Running servers of one model, loaded one at a time with requests of ``size`` rows."""

    def __init__(self, kind: ModelKind, size: int) -> None:
        self._kind = kind
        self._size = size
        self.members: dict[str, tuple[Server, Load]] = {}

    @property
    def servers(self) -> dict[str, Server]:
        """The servers by name."""
        return {name: server for name, (server, _) in self.members.items()}

    def add(self, server: Server, load: Load) -> None:
        """Add a server and the load that it is measured with."""
        self.members[server.name] = server, load

    def measure_turns(self, connections: int, count: int, seconds: float, *, limit: bool = False) -> list[ServerResult]:
        """Measure ``count`` slices of each server in turns, after a warm-up.

        With ``limit`` the model without a server is measured too, in batches of as many rows as are sent at once.
        """
        results = {name: ServerResult(name, ready_seconds=one.ready_seconds) for name, one in self.servers.items()}
        bare = ServerResult("the model by itself")
        for server, load in self.members.values():
            load(server.address, connections, WARM_UP_SECONDS)
            server.settle()
        for _ in range(count):
            for name, (server, load) in self.members.items():
                _measure_slice(results[name], server, partial(load, server.address, connections, seconds))
            if limit:
                _measure_model(bare, self._kind, connections * self._size, seconds)
        return [*results.values(), *([bare] if limit else [])]


def _measure_slice(result: ServerResult, server: Server, load: Callable[[], Slice]) -> None:
    """Measure one slice; its CPU includes the work that the server finishes afterwards."""
    before = server.cost()
    result.slices.append(load())
    after = server.settle()
    result.cpu_seconds.append(after.seconds - before.seconds)
    result.megabytes = max(result.megabytes, after.megabytes)


def _measure_model(result: ServerResult, kind: ModelKind, batch: int, seconds: float) -> None:
    """Measure one slice of the model in a loop, in a process of its own."""
    arguments = [str(model_files(kind)["compressed"]), str(kind.features), str(batch), str(seconds)]
    command = [sys.executable, "-m", "benchmarks.serving.limit", *arguments]
    summary = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - our own command
    result.slices.append(Slice(summary["rows"], summary["seconds"]))
    result.cpu_seconds.append(summary["cpu"])


@contextmanager
def server_group(
    kind: ModelKind, candidates: Sequence[Candidate], folder: Path, size: int = 1
) -> Iterator[ServerGroup]:
    """Start all candidates and wait until each answers a request of ``size`` rows; stop them at the end.

    Raises:
        NotStartedError: a server does not answer.
    """
    group = ServerGroup(kind, size)
    with ExitStack() as stack:
        for one in candidates:
            own_folder = folder / f"{kind.name}-{one.name}".replace(" ", "-")
            own_folder.mkdir(exist_ok=True)
            requests, port = one.make_requests(kind, size), free_port()
            command = one.command(kind, own_folder, port)
            server = stack.enter_context(running_server(one.name, command, port, requests[0], own_folder / "log"))
            group.add(server, one.loader(requests, own_folder))
        yield group
