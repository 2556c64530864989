"""A part of the measurement, and what is kept of it: parts run one by one, the page is made of what is there."""

import json
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.serving.models import CACHE
from benchmarks.serving.turns import Row

RESULTS = CACHE / "results"
TICK = os.sysconf("SC_CLK_TCK")
OURSELVES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
IDLE = 0.1
"""Cores that may be busy with something else on a machine that is called idle."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How many slices of how many seconds, and how many minutes the long run takes."""

    slices: int = 7
    seconds: float = 2.0
    minutes: float = 10.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Answers of a server in an open loop at some rate; milliseconds."""

    what: str
    server: str
    rate: float
    p50: float
    p99: float
    p999: float
    errors: int
    late: float


@dataclass(slots=True)
class Outcome:
    """What a part found: rows, latencies, single figures, and what could not be measured, with the reason."""

    rows: list[Row] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    others: float = float("nan")
    """Cores that somebody else used meanwhile."""
    at: str = ""
    turns: str = ""


Part = Callable[[Effort, Path], Outcome]
"""Measures, in a folder of its own."""


def measured(part: Part, effort: Effort, folder: Path) -> Outcome:
    """A part's outcome, and how busy others kept the machine: a load average would count the part's own load too."""
    began, busy, own = time.monotonic(), _busy(), _own()
    outcome = part(effort, folder)
    outcome.others = max(0.0, _busy() - busy - _own() + own) / (time.monotonic() - began)
    outcome.at = time.strftime("%Y-%m-%d %H:%M")
    outcome.turns = f"{effort.slices} of {effort.seconds:g} s"
    return outcome


def _busy() -> float:
    """Processor seconds that all of the machine has used, by /proc/stat: user, nice, system, and interrupts."""
    told = Path("/proc/stat").read_text().split(maxsplit=8)
    return sum(int(told[place]) for place in (1, 2, 3, 6, 7)) / TICK


def _own() -> float:
    """Processor seconds of this process and of those that it started and that have ended."""
    return sum(resource.getrusage(who)[0] + resource.getrusage(who)[1] for who in OURSELVES)


def keep(name: str, outcome: Outcome) -> None:
    """For the page."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(asdict(outcome), indent=1))


def kept(name: str) -> Outcome:
    """What was found last; nothing where the part did not run yet."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return Outcome(missing=["not measured yet"])
    told = json.loads(path.read_text())
    told["rows"] = [Row(**one) for one in told["rows"]]
    told["latencies"] = [Latency(**one) for one in told["latencies"]]
    return Outcome(**told)


def machine() -> str:
    """In general terms: the processor's name, its cores, the memory."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {name}, {gigabytes:.0f} GB of memory, Python {platform.python_version()}"
