"""Benchmark of `GET /v1/overview`: the CPU time of one answer, for a model with few groups and for one with many.

Gateway, worker and judge of the demo run in this process over rows of the demo's traffic; then answers are computed
again and again, all of them anew.

    python -m benchmarks.overview
"""

import itertools
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from tightrope.demo.replay import DEMO_MODEL, traffic
from tightrope.demo_run.gateway_process import write_demo_config
from tightrope.service.api.overview.overview import OverviewReader
from tightrope.service.config.loader import load
from tightrope.service.protocol.rest import InferRequest
from tightrope.wiring.embedded import Embedded, build_embedded

COMPRESSED = "bad_distilled_households_only"
OVERVIEW_ROWS, OVERVIEW_ANSWERS = 6_144, 15
MANY_GROUPS = 500
OVERVIEW_BUDGETS_MS = {22: 20.0, MANY_GROUPS: 100.0}
"""The most milliseconds of an answer, by the number of groups."""


def many_subgroups(columns: int, groups: int) -> dict[str, object]:
    """Subgroups of the demo's model: each attribute has a value for each code of its column, or for a few codes."""
    each = -(-groups // columns)
    left = [min(each, groups - each * column) for column in range(columns)]
    return {
        f"column_{column}": {"column": column, "values": {f"code_{code}": [code] for code in range(values)}}
        for column, values in enumerate(left)
        if values > 0
    }


def serve_rows(parts: Embedded, rows: int) -> None:
    """Answer rows of the demo's traffic, and wait until they are judged."""
    engine = parts.service.engine
    pair = engine.pair(DEMO_MODEL)
    for row in itertools.islice(itertools.cycle(traffic()), rows):
        codes = {"input": np.array([row.codes], dtype=np.float32)}
        engine.infer(pair, InferRequest(id=None, parameters={}, inputs=codes, outputs=(), binary_default=False))
    while parts.view.progress(DEMO_MODEL)["seen"] < rows // 2:
        time.sleep(0.05)


def answer_milliseconds(parts: Embedded) -> tuple[list[float], int]:
    """The CPU time of each of several answers, and the bytes of the last one; each reader has no answer kept."""
    found, size = [], 0
    for _ in range(OVERVIEW_ANSWERS):
        reader = OverviewReader(
            parts.service.engine, parts.view, parts.store, parts.service.sight.facts, lambda _: None
        )
        reader.refresh_trail()
        began = time.thread_time()
        size = len(reader.answer().body)
        found.append(1e3 * (time.thread_time() - began))
    return found, size


def main() -> None:
    """Measure, and print a table."""
    table = Table("groups", "verdicts", "answer (bytes)", "CPU of one answer (ms, median)", "most", "budget")
    for groups, budget in OVERVIEW_BUDGETS_MS.items():
        with tempfile.TemporaryDirectory(prefix="tightrope-") as folder:
            path, _ = write_demo_config(Path(folder), COMPRESSED, 1.0)
            if groups == MANY_GROUPS:
                yaml = YAML(typ="safe")
                config = yaml.load(path)
                config["models"][DEMO_MODEL]["subgroups"] = many_subgroups(16, groups)
                yaml.dump(config, path)
            parts = build_embedded(load(path))
            parts.start()
            try:
                serve_rows(parts, OVERVIEW_ROWS)
                spent, size = answer_milliseconds(parts)
                verdicts = len(parts.view.verdicts(DEMO_MODEL))
            finally:
                parts.stop()
        table.add_row(f"{groups}", f"{verdicts}", f"{size:,}", f"{median(spent):.1f}", f"{max(spent):.1f}", f"{budget}")
    Console().print(table)


if __name__ == "__main__":
    main()
