"""Performance goals of the gateway, and whether the measured results meet them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan

from benchmarks.serving.part import Outcome
from benchmarks.serving.server_group import ResultRow

Outcomes = Mapping[str, Outcome]
MISSING = float("nan")
GATEWAY, BATCHING, BARE = "gateway", "raw_mb0", "the model by itself"
ON_KAFKA = "gateway (Kafka)"
ALWAYS = "gateway (100% sampled)"
OUTAGE_FIGURE = "p99 without Kafka / p99 with it"
FAILED_FIGURE = "failed requests"


@dataclass(frozen=True, slots=True)
class Goal:
    """A measured figure and its target, which is a lower bound, or with ``at_most`` an upper bound."""

    name: str
    target: float
    measured: float
    format: Callable[[float], str]
    at_most: bool = False

    @property
    def bound(self) -> str:
        """The target in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.format(self.target)}"

    @property
    def verdict(self) -> str:
        """`met`, `not met` or `not measured`; figures are compared as they are displayed."""
        if isnan(self.measured):
            return "not measured"
        met = self.measured <= self.target if self.at_most else self.measured >= self.target
        return "met" if met or self.format(self.measured) == self.format(self.target) else "not met"


def goals(outcomes: Outcomes) -> list[Goal]:
    """All goals, with the results of the parts by name."""
    return [*_rates(outcomes["table"]), *_resources(outcomes["table"]), *_robustness(outcomes)]


def _rates(table: Outcome) -> Iterator[Goal]:
    for server, note in ((GATEWAY, ""), (ON_KAFKA, ", real Kafka")):
        for connections in (1, 8, 32):
            ratio = _ratio(table, "S", connections, BATCHING, server)
            yield Goal(f"S, {connections} connections{note}: requests/s / {BATCHING}", 0.85, ratio, percent)
    yield Goal(f"M, 1 connection: requests/s / {BATCHING}", 0.98, _ratio(table, "M", 1, BATCHING), percent)
    yield Goal("M, 32 connections: requests/s / batches of 32", 0.90, _ratio(table, "M", 32, BARE), percent)
    yield Goal("MC, 32 connections: requests/s / raw", 1.70, _ratio(table, "MC", 32, "raw"), percent)


def _resources(table: Outcome) -> Iterator[Goal]:
    row = _row(table, "S", 32, GATEWAY)
    name = f"S, 32 connections: CPU per request / {BATCHING}"
    yield Goal(name, 1.25, row.cpu_ratio if row else MISSING, lambda value: f"{value:.2f} x", at_most=True)
    yield Goal("S: memory", 150.0, row.megabytes if row else MISSING, lambda value: f"{value:.0f} MB", at_most=True)
    yield Goal("S: ready", 1.5, row.ready_seconds if row else MISSING, lambda value: f"{value:.2f} s", at_most=True)


def _robustness(outcomes: Outcomes) -> Iterator[Goal]:
    binary = [row.ratio for row in outcomes["binary"].rows if row.server != GATEWAY]
    yield Goal("binary tensors, worst case: requests/s / JSON", 1.0, min(binary, default=MISSING), percent)
    sampled = [row.ratio for row in outcomes["sampling"].rows if row.server == ALWAYS]
    yield Goal("100% sampled, worst case: requests/s / 0% sampled", 0.9, min(sampled, default=MISSING), percent)
    peers = max(outcomes["peers"].figures.values(), default=MISSING)
    yield Goal("fastest other server, best case: requests/s / gateway", 1.0, peers, percent, at_most=True)
    outage = outcomes["outage"].figures.get(OUTAGE_FIGURE, MISSING)
    yield Goal("Kafka dead: p99 / p99 with Kafka", 1.05, outage, percent, at_most=True)
    failed = outcomes["switches"].figures.get(FAILED_FIGURE, MISSING)
    yield Goal("safe mode switched under load: failed requests", 0.0, failed, count, at_most=True)
    errors = [row.errors for name in ("table", "binary", "sampling") for row in outcomes[name].rows if _is_ours(row)]
    errors += [one.errors for one in outcomes["soak"].latencies + outcomes["outage"].latencies]
    yield Goal("all other parts: failed requests", 0.0, sum(errors) if errors else MISSING, count, at_most=True)


def percent(value: float) -> str:
    """Format as a percentage."""
    return f"{value:.0%}"


def count(value: float) -> str:
    """Format as a whole number."""
    return f"{value:.0f}"


def _is_ours(row: ResultRow) -> bool:
    return row.server.startswith((GATEWAY, "embedded"))


def _row(outcome: Outcome, workload: str, connections: int, server: str) -> ResultRow | None:
    key = workload, connections, server
    return next((row for row in outcome.rows if (row.workload, row.connections, row.server) == key), None)


def _ratio(outcome: Outcome, workload: str, connections: int, reference: str, server: str = GATEWAY) -> float:
    """Requests/s of a server / those of another; both ratios to the first server of the cell are measured in pairs."""
    ours, theirs = (_row(outcome, workload, connections, name) for name in (server, reference))
    return ours.ratio / theirs.ratio if ours and theirs else MISSING
