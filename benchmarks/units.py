"""Benchmark of the units of evidence through the whole fold: false alarms of dependent rows beside the promise, and the
delay that a wider unit costs.

    python -m benchmarks.units            # false alarms, with an alarm budget of 10,000 rows
    python -m benchmarks.units delays     # rows to an alarm, with the default budget
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from rich.console import Console
from rich.table import Table

from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.decide import apply_order
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Bools, Comparisons, Ints, Order
from tightrope.monitors.safemode import Input

MONITOR = CATALOGUE["disagreement"]
LIMIT = MONITOR.limit or 0.0
BATCH_ROWS = 1024
FALSE_ALARM_BUDGET, FALSE_ALARM_ROWS, FALSE_ALARM_RUNS = 1e4, 200_000, 4
DELAY_BUDGET, DELAY_ROWS, DELAY_RUNS = 3.15e8, 45_000, 15


@dataclass(frozen=True)
class DependentStream:
    """Rows in order: whether they disagree, and the request and the caller of each, all (n,)."""

    disagree: Bools
    request: Ints
    caller: Ints

    def rows(self) -> Comparisons:
        """Build rows without subgroups; the rows of a request share its time, a hundredth of a second after the one
        before.
        """
        digest = (self.caller.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E37_79B9_7F4A_7C15)
        return Comparisons.from_columns(
            len(self.disagree),
            model="m",
            baseline_digest="b1",
            compressed_digest="c1",
            log="log-1",
            offset=self.request,
            time=self.request / 100,
            request_id=tuple(map(str, self.request.tolist())),
            draw=0.0,
            disagree=self.disagree,
            caller=digest,
        )

    def batches(self, size: int = BATCH_ROWS) -> list[Comparisons]:
        """Cut the rows into batches of about this size, each of whole requests."""
        rows, starts = self.rows(), np.flatnonzero(np.diff(self.request, prepend=-1))
        cuts = np.unique(starts[np.searchsorted(starts, np.arange(0, starts[-1] + 1, size))]).tolist()
        return [rows.take(slice(begin, end)) for begin, end in pairwise([*cuts, len(rows)])]


def independent(rng: np.random.Generator, n: int, rate: float, callers: int = 20) -> DependentStream:
    """Draw rows that do not depend on each other."""
    return DependentStream(rng.random(n) < rate, np.arange(n), rng.integers(0, callers, n))


def bursts(rng: np.random.Generator, n: int, rate: float, mean: float, caller: Ints) -> DependentStream:
    """Draw bursts of ``mean`` rows on average, within which the rows of a caller are all alike."""
    disagree = np.zeros(n, dtype=bool)
    for one in np.unique(caller):
        own = np.flatnonzero(caller == one)
        lengths = rng.geometric(1 / mean, len(own))
        disagree[own] = np.repeat(rng.random(len(own)) < rate, lengths)[: len(own)]
    return DependentStream(disagree, np.arange(n), caller)


def requests(rng: np.random.Generator, n: int, rate: float, rows: int, concentration: float) -> DependentStream:
    """Draw requests of this many rows, whose rate has a beta distribution; a small concentration means alike rows."""
    count = n // rows
    rates = rng.beta(rate * concentration, (1 - rate) * concentration, count)
    number = np.repeat(np.arange(count), rows)
    return DependentStream((rng.random((count, rows)) < rates[:, None]).ravel(), number, number % 20)


STREAMS: Mapping[str, Callable[[np.random.Generator, int], DependentStream]] = {
    "independent, at the limit": lambda rng, n: independent(rng, n, LIMIT),
    "bursts of 5": lambda rng, n: bursts(rng, n, LIMIT / 2, 5, np.zeros(n, dtype=np.int64)),
    "20 callers in turn, bursts of 20": lambda rng, n: bursts(rng, n, LIMIT / 2, 20, np.arange(n) % 20),
    "20 callers at random, bursts of 20": lambda rng, n: bursts(rng, n, LIMIT / 2, 20, rng.integers(0, 20, n)),
    "50 callers at random, bursts of 5": lambda rng, n: bursts(rng, n, LIMIT / 2, 5, rng.integers(0, 50, n)),
    "requests of 32 rows, concentration 5": lambda rng, n: requests(rng, n, LIMIT / 2, 32, 5),
    "requests of 32 rows, concentration 20": lambda rng, n: requests(rng, n, LIMIT / 2, 32, 20),
    "requests of 256 rows, concentration 20": lambda rng, n: requests(rng, n, LIMIT / 2, 256, 20),
}
"""Streams with a rate at the limit or, where rows depend on each other, at half of it."""

UNITS: Mapping[str, EvidenceUnit] = {
    "request": EvidenceUnit(Independence.REQUEST),
    "auto": EvidenceUnit(),
    "auto, callers": EvidenceUnit(has_callers=True),
    "caller": EvidenceUnit(Independence.CALLER, has_callers=True),
    "window": EvidenceUnit(Independence.WINDOW),
    "window, callers": EvidenceUnit(Independence.WINDOW, has_callers=True),
}


def plan_of(unit: EvidenceUnit, samples: float) -> Plan:
    """Build a plan of one monitor, for a model without subgroups."""
    rules = build_rules([MonitorSpec(MONITOR, ("",), np.array([LIMIT]))], recovery_ratio=0.75)
    plan = Plan("m", "b1", "c1", (MODEL_SCOPE,), np.ones(1), rules, budget=Budget(samples), tick_seconds=1e9)
    return replace(plan, unit=unit)


def alarm_rows(plan: Plan, stream: DependentStream, most: float = np.inf) -> list[int]:
    """The rows after which the batches with an alarm end. The model is held in normal mode: every alarm starts anew."""
    state, alarms = initial_state(plan), list[int]()
    order = Order("o", 0.0, "m", MODEL_SCOPE, "force-normal", "benchmark", "to count alarms")
    for batch in stream.batches():
        if not state.modes[0].held or state.modes[0].breached:
            state, _ = apply_order(plan, state, order)
        state, transitions = watch.step(plan, state, batch)
        breaches = [t for t in transitions if t.trigger is Input.BREACH]
        alarms += [int(str(t.evidence["samples"])) for t in breaches]
        if len(alarms) >= most:
            break
    return alarms


def false_alarm_table(runs: int = FALSE_ALARM_RUNS, rows: int = FALSE_ALARM_ROWS) -> Table:
    """The table of false alarms over the promise, by stream and unit."""
    table = Table(title=f"False alarms per promised one, A = {FALSE_ALARM_BUDGET:,.0f}, {runs} runs of {rows:,} rows")
    for heading in ("stream", *UNITS):
        table.add_column(heading, justify="right" if heading != "stream" else "left")
    promised = MONITOR.share * runs * rows / FALSE_ALARM_BUDGET
    for name, stream in STREAMS.items():
        streams = [stream(np.random.default_rng(seed), rows) for seed in range(runs)]
        plans = [plan_of(unit, FALSE_ALARM_BUDGET) for unit in UNITS.values()]
        table.add_row(name, *(f"{sum(len(alarm_rows(plan, one)) for one in streams) / promised:.2f}" for plan in plans))
    return table


def delay_table(runs: int = DELAY_RUNS, rows: int = DELAY_ROWS) -> Table:
    """The table of median rows to an alarm, for independent rows above the limit from the first row on."""
    ratios = (2, 3, 5, 10)
    table = Table(title=f"Median rows to an alarm, A = {DELAY_BUDGET:,.0f}, limit {LIMIT:.0%}, {runs} runs")
    for heading in ("unit", "callers", *(f"{ratio} times" for ratio in ratios)):
        table.add_column(heading, justify="right" if heading != "unit" else "left")
    for name, unit in UNITS.items():
        for callers in (1, 20) if unit.has_callers else (1,):
            delays = []
            for ratio in ratios:
                streams = [independent(np.random.default_rng(s), rows, ratio * LIMIT, callers) for s in range(runs)]
                first = [(*alarm_rows(plan_of(unit, DELAY_BUDGET), one, most=1), np.inf)[0] for one in streams]
                delays.append(f"{np.median(first):,.0f}")
            table.add_row(name, f"{callers}", *delays)
    return table


def main() -> None:
    """Print one of the tables."""
    Console(width=160).print(delay_table() if "delays" in sys.argv[1:] else false_alarm_table())


if __name__ == "__main__":
    main()
