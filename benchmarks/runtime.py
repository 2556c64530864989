"""What each way of running a model is worth on this machine: `python -m benchmarks.runtime`, half a minute.

The models S and M of the serving benchmark, one thread a call; a line a way: milliseconds to load, microseconds of a
call with one row and with 32 (medians of rounds that take turns), the first call of 64 rows beside the median of later
ones, and the memory that the process has then. IO binding is measured beside it: with a binding for each call, as a
server needs it, and with one that is kept, which is possible only where one thread runs one shape.
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

from benchmarks.serving.models import KINDS, made
from tightrope.service.adapters.onnxruntime import OnnxModel, Runtime

WAYS = {
    "as it is": Runtime(),
    "arena: false": Runtime(arena=False),
    "memory_pattern: false": Runtime(memory_pattern=False),
    "optimization: basic": Runtime(optimization="basic"),
    "optimization: none": Runtime(optimization="none"),
    "threads: 2": Runtime(threads=2),
}
ROUNDS, ROUND_SECONDS, LATER = 9, 0.02, 9
OUTPUT = "probabilities"


def main() -> None:
    """Measure everything, each way in a process of its own."""
    if len(sys.argv) > 1:
        print(_way(*sys.argv[1:]))
        return
    print(f"load average at start {os.getloadavg()[0]:.1f}, onnxruntime {onnxruntime.__version__}")
    print("| model | runtime | load ms | 1 row us | 32 rows us | first 64 rows us | later us | MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in ("S", "M"):
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.runtime", kind, way]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
            print(done.stdout, end="", flush=True)
    print("\n| model | rows | run us | bound for each call us | kept binding us |\n|---|---|---|---|---|")
    for kind in ("S", "M"):
        for rows in (1, 32):
            told = " | ".join(f"{seconds * 1e6:.1f}" for seconds in _bindings(made(KINDS[kind])["compressed"], rows))
            print(f"| {kind} | {rows} | {told} |", flush=True)


def _way(kind: str, way: str) -> str:
    path, features = made(KINDS[kind])["compressed"], KINDS[kind].features
    began = time.perf_counter()
    model = OnnxModel(path, WAYS[way])
    load = time.perf_counter() - began

    def of(rows: int) -> Callable[[], object]:
        inputs = {"input": np.ones((rows, features), np.float32)}
        return lambda: model.run(inputs, [OUTPUT])

    small = _medians(of(1), of(32))
    largest = of(64)
    first, *later = (_seconds(largest, 1) for _ in range(LATER))
    memory = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
    shown = [f"{1e6 * seconds:.1f}" for seconds in (*small, first, statistics.median(later))]
    return f"| {kind} | {way} | {load * 1e3:.1f} | {' | '.join(shown)} | {memory:.0f} |"


def _bindings(path: Path, rows: int) -> list[float]:
    """A plain run, one bound for the call, and one bound once."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = np.ones((rows, session.get_inputs()[0].shape[1]), np.float32)

    def bound() -> onnxruntime.IOBinding:
        binding = session.io_binding()
        binding.bind_cpu_input("input", given)
        binding.bind_output(OUTPUT)
        return binding

    kept = bound()

    def run(binding: onnxruntime.IOBinding) -> object:
        session.run_with_iobinding(binding)
        return binding.copy_outputs_to_cpu()

    return _medians(lambda: session.run([OUTPUT], {"input": given}), lambda: run(bound()), lambda: run(kept))


def _medians(*calls: Callable[[], object]) -> list[float]:
    """Seconds of each, in turns."""
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
