"""Servers side by side, loaded in turns: A B A B. What else the machine does falls on all alike, so the ratio of
slices of the same turn says more than either figure.
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
from benchmarks.serving.models import Kind, made
from benchmarks.serving.process import Server, free_port, running
from benchmarks.serving.servers import Candidate

WARM_SECONDS = 1.0


@dataclass(slots=True)
class Side:
    """One server's slices under one load, the processor seconds that each cost, and what the server holds."""

    name: str
    slices: list[Slice] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    megabytes: float = 0.0
    ready_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second: the median of the slices."""
        return median(one.rate for one in self.slices)

    @property
    def errors(self) -> int:
        """Requests that were not answered with 200."""
        return sum(one.errors for one in self.slices)

    @property
    def prices(self) -> list[float]:
        """Of each slice, processor seconds for a thousand answers."""
        pairs = zip(self.seconds, self.slices, strict=True)
        return [1e3 * seconds / max(1, one.requests) for seconds, one in pairs]

    def latency(self, name: str) -> float:
        """The median of the slices' percentile, in milliseconds."""
        return median(float(getattr(one, name)) for one in self.slices)


@dataclass(frozen=True, slots=True)
class Row:
    """A server under one load, beside a reference: what the tables have. Ratios are medians over the turns."""

    what: str
    connections: int
    server: str
    rate: float
    ratio: float
    least: float
    most: float
    p50: float
    p99: float
    price: float
    price_ratio: float
    megabytes: float
    ready_seconds: float
    errors: int


def row(what: str, connections: int, reference: Side, side: Side) -> Row:
    """What the slices of two come to."""
    ratios = [ours.rate / theirs.rate for theirs, ours in zip(reference.slices, side.slices, strict=True)]
    prices = [ours / max(theirs, 1e-9) for theirs, ours in zip(reference.prices, side.prices, strict=True)]
    return Row(
        what=what,
        connections=connections,
        server=side.name,
        rate=side.rate,
        ratio=median(ratios),
        least=min(ratios),
        most=max(ratios),
        p50=side.latency("p50"),
        p99=side.latency("p99"),
        price=median(side.prices),
        price_ratio=median(prices),
        megabytes=side.megabytes,
        ready_seconds=side.ready_seconds,
        errors=side.errors,
    )


class Ring:
    """Servers of one model that are up together, loaded one at a time."""

    def __init__(self, kind: Kind, size: int) -> None:
        self._kind = kind
        self._size = size
        self.members: dict[str, tuple[Server, Load]] = {}

    @property
    def servers(self) -> dict[str, Server]:
        """By name."""
        return {name: server for name, (server, _) in self.members.items()}

    def join(self, server: Server, load: Load) -> None:
        """One more."""
        self.members[server.name] = server, load

    def turns(self, connections: int, count: int, seconds: float, *, limit: bool = False) -> list[Side]:
        """So many slices of each; with ``limit`` also of the model by itself, in batches of as many rows."""
        sides = {name: Side(name, ready_seconds=server.ready_seconds) for name, (server, _) in self.members.items()}
        bare = Side("the model by itself")
        for server, load in self.members.values():
            load(server.address, connections, WARM_SECONDS)
            server.settle()
        for _ in range(count):
            for name, (server, load) in self.members.items():
                _slice(sides[name], server, partial(load, server.address, connections, seconds))
            if limit:
                _bare(bare, self._kind, connections * self._size, seconds)
        return [*sides.values(), *([bare] if limit else [])]


def _slice(side: Side, server: Server, load: Callable[[], Slice]) -> None:
    """One slice; what the server finishes afterwards is part of its price."""
    before = server.cost()
    side.slices.append(load())
    after = server.settle()
    side.seconds.append(after.seconds - before.seconds)
    side.megabytes = max(side.megabytes, after.megabytes)


def _bare(side: Side, kind: Kind, batch: int, seconds: float) -> None:
    """One slice of the model in a loop."""
    model = str(made(kind)["compressed"])
    options = [model, str(kind.features), str(batch), str(seconds)]
    command = [sys.executable, "-m", "benchmarks.serving.limit", *options]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603 - our own command
    side.slices.append(Slice(told["rows"], told["seconds"]))
    side.seconds.append(told["cpu"])


@contextmanager
def ring(kind: Kind, candidates: Sequence[Candidate], folder: Path, size: int = 1) -> Iterator[Ring]:
    """All of them up, answering requests of ``size`` rows; told to stop at the end."""
    found = Ring(kind, size)
    with ExitStack() as stack:
        for one in candidates:
            place = folder / f"{kind.name}-{one.name}".replace(" ", "-")
            place.mkdir(exist_ok=True)
            requests, port = one.ask(kind, size), free_port()
            command = one.command(kind, place, port)
            server = stack.enter_context(running(one.name, command, port, requests[0], place / "log"))
            found.join(server, one.loader(requests, place))
        yield found
