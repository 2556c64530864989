"""The processor time of both models of a pair beside each other, by the rows of a run.

How it works: when a pair is loaded, both models run on rows of zeros, in one thread, in blocks of four runs: baseline,
compressed, compressed, baseline. So what changes from run to run, such as the clock rate or the work of others, and the
place in the order meet both alike. The thread's clock is read around each run. The median of the ratios of all blocks,
times the processor time of a run in service, estimates what the other model would have taken for it.
"""

import time
from collections.abc import Mapping, Sequence
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

BLOCKS, BLOCKS_SECONDS = 60, 0.2
"""Blocks of four runs for each size, and the seconds after which no more are made."""


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
            if ratios := _block_ratios(pair, rows):
                found[rows] = median(ratios) * factors[Role.BASELINE] / factors[Role.COMPRESSED]
    except RunFailedError:
        return CpuRatio()
    return CpuRatio(found)


def _block_ratios(pair: ModelPair, rows: int) -> Sequence[float]:
    """The thread's time of the baseline relative to that of the compressed model, by block."""
    single = zeros(pair.inputs)
    inputs = {name: np.repeat(row, rows, axis=0) for name, row in single.items()} if rows > 1 else single
    ratios: list[float] = []
    deadline = time.perf_counter() + BLOCKS_SECONDS
    for _ in range(BLOCKS):
        taken = dict.fromkeys(Role, 0.0)
        for role in (Role.BASELINE, Role.COMPRESSED, Role.COMPRESSED, Role.BASELINE):
            began = time.thread_time()
            pair.models[role].run(inputs, pair.output_names)
            taken[role] += time.thread_time() - began
        if all(taken.values()):
            ratios.append(taken[Role.BASELINE] / taken[Role.COMPRESSED])
        if time.perf_counter() > deadline:
            break
    return ratios
