"""Two servers side by side, loaded in turns: A B A B. What else the machine does falls on both alike, so the ratio of
adjacent slices says more than either figure.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks.serving.load import Slice, script, wrk
from benchmarks.serving.models import Kind
from benchmarks.serving.process import Cost, Server, free_port, running
from benchmarks.serving.servers import Candidate

WARM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Side:
    """One server's slices under one load, what they cost, and what it holds."""

    name: str
    slices: Sequence[Slice]
    seconds: float
    megabytes: float
    ready_seconds: float

    @property
    def rate(self) -> float:
        """Answers a second: the median of the slices."""
        return median(one.rate for one in self.slices)

    @property
    def errors(self) -> int:
        """Requests that were not answered with 200."""
        return sum(one.errors for one in self.slices)

    @property
    def per_thousand(self) -> float:
        """Processor seconds for a thousand answers."""
        return 1e3 * self.seconds / max(1, sum(one.requests for one in self.slices))

    def latency(self, name: str) -> float:
        """The median of the slices' percentile, in milliseconds."""
        return median(float(getattr(one, name)) for one in self.slices)


@dataclass(frozen=True, slots=True)
class Pair:
    """A reference and what is measured against it, under the same load in turns."""

    reference: Side
    measured: Side

    @property
    def ratios(self) -> list[float]:
        """Of the rates, one for each two adjacent slices."""
        slices = zip(self.reference.slices, self.measured.slices, strict=True)
        return [ours.rate / theirs.rate for theirs, ours in slices]


class Ring:
    """Servers of one model that are up together, loaded one at a time."""

    def __init__(self, kind: Kind, candidates: Sequence[Candidate], folder: Path, size: int = 1) -> None:
        self._stack = ExitStack()
        self._servers: dict[str, tuple[Server, Path]] = {}
        for one in candidates:
            place = folder / f"{kind.name}-{one.name}"
            place.mkdir(exist_ok=True)
            requests, port = one.ask(kind, size), free_port()
            lua = script(requests, place / "requests.lua")
            starting = running(one.name, one.command(kind, place, port), port, requests[0], place / "log")
            self._servers[one.name] = self._stack.enter_context(starting), lua

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def turns(self, connections: int, count: int, seconds: float) -> list[Side]:
        """So many slices of each, in turns."""
        slices: dict[str, list[Slice]] = {name: [] for name in self._servers}
        spent = dict.fromkeys(self._servers, 0.0)
        held: dict[str, Cost] = {}
        for server, lua in self._servers.values():
            wrk(server.address, lua, connections, WARM_SECONDS)
            server.settle()
        for _ in range(count):
            for name, (server, lua) in self._servers.items():
                before = server.cost()
                slices[name].append(wrk(server.address, lua, connections, seconds))
                held[name] = server.settle()
                spent[name] += held[name].seconds - before.seconds
        return [
            Side(name, slices[name], spent[name], held[name].megabytes, server.ready_seconds)
            for name, (server, _) in self._servers.items()
        ]
