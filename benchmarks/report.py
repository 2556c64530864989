"""What a drift report costs: `python -m benchmarks.report [--beside-gateway]`.

A report of 10,000 newest rows against 10,000 of reference, 16 input columns, 6 subgroup dimensions: its seconds and its
memory. With the flag also whether callers of a gateway notice a report that is being made: their latency in turns with
and without one. Evidently must be installed beside this interpreter, or in .venv-reports (`make test` makes it).
"""

import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import urllib3
from ruamel.yaml import YAML

from tightrope.demo.replay import HERE, traffic
from tightrope.monitors.records import Comparisons, Role
from tightrope.service.adapters.archive.archive import DiskArchive
from tightrope.service.adapters.archive.row_format import Layout
from tightrope.service.adapters.ports import Compared
from tightrope.service.adapters.prometheus.metrics import Metrics, process_registry
from tightrope.service.app import ROWS
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.serving.report_schedule import command

ROWS_A_SIDE = 10_000
COLUMNS = 16
DIMENSIONS = {"sex": 2, "race": 5, "age": 8, "disability": 2, "nativity": 2, "residence": 3}
BEST_SECONDS, BEST_MEGABYTES = 30.0, 1024.0
MODEL = "employment"

RATE = 200.0
"""Requests a second of the callers beside a report: far from what the gateway can do, so that queues tell nothing."""

SLICE_SECONDS, REPORTS = 2.0, 5

PYTHON = next((p for p in (Path(".venv-reports/bin/python"),) if p.exists()), Path(sys.executable)).absolute()


def batch(rows: int, seed: int, shift: float) -> Compared:
    """Compared rows of random inputs that lie ``shift`` off."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(shift, 1.0, (rows, COLUMNS)).astype(np.float32)
    scopes = tuple(f"{name}={value}" for name, count in DIMENSIONS.items() for value in range(count))
    member = np.concatenate(
        [np.eye(count, dtype=bool)[rng.integers(0, count, rows)] for count in DIMENSIONS.values()], 1
    )
    sure = {role: rng.beta(5, 2, rows) for role in Role}
    zeros, never = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=bool)
    nothing, unknown = np.zeros(rows), np.full(rows, np.nan)
    comparisons = Comparisons(
        model=MODEL,
        baseline_digest="b",
        compressed_digest="c",
        log="log",
        scopes=scopes,
        partition=zeros,
        offset=np.arange(rows),
        time=1e9 + np.arange(rows, dtype=float),
        request_id=("",) * rows,
        served_by_baseline=never,
        member=member,
        draw=nothing,
        inclusion=np.ones(rows),
        disagree=rng.random(rows) < 0.03,  # noqa: PLR2004 - a rate of disagreement
        confidence_baseline=sure[Role.BASELINE],
        confidence_compressed=sure[Role.COMPRESSED],
        entropy_baseline=sure[Role.BASELINE],
        entropy_compressed=sure[Role.COMPRESSED],
        margin_baseline=sure[Role.BASELINE],
        margin_compressed=sure[Role.COMPRESSED],
        refused_baseline=never,
        refused_compressed=never,
        distance=nothing,
        top_baseline=zeros,
        top_compressed=zeros,
        twin=zeros.astype(np.uint64),
        seconds=nothing,
        self_disagree=unknown,
        correct_baseline=unknown,
        correct_compressed=unknown,
        fault=zeros.astype(np.int8),
    )
    decided = {role: rng.integers(0, 2, rows).astype(float) for role in Role}
    return Compared(comparisons, [{"input": inputs}], decided)


def prepare(folder: Path) -> Path:
    """A configuration with an archive that is full enough."""
    config = YAML(typ="safe").load(HERE / "tightrope.yaml")
    pair = config["models"][MODEL]
    pair |= {role: str(HERE / pair[role]) for role in ("baseline", "compressed")}
    kept = dict.fromkeys(("keep_rows", "reference_rows", "window_rows"), ROWS_A_SIDE)
    config |= {"server": {"port": 0}, "reports": kept}
    YAML(typ="safe").dump(config, folder / "tightrope.yaml")
    layout = Layout.of([TensorSpec("input", "FP32", (-1, COLUMNS))])
    metrics = Metrics(process_registry())
    archive = DiskArchive(
        folder / "state" / ROWS, {MODEL: layout}, keep=ROWS_A_SIDE, reference={MODEL: ROWS_A_SIDE}, metrics=metrics
    )
    archive.start()
    for seed, shift in ((1, 0.0), (2, 0.3)):
        archive.append(batch(ROWS_A_SIDE, seed, shift))
    archive.stop(60.0)
    return folder / "tightrope.yaml"


def cost(config: Path) -> dict[str, float]:
    """One report's wall seconds, processor seconds, largest memory in MB, and its page in MB."""
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own command
        [PYTHON, "-P", "-m", "tightrope", "report", config, "--json"], stdout=subprocess.PIPE, check=True, text=True
    )
    seconds, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    page = Path(json.loads(done.stdout)["page"])
    return {
        "seconds": seconds,
        "processor seconds": used.ru_utime + used.ru_stime,
        "MB of memory": used.ru_maxrss / 1024,
        "MB of page": page.stat().st_size / 1e6,
    }


@contextmanager
def gateway(config: Path) -> Iterator[str]:
    """A running gateway's address."""
    started = [sys.executable, "-P", "-m", "tightrope", "run", str(config), "--json"]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - as above
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["address"])
        finally:
            process.terminate()


def latencies(address: str, seconds: float) -> list[float]:
    """Milliseconds from when a request was due to when its answer was there, at a steady rate."""
    url, rows = f"{address}/v2/models/{MODEL}/infer", traffic()
    found: list[float] = []
    with urllib3.PoolManager(retries=False) as http:
        began = time.perf_counter()
        for number in range(int(seconds * RATE)):
            due = began + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            tensor = {"name": "input", "shape": [1, 16], "datatype": "FP32", "data": rows[number % len(rows)].codes}
            http.request("POST", url, body=json.dumps({"inputs": [tensor]}))
            found.append((time.perf_counter() - due) * 1e3)
    return found


def beside(config: Path) -> list[tuple[float, ...]]:
    """p50 and p99 of adjacent slices, (alone, beside a report), over several reports started as a gateway starts them.

    The report is stopped for one slice and goes on for the next: what else the machine does is alike in both.
    """
    found: list[tuple[float, ...]] = []
    report = [str(PYTHON) if part == sys.executable else part for part in command(config)]
    with gateway(config) as address:
        latencies(address, SLICE_SECONDS)
        for _ in range(REPORTS):
            with subprocess.Popen(report, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - as above
                while process.poll() is None:
                    process.send_signal(signal.SIGSTOP)
                    alone = latencies(address, SLICE_SECONDS)
                    process.send_signal(signal.SIGCONT)
                    loaded = latencies(address, SLICE_SECONDS)
                    found.append((*np.percentile(alone, (50, 99)), *np.percentile(loaded, (50, 99))))
    return found


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory(prefix="tightrope-bench-") as folder:
        config = prepare(Path(folder))
        figures = cost(config)
        print(f"a report of {ROWS_A_SIDE} rows a side, {COLUMNS} columns, {len(DIMENSIONS)} subgroup dimensions")
        for name, value in figures.items():
            print(f"  {name:<20}{value:>9.1f}")
        held = figures["seconds"] < BEST_SECONDS and figures["MB of memory"] < BEST_MEGABYTES
        print(f"  within {BEST_SECONDS:g} s and {BEST_MEGABYTES:g} MB: {'yes' if held else 'NO'}")
        if "--beside-gateway" in sys.argv:
            slices = np.array(beside(config))
            p50, p99, p50_beside, p99_beside = np.median(slices, axis=0)
            ratio = np.median(slices[:, 3] / slices[:, 1])
            print(f"a gateway's latency in ms, {RATE:g} requests a second, {len(slices)} pairs of {SLICE_SECONDS:g} s")
            print(f"  alone               p50 {p50:6.2f}  p99 {p99:6.2f}")
            print(f"  beside a report     p50 {p50_beside:6.2f}  p99 {p99_beside:6.2f}  (p99 of a pair: {ratio:.2f} x)")


if __name__ == "__main__":
    main()
