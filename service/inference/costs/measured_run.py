"""A run of a batch, with the processor time that it took.

How it works: reading the clock of a thread is a system call, which takes 2 us on some virtual machines, beside 20 us of
a small run. So one of `READ_EVERY` short runs with the same number of rows is read, and counts for those that follow
it. Processor time has no long tail, unlike time that passes, so the sums keep their meaning on a busy machine. The
first runs of a model take longer, and a reading counts for more of them step by step.
"""

import time
from collections.abc import Sequence
from typing import TypeAlias

from tightrope.monitors.cost.shares import RunCost, RunPart
from tightrope.monitors.records import Role, Tensors
from tightrope.service.inference.batch import BatchExecution, RequestBatch

UNREAD_SECONDS = 200e-6
"""Processor time of a run from which each is read."""

READ_EVERY = 16
"""One of this many shorter runs with the same number of rows is read."""

MAX_SIZES = 1024
"""Numbers of rows that are remembered; a further one has all begin anew."""

CostReadings: TypeAlias = dict[int, tuple[float, int, int]]
"""By rows: seconds of the latest run that was read, further runs to which they apply, and to how many they did."""


def run_measured(
    execution: BatchExecution, index: int, role: Role, batch: RequestBatch, outputs: Sequence[str]
) -> Tensors:
    """Run a role's model on some requests of an execution; ``index`` is that of the first one. Its cost joins
    those of the execution, also where it fails. Raises as the model does.
    """
    readings, rows = execution.pair.run_seconds[role], batch.ends[-1]
    seconds = latest_reading(readings, rows)
    if seconds is not None:
        execution.costs.append(RunCost(_part(execution, index, role), rows, seconds))
        return execution.pair.models[role].run(batch.inputs, outputs)
    began = time.thread_time()
    try:
        found = execution.pair.models[role].run(batch.inputs, outputs)
    finally:
        seconds = time.thread_time() - began
        execution.costs.append(RunCost(_part(execution, index, role), rows, seconds))
    note_reading(readings, rows, seconds)
    return found


def latest_reading(readings: CostReadings, rows: int) -> float | None:
    """The seconds of a run of that many rows, by the latest one that was read; None: read this one. Threads may share
    the readings: a lost update reads one run more or less.

    >>> readings: CostReadings = {}
    >>> note_reading(readings, 1, 20e-6)
    >>> latest_reading(readings, 1) is None
    True
    >>> note_reading(readings, 1, 21e-6)
    >>> latest_reading(readings, 1), latest_reading(readings, 1)
    (2.1e-05, None)
    """
    seconds, remaining, applied = readings.get(rows, (0.0, 0, 0))
    if not remaining:
        return None
    readings[rows] = seconds, remaining - 1, applied
    return seconds


def note_reading(readings: CostReadings, rows: int, seconds: float) -> None:
    """Note a run that was read and did not fail."""
    if len(readings) >= MAX_SIZES and rows not in readings:
        readings.clear()
    _, _, applied = readings.get(rows, (0.0, 0, -1))
    applied = min(applied + 1, READ_EVERY - 1) if seconds < UNREAD_SECONDS else 0
    readings[rows] = seconds, applied, applied


def _part(execution: BatchExecution, index: int, role: Role) -> RunPart:
    if role is Role.COMPRESSED:
        return RunPart.ANSWER
    is_escalated = bool(execution.parameters) and "escalated" in execution.parameters.get(index, ())
    return RunPart.ESCALATION if is_escalated else RunPart.FALLBACK
