"""Benchmark of the detectors: false alarms exactly at the limit, and the delay after a change.

python -m benchmarks.detectors
"""

from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from tightrope.monitors.detector import LOG_ZERO, Bernoulli, advance
from tightrope.monitors.records import Floats, Ints

SEED = 20_241_121
LIMIT = 0.02
STREAMS = 400
"""Repetitions, an axis of every array."""

SAMPLES = 100_000
BUDGETS = np.array([3e5, 1e6, 2e6])
"""The budgets A: samples per false alarm."""

HEALTHY, CHANGE, BUDGET = 0.01, 5_000, 2e6
"""Rate before the change, sample after which it happens, and budget A."""

REFERENCE = {
    (1, 0.03): 3674, (1, 0.05): 588, (1, 0.1): 134,
    (64, 0.03): 3896, (64, 0.05): 632, (64, 0.1): 184,
}  # fmt: skip
"""Median delays of an independent implementation, by batch size and rate."""

MAX_DELAY = 60_000
"""Samples after the change at which it counts as missed."""


def false_alarms(rng: np.random.Generator) -> Ints:
    """Count the alarms (budgets, streams) in `SAMPLES` samples exactly at the limit.

    The detector is evaluated after each sample, and restarts after an alarm.
    """
    detector, thresholds = Bernoulli.above(LIMIT), np.log(BUDGETS)[:, None]
    log_mass = np.full((len(BUDGETS), STREAMS, detector.up.shape[-1]), LOG_ZERO)
    alarms = np.zeros((len(BUDGETS), STREAMS), dtype=np.int64)
    one = np.array(1)
    for _ in range(SAMPLES // 1000):
        for ones in rng.binomial(1, LIMIT, (1000, STREAMS)):
            log_mass = advance(log_mass, 1.0, detector.log_e(one, ones))
            over = detector.evidence(log_mass) >= thresholds
            if over.any():
                alarms += over
                log_mass[over] = LOG_ZERO
    return alarms


def delays(rng: np.random.Generator, rate: float, batch: int) -> Floats:
    """Samples from the change to the alarm (streams,), infinite where it is missed; alarms before it restart it."""
    detector, threshold = Bernoulli.above(LIMIT), np.log(BUDGET)
    log_mass = np.full((STREAMS, detector.up.shape[-1]), LOG_ZERO)
    delay = np.full(STREAMS, np.inf)
    size = np.array(batch)
    for end in range(batch, CHANGE + MAX_DELAY, batch):
        before = min(max(CHANGE - (end - batch), 0), batch)
        ones = rng.binomial(before, HEALTHY, STREAMS) + rng.binomial(batch - before, rate, STREAMS)
        log_mass = advance(log_mass, float(batch), detector.log_e(size, ones))
        over = detector.evidence(log_mass) >= threshold
        if end <= CHANGE:
            log_mass[over] = LOG_ZERO
        else:
            delay[over & np.isinf(delay)] = end - CHANGE
            if np.isfinite(delay).all():
                break
    return delay


def alarms_table(alarms: Ints) -> Table:
    """The table of false alarms with the bound N/A on their expected number."""
    table = Table(title=f"False alarms per {SAMPLES:,} samples exactly at the limit of {LIMIT:.0%} (evaluated at each)")
    for heading in ("budget A", "bound N/A", "alarms, mean", "± s.e.", "share with any", "streams"):
        table.add_column(heading, justify="right")
    for budget, row in zip(BUDGETS, alarms, strict=True):
        error = row.std(ddof=1) / np.sqrt(len(row))
        shown = [f"{SAMPLES / budget:.3f}", f"{row.mean():.3f}", f"{error:.3f}", f"{(row > 0).mean():.3f}"]
        table.add_row(f"{budget:.0e}", *shown, str(len(row)))
    return table


def delays_table(rng: np.random.Generator) -> Table:
    """The table of delays: median and 95th percentile, with the reference."""
    table = Table(title=f"Samples until a change from {HEALTHY:.0%} is found: limit {LIMIT:.0%}, A {BUDGET:.0e}")
    for heading in ("batch", "rate", "median", "95 %", "missed", "reference", "ratio"):
        table.add_column(heading, justify="right")
    for (batch, rate), reference in REFERENCE.items():
        delay = delays(rng, rate, batch)
        median, late = np.quantile(delay, [0.5, 0.95], method="nearest")
        shown = [f"{median:,.0f}", f"{late:,.0f}", str(int(np.isinf(delay).sum())), f"{reference:,}"]
        table.add_row(str(batch), f"{rate:.0%}", *shown, f"{median / reference:.2f}")
    return table


def main() -> None:
    """Run the benchmark and print both tables."""
    rng, began, console = np.random.default_rng(SEED), perf_counter(), Console()
    console.print(alarms_table(false_alarms(rng)))
    console.print(delays_table(rng))
    console.print(f"{STREAMS} streams a row, seed {SEED}, {perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
