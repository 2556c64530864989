"""False alarms of class cells through the whole judgement: fifty classes, each missed and gained exactly at its limit.

python -m benchmarks.class_alarms
"""

from collections import Counter

import numpy as np
from rich.console import Console

from tightrope.monitors import watch
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.decide import apply_order
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Order
from tightrope.monitors.safemode import Input

CLASSES, LIMIT = 50, 0.1
MONITORS = ("disagreement", "class_miss", "class_gain")
BATCH = 2048
"""Rows in one batch; after each one an operator's order starts the detectors that alarmed anew."""

ROWS, SEEDS = 1_048_576, 8
SAMPLES_PER_FALSE_ALARM = 1e4


def build_plan(samples_per_false_alarm: float) -> Plan:
    """The plan of a model without subgroups; its limit of disagreement is that of the classes."""
    budget = Budget(samples_per_false_alarm)
    specs = [
        MonitorSpec(CATALOGUE[name], CATALOGUE[name].variants(CLASSES), np.array([LIMIT]))
        if CATALOGUE[name].class_of is not None
        else MonitorSpec(CATALOGUE[name], ("",), np.array([LIMIT]))
        for name in MONITORS
    ]
    return Plan(
        "m",
        "b",
        "c",
        (MODEL_SCOPE,),
        np.ones(1),
        build_rules(specs, 0.75),
        budget,
        tick_seconds=1e9,
        digest="d",
    )


def rows_at_the_limit(rng: np.random.Generator, first: int) -> Comparisons:
    """Draw rows: the compressed model says another class on as many as the limit allows."""
    baseline, shift = rng.integers(0, CLASSES, BATCH), rng.integers(1, CLASSES, BATCH)
    compressed = np.where(rng.random(BATCH) < LIMIT, (baseline + shift) % CLASSES, baseline)
    position = first + np.arange(BATCH)
    return Comparisons.from_columns(
        BATCH,
        model="m",
        baseline_digest="b",
        compressed_digest="c",
        log="log",
        request_id=tuple(map(str, position)),
        offset=position,
        draw=0.5,
        time=position,
        top_baseline=baseline,
        top_compressed=compressed,
        disagree=baseline != compressed,
    )


def count_alarms(samples_per_false_alarm: float, rows: int, seed: int) -> Counter[str]:
    """Count the alarms of each monitor in this many rows; the model is held in normal mode."""
    plan, rng = build_plan(samples_per_false_alarm), np.random.default_rng(seed)
    state, alarms = _held(plan, initial_state(plan)), Counter[str]()
    for first in range(0, rows, BATCH):
        state, transitions = watch.step(plan, state, rows_at_the_limit(rng, first))
        for transition in transitions:
            monitors = transition.evidence["monitors"]
            if transition.trigger is Input.BREACH and isinstance(monitors, list):
                alarms.update(str(monitor["monitor"]) for monitor in monitors)
        state = _held(plan, state)
    return alarms


def promised(name: str, samples_per_false_alarm: float, rows: int) -> float:
    """The alarms that a monitor may have in the mean."""
    return CATALOGUE[name].share * rows / samples_per_false_alarm


def _held(plan: Plan, state: State) -> State:
    (mode,) = state.modes
    if mode.held and not mode.breached:
        return state
    order = Order("o", 0.0, "m", MODEL_SCOPE, "force-normal", "benchmark", "to count alarms")
    return apply_order(plan, state, order)[0]


def main() -> None:
    """Print the alarms beside the promise."""
    out, total = Console(), sum((count_alarms(SAMPLES_PER_FALSE_ALARM, ROWS, seed) for seed in range(SEEDS)), Counter())
    for name in MONITORS:
        allowed = promised(name, SAMPLES_PER_FALSE_ALARM, ROWS * SEEDS)
        out.print(f"{name}: {total[name]} alarms in {ROWS * SEEDS:,} rows at the limit; promised at most {allowed:.0f}")


if __name__ == "__main__":
    main()
