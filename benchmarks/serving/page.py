"""docs/serving.md: the template page.md, filled with the results of the parts."""

from collections.abc import Mapping
from math import isnan
from pathlib import Path

from benchmarks.serving import tables
from benchmarks.serving.goals import GATEWAY, goals
from benchmarks.serving.models import MODEL_KINDS
from benchmarks.serving.part import IDLE_CORES, Outcome, machine
from benchmarks.serving.picture import Shares, svg

TEMPLATE = Path(__file__).with_suffix(".md")
LOADS = (("S", 1), ("S", 8), ("S", 32), ("M", 1), ("M", 32))
MINIMAL, OURS = ("raw_mb0", "raw"), (GATEWAY, "gateway (Kafka)", "embedded")


def page(outcomes: Mapping[str, Outcome]) -> str:
    """The page, from the results of the parts by name."""
    loads = [[name, one.finished or "-", one.turns or "-", _cores(one)] for name, one in outcomes.items()]
    return TEMPLATE.read_text().format(
        goals=_goals(outcomes),
        models=tables.lines([[f"{kind.name}", kind.description] for kind in MODEL_KINDS.values()]),
        machine=machine(),
        idle=_idle(outcomes),
        loads=tables.markdown(["part", "finished", "turns", "cores used by other programs"], loads),
        **{name: tables.page(outcome) for name, outcome in outcomes.items()},
    )


def picture(outcomes: Mapping[str, Outcome]) -> str:
    """The picture of requests/s of all servers under the loads that all of them had."""
    servers: dict[str, dict[str, float]] = {}
    for row in (*outcomes["table"].rows, *outcomes["peers"].rows):
        if (row.workload, row.connections) in LOADS and row.server in _drawn(outcomes):
            servers.setdefault(row.server, {})[_load(row.workload, row.connections)] = row.ratio
    return svg([_load(*load) for load in LOADS], _sorted(servers), OURS, MINIMAL)


def _drawn(outcomes: Mapping[str, Outcome]) -> set[str]:
    return {*MINIMAL, *OURS, *(row.server for row in outcomes["peers"].rows)}


def _sorted(servers: Mapping[str, Shares]) -> Mapping[str, Shares]:
    """The minimal servers and ours in a fixed order, then the others by speed."""
    first = [name for name in (*MINIMAL, *OURS) if name in servers]
    others = sorted(servers.keys() - {*first}, key=lambda name: -sum(servers[name].values()))
    return {name: servers[name] for name in (*first, *others)}


def _load(workload: str, connections: int) -> str:
    return f"{workload}, {connections} connection{'s' * (connections > 1)}"


def _goals(outcomes: Mapping[str, Outcome]) -> str:
    lines = [
        [one.name, one.bound, "-" if one.verdict == "not measured" else one.format(one.measured), one.verdict]
        for one in goals(outcomes)
    ]
    return tables.markdown(["goal", "target", "measured", ""], lines)


def _cores(outcome: Outcome) -> str:
    return "-" if isnan(outcome.other_cores) else f"{outcome.other_cores:.2f}"


def _idle(outcomes: Mapping[str, Outcome]) -> str:
    """Say whether other programs used the machine meanwhile."""
    cores = [one.other_cores for one in outcomes.values() if not isnan(one.other_cores)]
    if max(cores, default=0.0) < IDLE_CORES:
        return "The machine was otherwise idle."
    return (
        "The machine was **not idle**: requests/s are lower and latencies higher than possible, and CPU figures\n"
        "include the effect of other programs on caches and shared cores. Ratios remain comparable, with more noise."
    )
