"""docs/serving.md: page.md with what the parts found."""

from collections.abc import Mapping
from math import isnan
from pathlib import Path

from benchmarks.serving import tables
from benchmarks.serving.goals import GATEWAY, goals
from benchmarks.serving.models import KINDS
from benchmarks.serving.part import IDLE, Outcome, machine
from benchmarks.serving.picture import Shares, svg

TEMPLATE = Path(__file__).with_suffix(".md")
LOADS = (("S", 1), ("S", 8), ("S", 32), ("M", 1), ("M", 32))
HAND, OURS = ("raw_mb0", "raw"), (GATEWAY, "gateway (Kafka)", "embedded")


def page(outcomes: Mapping[str, Outcome]) -> str:
    """The whole page."""
    loads = [[name, one.at or "-", one.turns or "-", _cores(one)] for name, one in outcomes.items()]
    return TEMPLATE.read_text().format(
        goals=_goals(outcomes),
        models=tables.lines([[f"{kind.name}", kind.told] for kind in KINDS.values()]),
        machine=machine(),
        idle=_idle(outcomes),
        loads=tables.markdown(["part", "when", "turns", "cores that others used"], loads),
        **{name: tables.page(outcome) for name, outcome in outcomes.items()},
    )


def picture(outcomes: Mapping[str, Outcome]) -> str:
    """The rates of all servers under the loads that all of them had."""
    servers: dict[str, dict[str, float]] = {}
    for row in (*outcomes["table"].rows, *outcomes["peers"].rows):
        if (row.what, row.connections) in LOADS and row.server in _drawn(outcomes):
            servers.setdefault(row.server, {})[_load(row.what, row.connections)] = row.ratio
    return svg([_load(*load) for load in LOADS], _sorted(servers), OURS, HAND)


def _drawn(outcomes: Mapping[str, Outcome]) -> set[str]:
    return {*HAND, *OURS, *(row.server for row in outcomes["peers"].rows)}


def _sorted(servers: Mapping[str, Shares]) -> Mapping[str, Shares]:
    """Ours and those by hand first, as they are; then the fastest."""
    first = [name for name in (*HAND, *OURS) if name in servers]
    rest = sorted(servers.keys() - {*first}, key=lambda name: -sum(servers[name].values()))
    return {name: servers[name] for name in (*first, *rest)}


def _load(what: str, connections: int) -> str:
    return f"{what}, {connections} connection{'s' * (connections > 1)}"


def _goals(outcomes: Mapping[str, Outcome]) -> str:
    found = goals(outcomes)
    lines = [
        [one.told, one.asked, "-" if one.verdict == "not measured" else one.show(one.found), one.verdict]
        for one in found
    ]
    return tables.markdown(["goal", "asked", "found", ""], lines)


def _cores(outcome: Outcome) -> str:
    return "-" if isnan(outcome.others) else f"{outcome.others:.2f}"


def _idle(outcomes: Mapping[str, Outcome]) -> str:
    """Whether the figures are those of a quiet machine."""
    found = [one.others for one in outcomes.values() if not isnan(one.others)]
    if max(found, default=0.0) < IDLE:
        return "The machine was idle otherwise."
    return (
        "The machine was **not idle**: rates are lower and latencies higher than they could be, and CPU grows with\n"
        "what others do to caches and shared cores. Ratios still compare, with more noise."
    )
