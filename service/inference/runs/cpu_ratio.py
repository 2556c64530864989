"""The processor time of both models of a pair beside each other, by the rows of a run.

How it works: when a pair is loaded, both models run in turn on rows of zeros, in one thread, and the thread's clock is
read around each run. The ratio of their medians, times the processor time of a run in service, estimates what the other
model would have taken for it.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.adapters.runs.cpu_threads import cpu_factor
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.tensors import zeros

TIMED_SIZES = (1, 8, 32)
"""Rows of the timed runs."""

TURNS, TURNS_SECONDS = 15, 0.2
"""Runs of each model and size, and the seconds after which no more are made."""


@dataclass(frozen=True, slots=True)
class CpuRatio:
    """Processor time of the baseline relative to that of the compressed model, by the rows of a run; empty where it is
    not known.
    """

    by_rows: Mapping[int, float] = field(default_factory=dict)

    def other_seconds(self, role: Role, rows: int, seconds: float) -> float | None:
        """The CPU seconds of the other model for a run of ``role``; None where that is not known."""
        if not self.by_rows:
            return None
        nearest = max((size for size in self.by_rows if size <= rows), default=min(self.by_rows))
        ratio = self.by_rows[nearest]
        return seconds * ratio if role is Role.COMPRESSED else seconds / ratio


def measure_cpu_ratio(pair: ModelPair, most_rows: int) -> CpuRatio:
    """Measure a pair on up to ``most_rows`` rows; empty where a model is on another server, or refuses zeros."""
    factors = {role: cpu_factor(model) for role, model in pair.models.items()}
    if not all(factors.values()):
        return CpuRatio()
    found: dict[int, float] = {}
    try:
        for rows in (size for size in TIMED_SIZES if size == 1 or (size <= most_rows and pair.has_free_rows)):
            seconds = _seconds_of_both(pair, rows)
            if all(seconds.values()):
                baseline, compressed = (seconds[role] * factors[role] for role in (Role.BASELINE, Role.COMPRESSED))
                found[rows] = baseline / compressed
    except RunFailedError:
        return CpuRatio()
    return CpuRatio(found)


def _seconds_of_both(pair: ModelPair, rows: int) -> Mapping[Role, float]:
    single = zeros(pair.inputs)
    inputs = {name: np.repeat(row, rows, axis=0) for name, row in single.items()} if rows > 1 else single
    taken: dict[Role, list[float]] = {role: [] for role in Role}
    deadline = time.perf_counter() + TURNS_SECONDS
    for _ in range(TURNS):
        for role in Role:
            began = time.thread_time()
            pair.models[role].run(inputs, pair.output_names)
            taken[role].append(time.thread_time() - began)
        if time.perf_counter() > deadline:
            break
    return {role: median(seconds) for role, seconds in taken.items()}
