"""Benchmark of the judge's throughput, with every monitor that needs no labels, and of the size of its state.

Records pass through the judge's own rounds, from bytes to the new state. The reference is a plain sum over the same
rows. Both are measured in CPU time, in slices that alternate, so other load on the machine affects both: compare the
ratio between machines, plan with the absolute figure.

Run it with one thread: spinning helper threads of the linear algebra would count as the judge's CPU time.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.judge

`--against REVISION` compares the judge with that of another revision, in turns, and prints the ratio with its range;
`--rows-a-record 1,1024` and `--classes 50` choose the settings. Exit code 2: it cannot be measured.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from time import process_time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import judge_against
from benchmarks.judge_turns import with_classes, with_classes_said
from benchmarks.serving.revision import RevisionError
from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL
from tightrope.demo.replay import traffic as demo_traffic
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import Need
from tightrope.monitors.hunter.search import SearchPlan
from tightrope.monitors.intake.repeats import Repeats
from tightrope.monitors.latency import LatencyObjective
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import ROW_ARRAYS, Bools, Comparisons, Stream
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.record_codec import decode_comparisons, encode_comparisons, encode_state
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load
from tightrope.shadow.intake.gathering import JUDGE_POLL_RECORDS
from tightrope.shadow.judge_round import JudgeRound

CONFIGURATION = DEMO_FOLDER / "tightrope.yaml"
SEED = 20_241_121
ROWS = 32_768
"""Comparisons in one slice."""

BATCHES = (1, 64, 256, 1024, 4096)
"""Comparisons in one record, which is what a worker polls at once: from a single request to a backlog."""

MOST_RECORDS = 2_048
"""Records in one slice: with single rows its comparisons are fewer."""

OBJECTIVE = LatencyObjective(seconds=0.05)
"""The demo has no latency objective; the benchmark adds one."""

SLICES, SUMS = 7, 20
"""Slices of each figure, and repetitions of the reference in a slice, because it is fast."""

UNUSED_STORE: Any = None
"""The store of rows that wait for labels; the benchmark has none."""

DISAGREEMENT_RATE, REFUSAL_RATE = 0.01, 0.02
"""Rates well below every limit."""

ROW_SECONDS = 0.01
"""Seconds between two rows: at ten milliseconds, 64 rows fill a tick before its time is over."""


def membership(plan: Plan, rng: np.random.Generator) -> Bools:
    """Draw the subgroups of each row, (ROWS, subgroups): one value of every attribute."""
    scopes = plan.scopes[1:]
    attributes = [scope.partition("=")[0] for scope in scopes]
    member = np.zeros((ROWS, len(scopes)), dtype=bool)
    for attribute in dict.fromkeys(attributes):
        subgroups = np.flatnonzero([name == attribute for name in attributes])
        member[np.arange(ROWS), rng.choice(subgroups, ROWS)] = True
    return member


def traffic(plan: Plan) -> Comparisons:
    """Draw healthy rows: few disagree, confidences differ slightly, few are refused, always by both models; their input
    columns are those of rows of the demo.
    """
    rng = np.random.default_rng(SEED)
    codes = np.array([row.codes for row in demo_traffic()], dtype=np.float32)
    confidence, noise = rng.uniform(0.55, 1, ROWS), rng.normal(0, 0.001, ROWS)
    refused, flags, floats = rng.random(ROWS) < REFUSAL_RATE, np.zeros(ROWS, dtype=bool), np.zeros(ROWS)
    return Comparisons(
        model=plan.model,
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
        log="benchmark",
        scopes=plan.scopes[1:],
        partition=np.zeros(ROWS, dtype=np.int64),
        offset=np.arange(ROWS),
        time=np.arange(ROWS, dtype=np.float64) * ROW_SECONDS,
        request_id=tuple(f"request-{row}" for row in range(ROWS)),
        served_by_baseline=flags,
        member=membership(plan, rng),
        draw=rng.random(ROWS) * plan.rates.min(),
        inclusion=floats + 1,
        disagree=rng.random(ROWS) < DISAGREEMENT_RATE,
        confidence_baseline=confidence,
        confidence_compressed=np.clip(confidence + noise, 0.5, 1),
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
        features=codes[rng.integers(0, len(codes), ROWS)],
    )


def reference(batches: Sequence[Comparisons]) -> None:
    """Sum every column once: the minimal cost of reading the rows."""
    for batch in batches:
        for name in ROW_ARRAYS:
            getattr(batch, name).sum(axis=0)


def judge(plan: Plan, records: Sequence[Record], rows: int = ROWS) -> State:
    """Process all records from an empty state, in the judge's own rounds. Checks that no event occurs, so the common
    path is measured.
    """
    states = {plan.model: initial_state(plan)}
    for begin in range(0, len(records), JUDGE_POLL_RECORDS):
        judge_round = JudgeRound({plan.model: plan}, states, UNUSED_STORE, "benchmark")
        assert not list(judge_round.process(records[begin : begin + JUDGE_POLL_RECORDS]))
        assert not judge_round.events
        states = judge_round.states
    assert states[plan.model].seen[Stream.COMPARISONS] >= rows - 2 * plan.tick_rows
    return states[plan.model]


def decode(records: Sequence[Record], _: int) -> None:
    """Decode the records only, which is a part of the judge's work."""
    for record in records:
        decode_comparisons(record.value)


def to_records(rows: Comparisons, size: int) -> list[Record]:
    """Encode the rows as records of this size, as the worker publishes them."""
    values = [encode_comparisons(rows.take(slice(begin, begin + size))) for begin in range(0, len(rows), size)]
    return [Record("comparisons", 0, offset, rows.model, value) for offset, value in enumerate(values)]


def rate(work: Callable[[], object], rows: int = ROWS) -> float:
    """Rows per second of CPU time."""
    began = process_time()
    work()
    return rows / (process_time() - began)


def build_plan() -> Plan:
    """The demo's plan with all monitors of comparisons without labels, latency, and the search for undeclared groups,
    with the lattice of the golden rows.
    """
    settings = load(CONFIGURATION)
    section = settings.models[DEMO_MODEL].model_copy(update={"golden": DEMO_FOLDER / "data" / "golden.csv"})
    searched = settings.model_copy(update={"models": {DEMO_MODEL: section}})
    plan = replace(load_pairs(searched)[DEMO_MODEL].plan, objective=OBJECTIVE, repeats=Repeats.DISTINCT)
    watching = [monitor for monitor in CATALOGUE.values() if monitor.stream is Stream.COMPARISONS]
    assert {*plan.monitors} == {monitor.name for monitor in watching if Need.VALUE not in monitor.needs}
    return plan


def _without_slots(plan: Plan) -> SearchPlan | None:
    return plan.search and replace(plan.search, slots=False)


def speeds(plan: Plan, rows: Comparisons) -> Table:
    """The table of comparisons per second of one core, by the size of a record."""
    setting = f"{len(plan.scopes) - 1} subgroups and the model, {len(plan.rules)} monitors, latency and search"
    table = Table(title=f"{setting}, ticks of {plan.tick_rows} rows")
    for heading in ("work", "rows in a record", "comparisons/s", "/ reference"):
        table.add_column(heading, justify="right" if heading != "work" else "left")
    searches = {"judge": plan.search, "without slots": _without_slots(plan), "without search": None}
    works: dict[str, Callable[[Sequence[Record], int], object]] = {
        name: partial(judge, replace(plan, search=search)) for name, search in searches.items()
    }
    works["decoding only"] = decode
    for name, work in works.items():
        for size in BATCHES:
            count = min(ROWS, MOST_RECORDS * size)
            measured = partial(work, to_records(rows.take(slice(count)), size), count)
            minimal = partial(reference, [rows] * SUMS)
            slices = [(rate(measured, count), rate(minimal, ROWS * SUMS)) for _ in range(SLICES)]
            speed, share = np.median([fast for fast, _ in slices]), np.median([fast / ref for fast, ref in slices])
            table.add_row(name, f"{size:,}", f"{speed:,.0f}", f"{share:.2%}")
    return table


def arguments() -> argparse.Namespace:
    """Parse the command line; exits with code 2 where it is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--against", metavar="REVISION", help="compare this tree with a revision")
    parser.add_argument("--rows-a-record", type=_numbers, default=[1024], help="of each setting, with --against")
    parser.add_argument("--classes", type=int, default=0, help="of the model, instead of the two of the demo")
    parser.add_argument("--turns", type=int, default=judge_against.TURNS, help="of each setting, with --against")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> int:
    """Run the benchmark and print its table, and the size of the state; returns the exit code."""
    options, console = arguments(), Console()
    if not options.against:
        measure(options.classes, console)
        return 0
    settings = [judge_against.Setting(rows, options.classes) for rows in options.rows_a_record]
    try:
        console.print(judge_against.against(options.against, settings, options.turns))
    except RevisionError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def measure(classes: int, console: Console) -> None:
    """Print the table of this tree's judge and the size of the state; 0 classes: the two of the demo."""
    plan = build_plan()
    rows = traffic(plan)
    if classes:
        plan, rows = with_classes(plan, classes), with_classes_said(rows, classes)
    console.print(speeds(plan, rows))
    speed = rate(partial(reference, [rows] * SUMS), ROWS * SUMS)
    console.print(f"The reference sums every column once: {speed:,.0f} rows/s. All figures are of one core.")
    state = judge(plan, to_records(rows.take(slice(ROWS - 1)), ROWS))  # the latest tick is still open
    slices = 0 if state.search.lattice is None else len(state.search.lattice)
    stored = len(encode_state(state))
    console.print(f"The model's stored state: {stored / 1e6:.2f} MB, mostly the paths of evidence; {slices:,} slices.")


if __name__ == "__main__":
    sys.exit(main())
