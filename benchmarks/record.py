"""Benchmark of the incident record: the processor time of recording by that of judging the same rows, in turn.

What each way of recording asks for is redacted, encoded and written in the thread that is measured, from the first
segment to the end of the last one. The whole process would be the wrong measure of a few thousandths: two equal judges
differ by more on a machine that does other things.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.record
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.judge import ROW_SECONDS, ROWS, SEED, UNUSED_STORE, build_plan, to_records, traffic
from tightrope.monitors.folding.inputs import FoldStep
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.journal.model_journal import ModelJournal, Recording
from tightrope.service.adapters.journal.redaction import IdWay, Redaction
from tightrope.service.adapters.ports import Record
from tightrope.shadow.intake.gathering import JUDGE_POLL_RECORDS
from tightrope.shadow.judge_round import JudgeRound
from tightrope.wiring.recording.recorder import LEAD_MEMORY_BYTES, current_versions

TURNS, PARTS = 5, 4
"""Turns of each figure, and the parts of the traffic, each with the rows of a slice of the benchmark of the judge: a
record of some segments, as each begins with a state.
"""

SIZES = (32, 1024)
"""Comparisons in one record of the log."""

ROUND_ROWS = 8_192
"""Most rows in a round of the judge: about as many come while the one before is judged and saved."""

SECRET = bytes(32)

SCENES: Mapping[str, int] = {"between": LEAD_MEMORY_BYTES, "during": 0}
"""The scenes, between incidents and during one, with the bytes of memory for what leads to an incident, 0 where all is
written.
"""

ID_WAYS: Sequence[IdWay] = ("hash", "keep", "drop")

WAYS = [(scene, ids) for scene in SCENES for ids in ID_WAYS]


class StepList:
    """Keeps what the judge hands to a recorder."""

    def __init__(self) -> None:
        self.notes: list[tuple[Plan, State, Sequence[FoldStep]]] = []

    def note(self, plan: Plan, before: State, steps: Sequence[FoldStep]) -> None:
        """Keep the steps."""
        self.notes.append((plan, before, steps))


def recorded_traffic(plan: Plan) -> Comparisons:
    """The rows of the benchmark of the judge, some times over, as a gateway names them, and with a value of its own in
    each column that most models fill: what has one value in all rows takes no room in a record.
    """
    rng, rows = np.random.default_rng(SEED), traffic(plan)
    parts = [
        replace(rows, offset=rows.offset + n * ROWS, time=rows.time + n * ROWS * ROW_SECONDS) for n in range(PARTS)
    ]
    joined = parts[0].join(*parts[1:])
    entropy, margin = rng.uniform(0.1, 0.6, (2, len(joined)))
    noise, top = rng.normal(0, 0.001, (3, len(joined))), rng.integers(0, 2, len(joined))
    return replace(
        joined,
        request_id=tuple(f"5f1d6a0c93be27c4-{row}" for row in range(len(joined))),
        twin=rng.integers(1, 2**63, len(joined)).astype(np.uint64),
        entropy_baseline=entropy,
        entropy_compressed=entropy + noise[0],
        margin_baseline=margin,
        margin_compressed=margin + noise[1],
        distance=np.abs(noise[2]),
        top_baseline=top,
        top_compressed=np.where(joined.disagree, 1 - top, top),
        seconds=rng.uniform(0.001, 0.01, len(joined)),
    )


class Turns:
    """Judges and records the same rows in one way, again and again. ``seconds`` is the processor time of the latest
    turn: of judging, and of recording.
    """

    def __init__(self, plan: Plan, folder: Path, scene: str, ids: IdWay) -> None:
        self._plan, self.seconds = plan, np.zeros(2)
        recording = Recording(time.time, current_versions(), "benchmark", SCENES[scene])
        self._journal = ModelJournal(folder, plan.model, Redaction(SECRET, ids=ids), recording)

    def run(self, records: Sequence[Record], size: int) -> None:
        """Judge all records from an empty state in rounds, and record each one. Checks that no event occurs."""
        states, step = (
            {self._plan.model: initial_state(self._plan)},
            min(JUDGE_POLL_RECORDS, max(ROUND_ROWS // size, 1)),
        )
        judged, recorded, kept = (
            0.0,
            0.0,
            list[StepList](),
        )  # to free rows is a cost of the judge with and without a record
        for begin in range(0, len(records), step):
            steps, began = StepList(), time.thread_time()
            states = self._judged(states, records[begin : begin + step], steps)
            kept.append(steps)
            between = time.thread_time()
            for plan, before, own in steps.notes:
                self._journal.write(plan, before, own)
            judged, recorded = judged + between - began, recorded + time.thread_time() - between
        began = time.thread_time()
        self._journal.end(None)
        self.seconds = np.array([judged, recorded + time.thread_time() - began])
        for segment in [*self._journal.files.segments.values()]:
            self._journal.files.drop_segment(segment)

    def _judged(self, states: dict[str, State], records: Sequence[Record], steps: StepList) -> dict[str, State]:
        """The states after a round."""
        judge_round = JudgeRound({self._plan.model: self._plan}, states, UNUSED_STORE, "benchmark", recorder=steps)
        assert not list(judge_round.process(records))
        assert not judge_round.events
        judge_round.record(states)
        return judge_round.states


def main() -> None:
    """Run the benchmark and print the table."""
    plan = build_plan()
    rows, table = recorded_traffic(plan), Table(title="Processor time of recording, by that of judging")
    for heading in ("scene", "ids", "rows in a record", "share", "middle half", "ns a row", "judge, ns a row"):
        table.add_column(heading, justify="left" if heading in {"scene", "ids"} else "right")
    with tempfile.TemporaryDirectory() as name:
        ways = {way: Turns(plan, Path(name, *way), *way) for way in WAYS}
        for size in SIZES:
            records = to_records(rows, size)
            times = np.array([[turn(each, records, size) for each in ways.values()] for _ in range(TURNS)])
            for way, (judged, recorded) in zip(ways, times.transpose(1, 2, 0), strict=True):
                low, middle, high = np.quantile(recorded / judged, [0.25, 0.5, 0.75])
                figures = (f"{np.median(each) / len(rows) * 1e9:,.0f}" for each in (recorded, judged))
                table.add_row(*way, f"{size:,}", f"{middle:.2%}", f"{low:.2%} to {high:.2%}", *figures)
            table.add_section()
    console = Console()
    console.print(table)
    console.print(f"{len(rows):,} rows a turn, {TURNS} turns.")


def turn(turns: Turns, records: Sequence[Record], size: int) -> NDArray[np.float64]:
    """The seconds of one more turn."""
    turns.run(records, size)
    return turns.seconds


if __name__ == "__main__":
    main()
