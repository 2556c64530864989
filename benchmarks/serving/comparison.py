"""Compare the requests/s of this tree with those of another revision, cell by cell.

How it works: both gateways are up at the same time and are loaded in turns, A B A B, so other load on the machine
slows both. Each turn gives one ratio of requests/s, this tree / revision. The median ratio of a cell has a 95 %
bootstrap percentile interval over its turns: on a busy machine single turns are off by a factor of two, which would
widen Student's interval of the mean. The turns are split over several starts of both processes, because two
starts of the same program differ too. A cell loses when its interval lies wholly below the floor, or when this tree
fails requests and the revision does not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from rich.table import Table

from benchmarks.serving import rpc
from benchmarks.serving.models import MODEL_KINDS
from benchmarks.serving.revision import Tree
from benchmarks.serving.server_group import ServerResult, server_group
from benchmarks.serving.servers import EMBEDDED_ALWAYS, GATEWAY, OURS_BINARY, Candidate
from benchmarks.serving.viewers import watching

FLOOR = 0.97
"""The ratio that a cell must be able to reach: it loses when even the upper end of its interval is lower."""
TURNS, LEAST_TURNS, STARTS = 30, 6, 3
"""The default, with which all cells take about a quarter of an hour; and the fewest: the median of five values is
outside their range with a chance of 6 %, of six with one of 3 %.
"""
BAD = ("LOSES", "FAILS")
"""Verdicts that make the command fail."""
RESAMPLES, SEED = 10_000, 20_261_121
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class CellGroup:
    """Cells that share one pair of servers: a model, how it is served, and the connections of each cell."""

    model: str
    candidate: Candidate
    connections: tuple[int, ...]


GROUPS: Mapping[str, CellGroup] = {
    "S": CellGroup("S", GATEWAY, (1, 8, 32)),
    "M": CellGroup("M", GATEWAY, (1, 32)),
    "MC": CellGroup("MC", GATEWAY, (32,)),
    "binary": CellGroup("S", OURS_BINARY, (32,)),
    "sampled": CellGroup("S", EMBEDDED_ALWAYS, (32,)),
    "grpc": CellGroup("S", rpc.grpc_candidate(), (32,)),
}
"""By the name that `--cells` takes."""


@dataclass(slots=True)
class Comparison:
    """The slices of one cell: requests/s and failed requests of both trees, and ratios of CPU per request; ``looks`` of
    viewers meanwhile, and the failed ones.
    """

    cell: str
    connections: int
    new: list[float] = field(default_factory=list)
    old: list[float] = field(default_factory=list)
    new_errors: int = 0
    old_errors: int = 0
    cpu_ratios: list[float] = field(default_factory=list)
    looks: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, new: ServerResult, old: ServerResult) -> None:
        """Append the turns of one start of both servers."""
        self.new += [one.rate for one in new.slices]
        self.old += [one.rate for one in old.slices]
        self.new_errors += new.errors
        self.old_errors += old.errors
        cpu = zip(new.cpu_per_1000, old.cpu_per_1000, strict=True)
        self.cpu_ratios += [ours / max(theirs, 1e-9) for ours, theirs in cpu]

    @property
    def ratios(self) -> list[float]:
        """New / old, one for each turn."""
        return [new / max(old, 1e-9) for new, old in zip(self.new, self.old, strict=True)]

    def verdict(self, floor: float) -> str:
        """`LOSES` when the interval lies wholly below the floor, `holds` when wholly at or above it, else `open`.

        `FAILS` when this tree fails requests and the revision does not.
        """
        if self.new_errors and not self.old_errors:
            return "FAILS"
        low, high = interval(self.ratios)
        return "LOSES" if high < floor else "holds" if low >= floor else "open"


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """The 95 % bootstrap percentile interval of the median of paired ratios (n,), from a fixed seed."""
    values = np.asarray(ratios)
    drawn = np.random.default_rng(SEED).integers(0, len(values), (RESAMPLES, len(values)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(values[drawn], axis=1), (tail, 1 - tail))
    return float(low), float(high)


def compare(
    trees: tuple[Tree, Tree],
    cells: Mapping[str, Sequence[int]],
    turns: int,
    seconds: float,
    folder: Path,
    viewers: int = 0,
) -> list[Comparison]:
    """Measure the cells (names with their connections) of two trees, new and old, over `STARTS` starts of each server,
    each with a number of ``viewers``.

    Raises:
        NotStartedError: a server of either tree does not answer.
        RevisionError: a tree runs other code than its own.
    """
    for tree in trees:
        tree.verify()
    found = {(name, count): Comparison(name, count) for name, counts in cells.items() for count in counts}
    for start, count in enumerate(split(turns, STARTS)):
        for name, counts in cells.items():
            group_folder = folder / f"{start}-{name}"
            group_folder.mkdir()
            group = GROUPS[name]
            candidates = [tree.candidate(group.candidate) for tree in trees]
            with server_group(MODEL_KINDS[group.model], candidates, group_folder) as servers:
                addresses = [server.address for server in servers.servers.values()]
                for connections_ in counts:
                    cell = found[name, connections_]
                    with watching(addresses, viewers) as looking:
                        new, old = servers.measure_turns(connections_, count, seconds)
                    cell.add(new, old)
                    cell.looks[0] += sum(looking.looks.values())
                    cell.looks[1] += sum(looking.failed.values())
    return list(found.values())


def connections(name: str, chosen: Sequence[int] | None) -> list[int]:
    """The connections of the cells of a group, or those among them that were chosen."""
    return [count for count in GROUPS[name].connections if chosen is None or count in chosen]


def split(turns: int, starts: int) -> list[int]:
    """Turns of each start, as equal as possible; no start without turns."""
    return [turns // starts + (start < turns % starts) for start in range(min(turns, starts))]


def table(comparisons: Sequence[Comparison], names: tuple[str, str], floor: float) -> Table:
    """One line for each cell: medians of requests/s, the median ratio with its interval, and the verdict.

    The median ratio of CPU per request has no verdict; it is less affected by other load on the machine.
    """
    new, old = names
    titles = ["cell", "conn.", f"{new}, req/s", f"{old}, req/s", "ratio", "95 % interval", "turns", "failed"]
    shown = Table(
        *titles,
        "CPU ratio",
        "verdict",
        title=f"{new} / {old}; a cell loses when its interval lies wholly below {floor:g}",
    )
    for one in comparisons:
        shown.add_row(*_cells(one, floor))
    return shown


def _cells(one: Comparison, floor: float) -> Iterator[str]:
    low, high = interval(one.ratios)
    yield from (one.cell, str(one.connections), f"{median(one.new):,.0f}", f"{median(one.old):,.0f}")
    yield from (f"{median(one.ratios):.3f}", f"{low:.3f} to {high:.3f}", str(len(one.ratios)))
    yield from (f"{one.new_errors} / {one.old_errors}", f"{median(one.cpu_ratios):.3f}", one.verdict(floor))
