"""Benchmark of the runtime options of a model on this machine: `python -m benchmarks.runtime`, half a minute.

Uses the models S and M of the serving benchmark with one thread. Each row shows milliseconds to load, microseconds of a
call with one row and with 32 (medians of alternating rounds), of the first call with 64 rows and the median of later
ones, and the memory of the process. IO binding is measured too: bound for each call, as a server needs it, and bound
once, which is possible only where one thread runs one shape.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.serving.models import MODEL_KINDS, model_files
from tightrope.service.adapters.onnxruntime import OnnxModel, RuntimeOptions

RUNTIMES = {
    "defaults": RuntimeOptions(),
    "arena: false": RuntimeOptions(arena=False),
    "memory_pattern: false": RuntimeOptions(memory_pattern=False),
    "optimization: basic": RuntimeOptions(optimization="basic"),
    "optimization: none": RuntimeOptions(optimization="none"),
    "threads: 2": RuntimeOptions(threads=2),
}
ROUNDS, ROUND_SECONDS, LATER_CALLS = 9, 0.02, 9
OUTPUT = "probabilities"


def main() -> None:
    """Run the benchmark, each combination of options in a process of its own, and print the tables."""
    if len(sys.argv) > 1:
        print(_runtime_row(*sys.argv[1:]))
        return
    print(f"load average at start {os.getloadavg()[0]:.1f}, onnxruntime {onnxruntime.__version__}")
    print("| model | runtime | load ms | 1 row us | 32 rows us | first 64 rows us | later us | MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in ("S", "M"):
        for name in RUNTIMES:
            command = [sys.executable, "-m", "benchmarks.runtime", kind, name]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
            print(done.stdout, end="", flush=True)
    print("\n| model | rows | run us | bound for each call us | kept binding us |\n|---|---|---|---|---|")
    for kind in ("S", "M"):
        for rows in (1, 32):
            times_us = " | ".join(
                f"{seconds * 1e6:.1f}" for seconds in _bindings(model_files(MODEL_KINDS[kind])["compressed"], rows)
            )
            print(f"| {kind} | {rows} | {times_us} |", flush=True)


def _runtime_row(kind: str, name: str) -> str:
    path, features = model_files(MODEL_KINDS[kind])["compressed"], MODEL_KINDS[kind].features
    began = time.perf_counter()
    model = OnnxModel(path, RUNTIMES[name])
    load = time.perf_counter() - began

    def call_with(rows: int) -> Callable[[], object]:
        inputs = {"input": np.ones((rows, features), np.float32)}
        return lambda: model.run(inputs, [OUTPUT])

    small = _medians(call_with(1), call_with(32))
    largest = call_with(64)
    first, *later = (_seconds(largest, 1) for _ in range(LATER_CALLS))
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
    shown = [f"{1e6 * seconds:.1f}" for seconds in (*small, first, statistics.median(later))]
    return f"| {kind} | {name} | {load * 1e3:.1f} | {' | '.join(shown)} | {memory:.0f} |"


def _bindings(path: Path, rows: int) -> list[float]:
    """Seconds of a plain run, of a run with a binding for the call, and of a run with a kept binding."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rows_ = np.ones((rows, session.get_inputs()[0].shape[1]), np.float32)

    def bound() -> onnxruntime.IOBinding:
        binding = session.io_binding()
        binding.bind_cpu_input("input", rows_)
        binding.bind_output(OUTPUT)
        return binding

    kept = bound()

    def run(binding: onnxruntime.IOBinding) -> object:
        session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()

    return _medians(lambda: session.run([OUTPUT], {"input": rows_}), lambda: run(bound()), lambda: run(kept))


def _medians(*calls: Callable[[], object]) -> list[float]:
    """Median seconds of each call, measured in alternating rounds."""
    times = [max(1, int(ROUND_SECONDS / _seconds(call, 3))) for call in calls]
    rounds = [[_seconds(call, n) for call, n in zip(calls, times, strict=True)] for _ in range(ROUNDS)]
    return [statistics.median(taken) for taken in zip(*rounds, strict=True)]


def _seconds(call: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


if __name__ == "__main__":
    main()
