"""Costs of both models: latency, memory, time to the first answer, size of the files, and processor time."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import msgspec
import numpy as np

from tightrope.monitors.records import Role, Tensors
from tightrope.offline.pair_evaluation import PairEvaluation
from tightrope.offline.qualification.energy import joules_per_row
from tightrope.offline.qualification.fresh_process import CpuBound, run_fresh
from tightrope.offline.qualification.stages import TimedProgress
from tightrope.service.adapters.cpu import usable_cores
from tightrope.service.adapters.model_files import find_files
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import EnergyMeter
from tightrope.service.config.loader import Settings
from tightrope.service.inference.row_files.row_file import row_count

WARM_UP_RUNS = 50
WARM_UP_SECONDS = 2.0
"""The time after which a slow model, such as one on another server, counts as warm."""

TIMED_ROWS = 2000
TIMED_SECONDS_OF_ROLE = 2.0
CALLERS_PER_CORE = 2
FRESH_SECONDS = 60.0

BY_RAPL = "RAPL: joules of the processor packages, less those of idle time"
BY_CPU_SECONDS = "no RAPL: CPU seconds"


class Costs(msgspec.Struct, frozen=True):
    """The costs by kind, then by role; None where one could not be measured. ``latency`` is in seconds;
    without RAPL there are no ``joules_per_row``.
    """

    latency: dict[str, dict[str, float | None]]
    file_bytes: dict[str, float | None]
    peak_bytes: dict[str, float | None]
    cold_start_seconds: dict[str, float | None]
    cpu_seconds_per_row: dict[str, float | None]
    joules_per_row: dict[str, float | None] = {}

    def by_criterion(self) -> Mapping[str, Mapping[str, float | None]]:
        """The costs under the names of their criteria."""
        return {
            "latency_p50": self.latency.get("p50", {}),
            "latency_p99": self.latency.get("p99", {}),
            "cold_start": self.cold_start_seconds,
            "peak_memory": self.peak_bytes,
            "file_size": self.file_bytes,
            "energy": self.joules_per_row or self.cpu_seconds_per_row,
        }

    @property
    def energy_record(self) -> dict[str, object]:
        """The energy as a statement has it."""
        how = BY_RAPL if self.joules_per_row else BY_CPU_SECONDS
        joules = self.joules_per_row or None
        return {"joules_per_row": joules, "cpu_seconds_per_row": self.cpu_seconds_per_row, "how": how}


def measure_costs(
    evaluation: PairEvaluation,
    settings: Settings,
    progress: TimedProgress,
    *,
    stress: bool,
    meter: EnergyMeter | None = None,
) -> Costs:
    """Measure the costs of both models; with ``stress`` also on one core, with one thread, and under
    concurrent callers. The ``meter``
    tells the energy of this host.

    Raises:
        TimeIsUpError: when no time is left.
    """
    progress.begin("measuring costs", (5 if stress else 2) * len(Role) + 1)
    latency, cpu = measure_latencies(evaluation)
    progress.advance(len(Role))
    pair = evaluation.pair
    local = {role: model for role, model in pair.models.items() if endpoint_of(model) is None}
    joules = joules_per_row(meter if local else None, local, single_rows(evaluation), pair.deciding)
    progress.advance()
    fresh: dict[Role, dict[str, float]] = {}
    for role in Role:
        fresh[role] = _run_fresh(evaluation, settings, role)
        progress.advance()
    if stress:
        for bound, role in product((CpuBound.ONE_CORE, CpuBound.ONE_THREAD), Role):
            found = _run_fresh(evaluation, settings, role, bound)
            for key in ("p50", "p99"):
                latency.setdefault(f"{bound}_{key}", {})[str(role)] = found.get(key)
            progress.advance()
        for role in Role:
            loaded = _loaded_p99(evaluation, role)
            alone = latency["p99"][str(role)]
            latency.setdefault("concurrent_p99", {})[str(role)] = loaded
            latency.setdefault("cliff", {})[str(role)] = loaded / alone if alone else None
            progress.advance()
    return Costs(
        latency=latency,
        file_bytes={str(role): file_bytes(settings, evaluation.pair.name, role) for role in Role},
        peak_bytes={str(role): found.get("peak_bytes") or None for role, found in fresh.items()},
        cold_start_seconds={str(role): found.get("cold_start_seconds") for role, found in fresh.items()},
        cpu_seconds_per_row={str(role): seconds if role in local else None for role, seconds in cpu.items()},
        joules_per_row=joules,
    )


def _run_fresh(
    evaluation: PairEvaluation, settings: Settings, role: Role, bound: CpuBound = CpuBound.NONE
) -> dict[str, float]:
    """The figures of a fresh process; none for a model on another server, whose process is not this host's."""
    if endpoint_of(evaluation.pair.models[role]) is not None:
        return {}
    return run_fresh(settings, evaluation.pair.name, role, FRESH_SECONDS, bound) or {}


def single_rows(evaluation: PairEvaluation) -> list[Tensors]:
    """The first rows of the file, one a call."""
    rows: list[Tensors] = []
    for part in evaluation.table.parts:
        taken = range(min(row_count(part), TIMED_ROWS - len(rows)))
        rows += [{name: np.asarray(tensor[row : row + 1]) for name, tensor in part.items()} for row in taken]
    return rows


def measure_latencies(evaluation: PairEvaluation) -> tuple[dict[str, dict[str, float | None]], dict[Role, float]]:
    """The latencies of single rows, both models in turn so that both see the same host, and the processor time."""
    rows, models, outputs = single_rows(evaluation), evaluation.pair.models, evaluation.pair.deciding
    warm = time.perf_counter() + WARM_UP_SECONDS
    for row in rows[:WARM_UP_RUNS]:
        for role in Role:
            models[role].run(row, outputs)
        if time.perf_counter() > warm:
            break
    times: dict[Role, list[float]] = {role: [] for role in Role}
    spent = dict.fromkeys(Role, 0.0)
    for row in rows:
        for role in Role:
            begin, before = time.perf_counter(), time.process_time()
            models[role].run(row, outputs)
            times[role].append(time.perf_counter() - begin)
            spent[role] += time.process_time() - before
        if sum(map(sum, times.values())) > TIMED_SECONDS_OF_ROLE * len(Role):
            break
    quantiles: dict[str, dict[str, float | None]] = {
        name: {str(role): float(np.quantile(found, q)) for role, found in times.items()}
        for name, q in (("p50", 0.5), ("p99", 0.99))
    }
    return quantiles, {role: spent[role] / len(times[role]) for role in Role}


def _loaded_p99(evaluation: PairEvaluation, role: Role) -> float:
    """The 99 % quantile of the latency while twice as many callers as cores ask at once."""
    rows, model, outputs = single_rows(evaluation), evaluation.pair.models[role], evaluation.pair.deciding
    callers = CALLERS_PER_CORE * usable_cores()

    end = time.perf_counter() + TIMED_SECONDS_OF_ROLE

    def ask(own: Sequence[Tensors]) -> list[float]:
        times = []
        for row in own:
            begin = time.perf_counter()
            model.run(row, outputs)
            times.append(time.perf_counter() - begin)
            if time.perf_counter() > end:
                break
        return times

    with ThreadPoolExecutor(callers) as pool:
        found = list(pool.map(ask, [rows[caller::callers] for caller in range(callers)]))
    return float(np.quantile(np.concatenate([np.array(each) for each in found]), 0.99))


def file_bytes(settings: Settings, model: str, role: Role) -> float | None:
    """The bytes of all files of a model; None for one on another server."""
    artefact = getattr(settings.models[model], str(role))
    if not isinstance(artefact, Path):
        return None
    files = find_files(artefact)
    return float(sum(path.stat().st_size for path in (files.path, *files.external)))
