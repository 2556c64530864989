"""Benchmark of the estimate of the other model's processor time: how far it moves between starts.

Each start is a process of its own, which loads the demo's pair and measures it as a gateway does.

    python -m benchmarks.cost_ratio [MODEL]
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tightrope.demo_run.gateway_process import write_demo_config
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load
from tightrope.service.inference.autotune import measure_profile

STARTS = 5
DEFAULT_MODEL = "good_int8"
ONCE = "--once"


def measured(model: str) -> dict[int, float]:
    """The CPU seconds of the baseline relative to those of the compressed model, by the rows of a run."""
    with tempfile.TemporaryDirectory() as name:
        path, _ = write_demo_config(Path(name), model, 0.1)
        (pair,) = load_pairs(load(path, {})).values()
        return dict(measure_profile(pair).cpu_ratio.by_rows)


def main(model: str) -> None:
    """Print the ratios of all starts."""
    line = [sys.executable, "-m", "benchmarks.cost_ratio", ONCE, model]
    starts = [json.loads(subprocess.check_output(line)) for _ in range(STARTS)]  # noqa: S603 - this module
    table = Table("rows", *(f"start {number + 1}" for number in range(STARTS)), "largest / smallest")
    for rows in starts[0]:
        ratios = [start[rows] for start in starts]
        table.add_row(rows, *(f"{ratio:.3f}" for ratio in ratios), f"{max(ratios) / min(ratios):.3f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    names = [argument for argument in sys.argv[1:] if argument != ONCE] or [DEFAULT_MODEL]
    if ONCE in sys.argv:
        print(json.dumps(measured(names[0])))
    else:
        main(names[0])
