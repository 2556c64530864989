"""A fresh process that loads one model and answers one row, so that its memory and its start can be measured:
`python -P -m tightrope.offline.qualification.fresh_process MODEL ROLE STARTED BOUND < settings.json`.

It prints one JSON object. ``STARTED`` is the time of the monotonic clock, which processes share, at which it was
started; with a ``BOUND``, one core or one thread, it tells latencies, too.
"""

import json
import subprocess
import sys
import time
from enum import StrEnum

import numpy as np

from tightrope.monitors.records import Role
from tightrope.service.adapters.cpu import pin_to_one_core
from tightrope.service.adapters.memory import own_peak_bytes
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.config.loader import Settings
from tightrope.service.errors import TightropeError
from tightrope.service.inference.loading.pair_loading import load_model
from tightrope.service.protocol.tensors import zeros


class CpuBound(StrEnum):
    """The part of the processor that the process may use: all, one core, or one thread on any core."""

    NONE = "none"
    ONE_CORE = "one_core"
    ONE_THREAD = "one_thread"


TIMED_RUNS = 500
TIMED_SECONDS = 2.0


def run_fresh(
    settings: Settings, model: str, role: Role, seconds: float, bound: CpuBound = CpuBound.NONE
) -> dict[str, float] | None:
    """Measure a model in a process of its own; None where it fails or takes too long."""
    one = settings.model_copy(update={"models": {model: settings.models[model]}})
    sent = json.dumps(one.model_dump(mode="json")).encode()
    command = [sys.executable, "-P", "-m", __name__, model, str(role), str(time.monotonic()), bound]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            command, input=sent, capture_output=True, timeout=seconds, check=True
        )
        found: dict[str, float] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        return None
    return found


def main() -> None:
    """Load, answer, and print what it took."""
    name, role, started, bound = sys.argv[1:]
    is_bound = bound == CpuBound.ONE_THREAD or (bound == CpuBound.ONE_CORE and pin_to_one_core())
    section = Settings.model_validate_json(sys.stdin.read()).models[name]
    runtime = section.runtime_of(Role(role))[1]
    if bound == CpuBound.ONE_THREAD:
        runtime = runtime.model_copy(update={"threads": 1, "node_threads": 1, "execution": "sequential"})
    model = load_model(getattr(section, role), runtime)
    rows, outputs = zeros(model.inputs), [spec.name for spec in model.outputs]
    model.run(rows, outputs)
    found = {"cold_start_seconds": time.monotonic() - float(started), "peak_bytes": own_peak_bytes()}
    if is_bound:
        times: list[float] = []
        end = time.monotonic() + TIMED_SECONDS
        while len(times) < TIMED_RUNS and time.monotonic() < end:
            begin = time.perf_counter()
            model.run(rows, outputs)
            times.append(time.perf_counter() - begin)
        found |= {"p50": float(np.quantile(times, 0.5)), "p99": float(np.quantile(times, 0.99))}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    try:
        main()
    except (RunFailedError, TightropeError, OSError, ValueError) as error:
        sys.exit(f"{error}")
