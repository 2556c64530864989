"""Benchmark of the incident record: the processor time of recording by that of judging the same rows, in turn.

What each way of recording asks for is redacted, encoded and written in the thread that is measured. The whole process
would be the wrong measure of a few thousandths: two equal judges differ by more on a machine that does other things.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.record
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.judge import ROWS, UNUSED_STORE, build_plan, to_records, traffic
from tightrope.monitors.folding.inputs import FoldStep
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.service.adapters.journal.model_journal import ModelJournal, Recording
from tightrope.service.adapters.journal.redaction import Redaction
from tightrope.service.adapters.ports import Record
from tightrope.shadow.intake.gathering import JUDGE_POLL_RECORDS
from tightrope.shadow.judge_round import JudgeRound
from tightrope.wiring.recording.recorder import LEAD_MEMORY_BYTES, current_versions

TURNS = 9
SIZES = (64, 1024)
"""Comparisons in one record of the log."""

SECRET = bytes(32)

WAYS: Mapping[str, tuple[int, Redaction]] = {
    "incidents": (LEAD_MEMORY_BYTES, Redaction(SECRET)),
    "all, ids dropped": (0, Redaction(SECRET, ids="drop")),
    "all, ids hashed": (0, Redaction(SECRET)),
}
"""The ways: the memory for what leads to an incident, 0 where all is written, and the redaction."""


class StepList:
    """Keeps what the judge hands to a recorder."""

    def __init__(self) -> None:
        self.notes: list[tuple[Plan, State, Sequence[FoldStep]]] = []

    def note(self, plan: Plan, before: State, steps: Sequence[FoldStep]) -> None:
        """Keep the steps."""
        self.notes.append((plan, before, steps))


def judge_seconds(plan: Plan, records: Sequence[Record], steps: StepList) -> float:
    """The processor time of judging all records from an empty state."""
    states, began = {plan.model: initial_state(plan)}, time.thread_time()
    for begin in range(0, len(records), JUDGE_POLL_RECORDS):
        judge_round = JudgeRound({plan.model: plan}, states, UNUSED_STORE, "benchmark", recorder=steps)
        assert not list(judge_round.process(records[begin : begin + JUDGE_POLL_RECORDS]))
        judge_round.record(states)
        states = judge_round.states
    return time.thread_time() - began


def record_seconds(model: str, steps: StepList, way: str) -> float:
    """The processor time of recording the steps in one of the ways."""
    lead, redaction = WAYS[way]
    with tempfile.TemporaryDirectory() as name:
        recording = Recording(time.time, current_versions(), "benchmark", lead)
        journal, began = ModelJournal(Path(name), model, redaction, recording), time.thread_time()
        for plan, before, own in steps.notes:
            journal.write(plan, before, own)
        seconds = time.thread_time() - began
        journal.end(None)
        return seconds


def main() -> None:
    """Run the benchmark and print the table."""
    plan = build_plan()
    rows, table = traffic(plan), Table(title="Processor time of recording, by that of judging")
    for heading in ("record", "rows in a record", "share", "middle half", "ns a row"):
        table.add_column(heading, justify="left" if heading == "record" else "right")
    for size in SIZES:
        records, turns = to_records(rows, size), []
        for _ in range(TURNS):
            steps = StepList()
            judged = judge_seconds(plan, records, steps)
            turns.append([judged, *(record_seconds(plan.model, steps, way) for way in WAYS)])
        times = np.array(turns)
        for number, way in enumerate(WAYS, 1):
            low, middle, high = np.quantile(times[:, number] / times[:, 0], [0.25, 0.5, 0.75])
            each = np.median(times[:, number]) / ROWS * 1e9
            table.add_row(way, f"{size:,}", f"{middle:.2%}", f"{low:.2%} to {high:.2%}", f"{each:,.0f}")
    console = Console()
    console.print(table)
    console.print(f"{ROWS:,} rows a turn, {TURNS} turns.")


if __name__ == "__main__":
    main()
