"""Benchmark of the incident record: the processor time of a judge with and without it, in turn.

With it, all that is judged is redacted, encoded, compressed and written by the recorder's thread, whose time counts.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.record
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.judge import ROWS, UNUSED_STORE, build_plan, to_records, traffic
from tightrope.monitors.plan import Plan, initial_state
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.journal.model_journal import Recording
from tightrope.service.adapters.journal.recorder import JournalRecorder, RecordLimits
from tightrope.service.adapters.journal.redaction import Redaction
from tightrope.service.adapters.ports import NO_RECORDER, Record, StepRecorder
from tightrope.shadow.intake.gathering import JUDGE_POLL_RECORDS
from tightrope.shadow.judge_round import JudgeRound
from tightrope.wiring.recording.recorder import current_versions

TURNS = 9
SIZES = (64, 1024)
"""Comparisons in one record of the log."""

STOP_SECONDS = 60.0
SECRET = bytes(32)


def judge(plan: Plan, records: Sequence[Record], recorder: StepRecorder) -> None:
    """Process all records from an empty state, and hand every step to the recorder."""
    states = {plan.model: initial_state(plan)}
    for begin in range(0, len(records), JUDGE_POLL_RECORDS):
        judge_round = JudgeRound({plan.model: plan}, states, UNUSED_STORE, "benchmark", recorder=recorder)
        assert not list(judge_round.process(records[begin : begin + JUDGE_POLL_RECORDS]))
        judge_round.record(states)
        states = judge_round.states


def cpu_seconds(plan: Plan, records: Sequence[Record], *, recorded: bool) -> float:
    """The processor time of all threads until everything is judged and, if ``recorded``, written."""
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), time.process_time()
        if not recorded:
            judge(plan, records, NO_RECORDER)
            return time.process_time() - began
        recording = Recording(time.time, current_versions(), "benchmark")
        limits, space = RecordLimits(90, 1 << 30), FreeSpace(folder, reserve=0)
        recorder = JournalRecorder(folder, {plan.model: Redaction(SECRET)}, recording, limits, space)
        recorder.start()
        judge(plan, records, recorder)
        recorder.stop(STOP_SECONDS)
        return time.process_time() - began


def main() -> None:
    """Run the benchmark and print the table."""
    plan = build_plan()
    rows, table = traffic(plan), Table(title="Processor time of the judge with the incident record, by that without it")
    for heading in ("rows in a record", "without, s", "with / without", "middle half"):
        table.add_column(heading, justify="right")
    for size in SIZES:
        records = to_records(rows, size)
        turns = [[cpu_seconds(plan, records, recorded=recorded) for recorded in (False, True)] for _ in range(TURNS)]
        without, ratios = np.median([turn[0] for turn in turns]), [turn[1] / turn[0] for turn in turns]
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        table.add_row(f"{size:,}", f"{without:.3f}", f"{middle:.3f}", f"{low:.3f} to {high:.3f}")
    console = Console()
    console.print(table)
    console.print(f"{ROWS:,} rows a turn, {TURNS} turns; all figures are of the whole process.")


if __name__ == "__main__":
    main()
