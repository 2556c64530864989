"""Parts of the benchmark and their stored results: parts run one at a time, the page shows the latest of each."""

import json
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.serving.models import CACHE
from benchmarks.serving.server_group import ResultRow

RESULTS = CACHE / "results-2"
TICK = os.sysconf("SC_CLK_TCK")
OWN_PROCESSES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
CPU_FIELDS = (1, 2, 3, 6, 7)
"""Fields of the first line of /proc/stat: user, nice, system, and interrupts."""
IDLE_CORES = 0.1
"""Cores that other programs may use on a machine that counts as idle."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Slices of each cell, their length in seconds, and the length of the soak test in minutes."""

    slices: int = 7
    seconds: float = 2.0
    minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies of a server in an open loop at ``rate`` requests/s, in milliseconds."""

    workload: str
    server: str
    rate: float
    p50: float
    p99: float
    p999: float
    errors: int
    generator_late: float


@dataclass(slots=True)
class Outcome:
    """Results of a part: rows, latencies, single figures, and the reason for each thing that could not be measured."""

    rows: list[ResultRow] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    other_cores: float = float("nan")
    """Mean number of cores that other programs used meanwhile."""
    finished: str = ""
    turns: str = ""


Part = Callable[[Effort, Path], Outcome]
"""Measures, with a folder for its files."""


def run_part(part: Part, effort: Effort, folder: Path) -> Outcome:
    """Run a part and measure the CPU that other programs used; the load average would include the part itself."""
    began, busy, own = time.monotonic(), _machine_seconds(), _own_seconds()
    outcome = part(effort, folder)
    others = _machine_seconds() - busy - (_own_seconds() - own)
    outcome.other_cores = max(0.0, others) / (time.monotonic() - began)
    outcome.finished = time.strftime("%Y-%m-%d %H:%M")
    outcome.turns = f"{effort.slices} of {effort.seconds:g} s"
    return outcome


def _machine_seconds() -> float:
    """CPU seconds that the whole machine has used, from /proc/stat."""
    fields = Path("/proc/stat").read_text().split(maxsplit=8)
    return sum(int(fields[index]) for index in CPU_FIELDS) / TICK


def _own_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(resource.getrusage(who)[0] + resource.getrusage(who)[1] for who in OWN_PROCESSES)


def save_outcome(name: str, outcome: Outcome) -> None:
    """Store the results of a part for the page."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(asdict(outcome), indent=1))


def load_outcome(name: str) -> Outcome:
    """The latest results of a part; empty with a reason when it never ran."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return Outcome(missing=["not measured yet"])
    stored = json.loads(path.read_text())
    stored["rows"] = [ResultRow(**row) for row in stored["rows"]]
    stored["latencies"] = [Latency(**latency) for latency in stored["latencies"]]
    return Outcome(**stored)


def machine() -> str:
    """The processor's name, the number of cores, the memory, and Python's version."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {name}, {gigabytes:.0f} GB of memory, Python {platform.python_version()}"
