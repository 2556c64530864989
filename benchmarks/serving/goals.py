"""What the gateway is to reach, and whether it does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isnan

from benchmarks.serving.part import Outcome
from benchmarks.serving.turns import Row

Outcomes = Mapping[str, Outcome]
MISSING = float("nan")
GATEWAY, BATCHING, BARE = "gateway", "raw_mb0", "the model by itself"
ON_KAFKA = "gateway (Kafka)"
ALWAYS = "gateway (100% sampled)"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and what it is to be: at least ``wanted``, or with ``most`` at most."""

    told: str
    wanted: float
    found: float
    show: Callable[[float], str]
    most: bool = False

    @property
    def asked(self) -> str:
        """The goal in words."""
        return f"{'at most' if self.most else 'at least'} {self.show(self.wanted)}"

    @property
    def verdict(self) -> str:
        """As it is shown, so nobody is failed by a digit that is not: `met`, `not met` or `not measured`."""
        if isnan(self.found):
            return "not measured"
        met = self.found <= self.wanted if self.most else self.found >= self.wanted
        return "met" if met or self.show(self.found) == self.show(self.wanted) else "not met"


def goals(outcomes: Outcomes) -> list[Goal]:
    """All of them."""
    return [*_fast(outcomes["table"]), *_cheap(outcomes["table"]), *_steady(outcomes)]


def _fast(table: Outcome) -> Iterator[Goal]:
    for our, sink in ((GATEWAY, ""), (ON_KAFKA, ", real Kafka")):
        for connections in (1, 8, 32):
            found = _ratio(table, "S", connections, BATCHING, our)
            yield Goal(f"S, {connections} connections{sink}: rate beside {BATCHING}", 0.85, found, share)
    yield Goal(f"M, 1 connection: rate beside {BATCHING}", 0.98, _ratio(table, "M", 1, BATCHING), share)
    yield Goal("M, 32 connections: rate beside batches of 32", 0.90, _ratio(table, "M", 32, BARE), share)
    yield Goal("MC, 32 connections: rate beside raw", 1.70, _ratio(table, "MC", 32, "raw"), share)


def _cheap(table: Outcome) -> Iterator[Goal]:
    ours = _row(table, "S", 32, GATEWAY)
    told = f"S, 32 connections: CPU of a request beside {BATCHING}"
    yield Goal(told, 1.25, ours.price_ratio if ours else MISSING, lambda value: f"{value:.2f} x", most=True)
    yield Goal("S: memory", 150.0, ours.megabytes if ours else MISSING, lambda value: f"{value:.0f} MB", most=True)
    yield Goal("S: ready", 1.5, ours.ready_seconds if ours else MISSING, lambda value: f"{value:.2f} s", most=True)


def _steady(outcomes: Outcomes) -> Iterator[Goal]:
    bytes_ = [row.ratio for row in outcomes["binary"].rows if row.server != GATEWAY]
    yield Goal("asked in bytes, worst case: rate beside JSON", 1.0, min(bytes_, default=MISSING), share)
    kept = [row.ratio for row in outcomes["sampling"].rows if row.server == ALWAYS]
    yield Goal("everything sampled, worst case: rate beside nothing sampled", 0.9, min(kept, default=MISSING), share)
    peers = max(outcomes["peers"].figures.values(), default=MISSING)
    yield Goal("the fastest of others in any cell: rate beside the gateway", 1.0, peers, share, most=True)
    lost = outcomes["outage"].figures.get("p99 without Kafka, of p99 with it", MISSING)
    yield Goal("Kafka is dead: p99 beside p99 with Kafka", 1.05, lost, share, most=True)
    failed = outcomes["switches"].figures.get("failed", MISSING)
    yield Goal("safe mode switched under load: failed requests", 0.0, failed, count, most=True)
    ours = [row.errors for name in ("table", "binary", "sampling") for row in outcomes[name].rows if _is_ours(row)]
    ours += [one.errors for one in outcomes["soak"].latencies + outcomes["outage"].latencies]
    yield Goal("everywhere else: failed requests", 0.0, sum(ours) if ours else MISSING, count, most=True)


def share(value: float) -> str:
    """In per cent."""
    return f"{value:.0%}"


def count(value: float) -> str:
    """As it is counted."""
    return f"{value:.0f}"


def _is_ours(row: Row) -> bool:
    return row.server.startswith((GATEWAY, "embedded"))


def _row(outcome: Outcome, what: str, connections: int, server: str) -> Row | None:
    same = (row for row in outcome.rows if (row.what, row.connections, row.server) == (what, connections, server))
    return next(same, None)


def _ratio(outcome: Outcome, what: str, connections: int, server: str, our: str = GATEWAY) -> float:
    """The gateway's rate beside a server's, by way of the one that both were paired with."""
    ours, theirs = (_row(outcome, what, connections, name) for name in (our, server))
    return ours.ratio / theirs.ratio if ours and theirs else MISSING
