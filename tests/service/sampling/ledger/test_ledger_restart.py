"""Over a restart, the ledger's parts and the remainder are the CPU time of both processes."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import CALM
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.records import Tensors
from tightrope.service.sampling.ledger.ledger import CostLedger, open_ledger, utc_day
from tightrope.service.sampling.ledger.sources import GatewayCosts

TOLERATED = 0.05
"""Share of the CPU seconds by which the parts and the remainder may miss them."""


class ProcessTimed:
    """A model whose runs are measured by the clock of the process, beside what the gateway measures."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - any model
        self._model = model
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the model's
        return getattr(self._model, name)

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Run, measured."""
        began = time.process_time()
        try:
            return self._model.run(inputs, outputs)
        finally:
            self.seconds += time.process_time() - began


def serve(folder: Path, large: str, *, safe: bool) -> tuple[CostLedger, float, float]:
    """A gateway's life with 100 requests: its ledger, its CPU seconds, and those outside of runs, measured apart."""
    gateway = GatewayHarness(folder, {"m": {"baseline": large, "compressed": large, **CALM}})
    timed = {role: ProcessTimed(model) for role, model in gateway.pairs["m"].models.items()}
    gateway.pairs["m"].models.update(timed)  # type: ignore[arg-type]
    source = GatewayCosts(gateway.pairs, {}, lambda _: "", gateway.metrics)
    ledger = open_ledger(folder / "state", [source], gateway.metrics.record_counts)
    if safe:
        gateway.safe("m", "model")
    row = body([[1.0] * 800])
    began = time.process_time()
    for _ in range(100):
        gateway.infer("m", row)
    ledger.write()
    process = time.process_time() - began
    return ledger, process, process - sum(model.seconds for model in timed.values())


def test_parts_and_remainder_are_both_processes_over_a_restart(tmp_path: Path) -> None:
    """All but the runs is measured by itself, and the first process ends without a stop, as by SIGKILL."""
    large = str(classifier(tmp_path / "l.onnx", np.ones((800, 2000), np.float32)))
    lives = [serve(tmp_path, large, safe=safe) for safe in (False, True)]
    today = utc_day(time.time())
    days = lives[-1][0].between("m", utc_day(time.time() - 86_400.0), today)
    counted = sum(day.cpu.total for day in days)
    process, remainder = (sum(life[number] for life in lives) for number in (1, 2))
    assert [sum(day.requests.compressed for day in days), sum(day.requests.baseline for day in days)] == [100, 100]
    assert min(sum(day.cpu.answer for day in days), sum(day.cpu.fallback for day in days)) > 0.0
    assert counted + remainder == pytest.approx(process, rel=TOLERATED)
