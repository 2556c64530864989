"""How fast the judge counts, with every monitor that needs no labels, and how large its state is.

Records go through the judge's own rounds, from bytes to the new state, beside a plain sum over the same rows.

Measured in processor time and in slices, in turn with the reference, so that what else the machine does befalls both:
the ratio is what to compare between machines, the absolute figure what to plan with.

One core means one: helpers of the linear algebra that wait in a spin would count as the judge's own time.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.judge
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.latency import Objective
from tightrope.monitors.plan import Plan, State, start
from tightrope.monitors.records import ROW_ARRAYS, Bools, Comparisons, Stream
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.record_codec import decode_comparisons, encode_comparisons, encode_state
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load
from tightrope.shadow.judge import POLL
from tightrope.shadow.judge_round import Docket

CONFIGURATION = Path(__file__).parents[1] / "demo" / "tightrope.yaml"
SEED = 20_241_121
ROWS = 32_768
"""Comparisons in one slice."""

BATCHES = (64, 256, 1024, 4096)
"""Comparisons in one record: what a worker has at hand when it polls, from quiet traffic to a backlog."""

OBJECTIVE = Objective(seconds=0.05)
"""The demo has none; here latency is watched too."""

SLICES, SUMS = 7, 20
"""How often each is measured, and how often the quick reference sums in one slice."""

UNASKED: Any = None
"""The store that a round asks for what waits for labels; here nothing does."""

UNLIKE, REFUSED = 0.01, 0.02
"""Rates well below every limit."""

PAUSE = 0.01
"""Seconds between two rows: with ten milliseconds, 64 rows fill a tick before its time is over."""


def membership(plan: Plan, rng: np.random.Generator) -> Bools:
    """One value of every attribute for each row, (ROWS, subgroups)."""
    scopes = plan.scopes[1:]
    attributes = [scope.partition("=")[0] for scope in scopes]
    member = np.zeros((ROWS, len(scopes)), dtype=bool)
    for attribute in dict.fromkeys(attributes):
        places = np.flatnonzero([name == attribute for name in attributes])
        member[np.arange(ROWS), rng.choice(places, ROWS)] = True
    return member


def traffic(plan: Plan) -> Comparisons:
    """Healthy rows: few disagree, confidences differ by a hair, few are refused, and then by both."""
    rng = np.random.default_rng(SEED)
    sure, hair = rng.uniform(0.55, 1, ROWS), rng.normal(0, 0.001, ROWS)
    refused, flags, floats = rng.random(ROWS) < REFUSED, np.zeros(ROWS, dtype=bool), np.zeros(ROWS)
    return Comparisons(
        model=plan.model,
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
        log="benchmark",
        scopes=plan.scopes[1:],
        partition=np.zeros(ROWS, dtype=np.int64),
        offset=np.arange(ROWS),
        time=np.arange(ROWS, dtype=np.float64) * PAUSE,
        request_id=tuple(f"request-{row}" for row in range(ROWS)),
        served_by_baseline=flags,
        member=membership(plan, rng),
        draw=rng.random(ROWS) * plan.rates.min(),
        inclusion=floats + 1,
        disagree=rng.random(ROWS) < UNLIKE,
        confidence_baseline=sure,
        confidence_compressed=np.clip(sure + hair, 0.5, 1),
        entropy_baseline=floats,
        entropy_compressed=floats,
        margin_baseline=floats,
        margin_compressed=floats,
        refused_baseline=refused,
        refused_compressed=refused,
        distance=floats,
        top_baseline=np.zeros(ROWS, dtype=np.int64),
        top_compressed=np.zeros(ROWS, dtype=np.int64),
        twin=np.arange(1, ROWS + 1, dtype=np.uint64),
        seconds=floats,
        self_disagree=floats + np.nan,
        correct_baseline=floats + np.nan,
        correct_compressed=floats + np.nan,
        fault=np.zeros(ROWS, dtype=np.int8),
    )


def reference(batches: Sequence[Comparisons]) -> None:
    """The least that reading every number once can cost."""
    for batch in batches:
        for name in ROW_ARRAYS:
            getattr(batch, name).sum(axis=0)


def judge(plan: Plan, records: Sequence[Record]) -> State:
    """From nothing to the state after all records, in the judge's own rounds, each record decoded and counted; that
    nothing happened shows that the usual way was measured.
    """
    states = {plan.model: start(plan)}
    for begin in range(0, len(records), POLL):
        docket = Docket({plan.model: plan}, states, UNASKED, "benchmark")
        assert not list(docket.take(records[begin : begin + POLL]))
        assert not docket.events
        states = docket.states
    assert states[plan.model].seen[Stream.COMPARISONS] >= ROWS - 2 * plan.tick_rows
    return states[plan.model]


def decode(records: Sequence[Record]) -> None:
    """The part of it that reads what the worker wrote."""
    for record in records:
        decode_comparisons(record.value)


def recorded(rows: Comparisons, size: int) -> list[Record]:
    """The rows in records of this size, as the worker publishes them."""
    values = [encode_comparisons(rows.take(slice(begin, begin + size))) for begin in range(0, len(rows), size)]
    return [Record("comparisons", 0, place, rows.model, value) for place, value in enumerate(values)]


def rate(work: Callable[[], object], rows: int = ROWS) -> float:
    """Rows in one second of processor time."""
    begun = process_time()
    work()
    return rows / (process_time() - begun)


def watched() -> Plan:
    """The demo's plan with everything watched that comparisons without labels can tell."""
    plan = replace(load_pairs(load(CONFIGURATION))["employment"].plan, objective=OBJECTIVE)
    assert {*plan.monitors} == {name for name, asked in CATALOGUE.items() if asked.stream is Stream.COMPARISONS}
    return plan


def speeds(plan: Plan, rows: Comparisons) -> Table:
    """Comparisons in a second of one core, by the size of a record."""
    asked = f"{len(plan.scopes) - 1} subgroups and the model, {len(plan.rules)} monitors and latency"
    table = Table(title=f"{asked}, ticks of {plan.tick_rows} rows")
    for heading in ("work", "rows in a record", "comparisons/s", "of reference"):
        table.add_column(heading, justify="right" if heading != "work" else "left")
    for name, work in (("judge", partial(judge, plan)), ("of it, decoding", decode)):
        for size in BATCHES:
            doing, least = partial(work, recorded(rows, size)), partial(reference, [rows] * SUMS)
            slices = [(rate(doing), rate(least, ROWS * SUMS)) for _ in range(SLICES)]
            speed, share = np.median([fast for fast, _ in slices]), np.median([fast / ref for fast, ref in slices])
            table.add_row(name, f"{size:,}", f"{speed:,.0f}", f"{share:.2%}")
    return table


def main() -> None:
    """Print the table, and the size of the state."""
    plan = watched()
    rows, console = traffic(plan), Console()
    console.print(speeds(plan, rows))
    speed = rate(partial(reference, [rows] * SUMS), ROWS * SUMS)
    console.print(f"The reference sums every column once: {speed:,.0f} rows/s. All of one core.")
    stored = len(encode_state(judge(plan, recorded(rows.take(slice(ROWS - 1)), ROWS))))  # the latest tick is still open
    console.print(
        f"The state of the model as it is stored: {stored / 1e6:.2f} MB, of them most in the paths of evidence."
    )


if __name__ == "__main__":
    main()
