"""Benchmark of a drift report: `python -m benchmarks.report [--beside-gateway]`.

Measures the time and memory of a report on the newest 10,000 rows with 10,000 reference rows, 16 input columns and 6
subgroup dimensions. With the flag it also measures the latency of a gateway in turns with and without a running report.
Evidently must be installed for this interpreter, or in .venv-reports (`make test` creates it).
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

from tightrope.demo.replay import DEMO_FOLDER, traffic
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.records import Comparisons, Role
from tightrope.service.adapters.archive.archive import DiskArchive
from tightrope.service.adapters.archive.row_format import ColumnLayout
from tightrope.service.adapters.archive.row_inputs import RowKeeping
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import ROWS_FOLDER
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.serving.report_schedule import report_command

ROWS_A_SIDE = 10_000
COLUMNS = 16
DIMENSIONS = {"sex": 2, "race": 5, "age": 8, "disability": 2, "nativity": 2, "residence": 3}
MAX_SECONDS, MAX_MEGABYTES = 30.0, 1024.0
MODEL = "employment"

REQUESTS_PER_SECOND = 200.0
"""Rate of the requests beside a report: far below the gateway's capacity, so that no queues build up."""

SLICE_SECONDS, REPORTS = 2.0, 5

PYTHON = next((p for p in (Path(".venv-reports/bin/python"),) if p.exists()), Path(sys.executable)).absolute()


def batch(rows: int, seed: int, shift: float) -> ComparedBatch:
    """Compared rows of random inputs with mean ``shift``."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(shift, 1.0, (rows, COLUMNS)).astype(np.float32)
    scopes = tuple(f"{name}={value}" for name, count in DIMENSIONS.items() for value in range(count))
    member = np.concatenate(
        [np.eye(count, dtype=bool)[rng.integers(0, count, rows)] for count in DIMENSIONS.values()], 1
    )
    confidence = {role: rng.beta(5, 2, rows) for role in Role}
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
        confidence_baseline=confidence[Role.BASELINE],
        confidence_compressed=confidence[Role.COMPRESSED],
        entropy_baseline=confidence[Role.BASELINE],
        entropy_compressed=confidence[Role.COMPRESSED],
        margin_baseline=confidence[Role.BASELINE],
        margin_compressed=confidence[Role.COMPRESSED],
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
    return ComparedBatch(comparisons, [{"input": inputs}], decided)


def prepare(folder: Path) -> Path:
    """Write a configuration and an archive with enough rows for a report."""
    config = YAML(typ="safe").load(DEMO_FOLDER / "tightrope.yaml")
    pair = config["models"][MODEL]
    pair |= {role: str(DEMO_FOLDER / pair[role]) for role in ("baseline", "compressed")}
    kept = dict.fromkeys(("keep_rows", "reference_rows", "window_rows"), ROWS_A_SIDE)
    config |= {"server": {"port": 0}, "reports": kept}
    YAML(typ="safe").dump(config, folder / "tightrope.yaml")
    layout = ColumnLayout.from_specs([TensorSpec("input", "FP32", (-1, COLUMNS))])
    metrics = Metrics(process_registry())
    archive = DiskArchive(
        folder / "state" / ROWS_FOLDER,
        {MODEL: layout},
        {MODEL: RowKeeping(16_384, AuditKeys(bytes(32)).request_digest, Sampler(1.0))},
        keep=ROWS_A_SIDE,
        reference={MODEL: ROWS_A_SIDE},
        metrics=metrics,
    )
    archive.start()
    for seed, shift in ((1, 0.0), (2, 0.3)):
        archive.append(batch(ROWS_A_SIDE, seed, shift))
    archive.stop(60.0)
    return folder / "tightrope.yaml"


def cost(config: Path) -> dict[str, float]:
    """Make a report: wall seconds, CPU seconds, peak memory in MB, and size of the page in MB."""
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own command
        [PYTHON, "-P", "-m", "tightrope", "report", config, "--json"], stdout=subprocess.PIPE, check=True, text=True
    )
    seconds, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    page = Path(json.loads(done.stdout)["page"])
    return {
        "seconds": seconds,
        "CPU seconds": used.ru_utime + used.ru_stime,
        "MB of memory": used.ru_maxrss / 1024,
        "MB of page": page.stat().st_size / 1e6,
    }


@contextmanager
def gateway(config: Path) -> Iterator[str]:
    """Run a gateway; yields its address."""
    started = [sys.executable, "-P", "-m", "tightrope", "run", str(config), "--json"]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - as above
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["address"])
        finally:
            process.terminate()


def latencies(address: str, seconds: float) -> list[float]:
    """Milliseconds from the time at which each request is due to its answer, at a steady rate."""
    url, rows = f"{address}/v2/models/{MODEL}/infer", traffic()
    milliseconds: list[float] = []
    with urllib3.PoolManager(retries=False) as http:
        began = time.perf_counter()
        for number in range(int(seconds * REQUESTS_PER_SECOND)):
            due = began + number / REQUESTS_PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            tensor = {"name": "input", "shape": [1, 16], "datatype": "FP32", "data": rows[number % len(rows)].codes}
            http.request("POST", url, body=json.dumps({"inputs": [tensor]}))
            milliseconds.append((time.perf_counter() - due) * 1e3)
    return milliseconds


def beside(config: Path) -> list[tuple[float, ...]]:
    """p50 and p99 of adjacent slices, first without then with a report, over reports started as a gateway starts them.

    The report is suspended for one slice and resumed for the next, so other load of the machine is alike in both.
    """
    slices: list[tuple[float, ...]] = []
    report = [str(PYTHON) if part == sys.executable else part for part in report_command(config)]
    with gateway(config) as address:
        latencies(address, SLICE_SECONDS)
        for _ in range(REPORTS):
            with subprocess.Popen(report, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - as above
                while process.poll() is None:
                    process.send_signal(signal.SIGSTOP)
                    alone = latencies(address, SLICE_SECONDS)
                    process.send_signal(signal.SIGCONT)
                    loaded = latencies(address, SLICE_SECONDS)
                    slices.append((*np.percentile(alone, (50, 99)), *np.percentile(loaded, (50, 99))))
    return slices


def main() -> None:
    """Run the benchmark and print the results."""
    with tempfile.TemporaryDirectory(prefix="tightrope-bench-") as folder:
        config = prepare(Path(folder))
        figures = cost(config)
        print(f"a report of {ROWS_A_SIDE} rows a side, {COLUMNS} columns, {len(DIMENSIONS)} subgroup dimensions")
        for name, value in figures.items():
            print(f"  {name:<20}{value:>9.1f}")
        within = figures["seconds"] < MAX_SECONDS and figures["MB of memory"] < MAX_MEGABYTES
        print(f"  within {MAX_SECONDS:g} s and {MAX_MEGABYTES:g} MB: {'yes' if within else 'NO'}")
        if "--beside-gateway" in sys.argv:
            slices = np.array(beside(config))
            p50, p99, p50_beside, p99_beside = np.median(slices, axis=0)
            ratio = np.median(slices[:, 3] / slices[:, 1])
            pairs = f"{len(slices)} pairs of {SLICE_SECONDS:g} s"
            print(f"a gateway's latency in ms, {REQUESTS_PER_SECOND:g} requests/s, {pairs}")
            print(f"  alone               p50 {p50:6.2f}  p99 {p99:6.2f}")
            print(f"  beside a report     p50 {p50_beside:6.2f}  p99 {p99_beside:6.2f}  (p99 of a pair: {ratio:.2f} x)")


if __name__ == "__main__":
    main()
