"""Runs are measured by the clock of their thread, by their purpose, and add up to the process."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import CALM, REFUSAL, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.inference.costs.measured_run import (
    MAX_SIZES,
    READ_EVERY,
    UNREAD_SECONDS,
    CostReadings,
    latest_reading,
    note_reading,
)

UNSURE, SURE = [0.0, 1.0], [0.0, 5.0]
TOLERATED = 0.05
"""Share of the process's CPU seconds by which the parts and the remainder may miss it."""


def parts(gateway: GatewayHarness) -> set[tuple[str, str]]:
    """The roles and parts that took time."""
    counts = gateway.metrics.counts("cpu_seconds")["cpu_seconds"]
    return {(labels[1], labels[2]) for labels, seconds in counts.items() if seconds > 0}


@pytest.mark.parametrize(
    ("safe", "action", "row", "found"),
    [
        (False, "flag", SURE, {("compressed", "answer")}),
        (True, "flag", SURE, {("baseline", "fallback")}),
        (False, "escalate", SURE, {("compressed", "answer")}),
        (False, "escalate", UNSURE, {("compressed", "answer"), ("baseline", "escalation")}),
    ],
)
def test_purpose_of_a_run_is_counted(
    tmp_path: Path, *, safe: bool, action: str, row: list[float], found: set[tuple[str, str]]
) -> None:
    """An answer, a fallback in safe mode, and an escalation of what was refused."""
    refusal = {**REFUSAL, "action": action}
    gateway = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "refusal": refusal}})
    if safe:
        gateway.safe("m", "model")
    gateway.infer("m", body([row]))
    assert parts(gateway) == found


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


def test_parts_and_remainder_are_the_process(tmp_path: Path) -> None:
    """All but the runs is measured by itself here, and not as the difference to the parts."""
    large = str(classifier(tmp_path / "l.onnx", np.ones((800, 2000), np.float32)))
    gateway = GatewayHarness(tmp_path, {"m": {"baseline": large, "compressed": large, **CALM}})
    models = gateway.pairs["m"].models
    timed = {role: ProcessTimed(model) for role, model in models.items()}
    models.update(timed)  # type: ignore[arg-type]
    row = body([[1.0] * 800])
    began = time.process_time()
    for number in range(150):
        if number == 100:
            gateway.safe("m", "model")
        gateway.infer("m", row)
    process = time.process_time() - began
    remainder = process - sum(model.seconds for model in timed.values())
    counted = sum(gateway.metrics.counts("cpu_seconds")["cpu_seconds"].values())
    assert counted > 0
    assert counted + remainder == pytest.approx(process, rel=TOLERATED)


class Failing(ProcessTimed):
    """A model whose runs take time and fail."""

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Fail."""
        super().run(inputs, outputs)
        raise RunFailedError("broken")


def test_cost_of_a_failed_run_is_kept(tmp_path: Path) -> None:
    """The model that answers in its place has its own, as a fallback."""
    gateway = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM}})
    models = gateway.pairs["m"].models
    models[Role.COMPRESSED] = Failing(models[Role.COMPRESSED])  # type: ignore[assignment]
    assert gateway.infer("m", body([SURE])).parameters["served_by"] == "baseline"
    assert parts(gateway) == {("compressed", "answer"), ("baseline", "fallback")}


def read_share(readings: CostReadings, runs: int, rows: int, seconds: float) -> float:
    """The share of runs that are read, each of them of these seconds."""
    read = 0
    for _ in range(runs):
        if latest_reading(readings, rows) is None:
            note_reading(readings, rows, seconds)
            read += 1
    return read / runs


def test_one_short_run_in_sixteen_is_read() -> None:
    """After the first ones, to which fewer others are added step by step."""
    readings: CostReadings = {}
    assert read_share(readings, sum(range(READ_EVERY)), 1, 20e-6) > 1 / READ_EVERY
    assert read_share(readings, 160 * READ_EVERY, 1, 20e-6) == pytest.approx(1 / READ_EVERY, rel=0.01)


def test_long_runs_are_all_read() -> None:
    """Two readings take a small share of them."""
    assert read_share({}, 100, 1, UNREAD_SECONDS) == 1


def test_first_run_counts_for_no_other() -> None:
    """It loads what the others find in memory."""
    readings: CostReadings = {}
    note_reading(readings, 1, 100e-6)
    assert latest_reading(readings, 1) is None


def test_run_that_became_long_is_read_each_time() -> None:
    """And one that became short again begins with few."""
    readings: CostReadings = {}
    read_share(readings, 1000, 1, 20e-6)
    while latest_reading(readings, 1) is not None:
        pass
    note_reading(readings, 1, 1.0)
    assert latest_reading(readings, 1) is None
    note_reading(readings, 1, 20e-6)
    assert latest_reading(readings, 1) == 20e-6
    assert latest_reading(readings, 1) is None


def test_sum_is_that_of_all_runs() -> None:
    """Runs of three sizes in any order, whose time varies by a half, with a first one of a hundred times."""
    draw = np.random.default_rng(7)
    readings: CostReadings = {}
    true = counted = 0.0
    for number in range(20_000):
        rows = int(draw.choice([1, 2, 32]))
        seconds = (2e-3 if number == 0 else 20e-6 + 1e-6 * rows) * draw.uniform(0.5, 1.5)
        known = latest_reading(readings, rows)
        if known is None:
            note_reading(readings, rows, seconds)
        true, counted = true + seconds, counted + (seconds if known is None else known)
    assert counted == pytest.approx(true, rel=0.02)


def test_sizes_are_bounded() -> None:
    """A caller cannot fill the memory with numbers of rows."""
    readings: CostReadings = {}
    for rows in range(10 * MAX_SIZES):
        note_reading(readings, rows, 20e-6)
    assert len(readings) <= MAX_SIZES
