"""Run profiles are measured at start, on rows of zeros."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.serving.fake_clock import FakeClock, SleepClock
from tests.support.serving.model_pairs import CALM, ONNX_TYPES, copier, save, sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters import cpu
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.inference.autotune import (
    MAX_BATCH_ROWS,
    NEUTRAL_BATCH_ROWS,
    SHORT_SECONDS,
    TRIAL_ROWS,
    measure_profile,
)
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_probe import probe_pair
from tightrope.service.protocol.tensors import TensorSpec


class Sleepy:
    """A model that sleeps in every run, and records the dtypes and shapes that it is given."""

    digest = "0" * 64
    inputs = (TensorSpec("x", "FP32", (-1, 3)), TensorSpec("t", "BYTES", (2, -1)))
    outputs = (TensorSpec("p", "FP32", (-1, 2)),)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.seen: list[dict[str, tuple[Any, ...]]] = []

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Sleep."""
        self.seen.append({name: (tensor.dtype.char, tensor.shape) for name, tensor in inputs.items()})
        time.sleep(self.seconds)
        return dict.fromkeys(outputs, np.array([[0.5, 0.5]]))


def with_models(pair: ModelPair, models: dict[Role, Any], output: str = "p", **changes: int) -> ModelPair:
    """The pair with these models, probed as when it is loaded."""
    batchability = probe_pair(models, output, changes.get("batch_rows"))
    return replace(pair, models=models, output=output, batchability=batchability, **changes)


@pytest.mark.parametrize("role", Role)
def test_pair_is_slow_when_either_model_is(tmp_path: Path, role: Role) -> None:
    """The event loop waits for the model that answers."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    pair = with_models(pair, {role: Sleepy(2 * SHORT_SECONDS), role.other: Sleepy(0)})
    assert not measure_profile(pair).is_short(1)


def test_models_are_measured_with_one_row_of_their_datatypes(tmp_path: Path) -> None:
    """Free dimensions are 1, fixed ones as declared."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    fast = Sleepy(0)
    pair = with_models(pair, dict.fromkeys(Role, fast))
    assert measure_profile(pair).is_short(1)
    assert fast.seen
    assert all(seen == {"x": ("f", (1, 3)), "t": ("O", (2, 1))} for seen in fast.seen)


@pytest.mark.parametrize("datatype", ONNX_TYPES)
def test_every_datatype_can_be_measured(tmp_path: Path, datatype: str) -> None:
    """A small model is fast with any datatype."""
    path = str(copier(tmp_path / "c.onnx", "rows", 2, kind=ONNX_TYPES[datatype]))
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    pair = with_models(pair, dict.fromkeys(Role, OnnxModel(Path(path))), output="output")
    assert measure_profile(pair).is_short(1)


def test_model_that_refuses_zeros_counts_as_slow(tmp_path: Path) -> None:
    """Its speed is unknown, so it may not occupy the event loop."""
    nodes = [
        helper.make_node("Add", ["input", "five"], ["shifted"]),
        helper.make_node("Cast", ["shifted"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["output"]),
    ]
    path = save(
        tmp_path / "z.onnx",
        nodes,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows"])],
        [
            numpy_helper.from_array(np.array([5.0], np.float32), "five"),
            numpy_helper.from_array(np.array([0.1, 0.9], np.float32), "table"),
        ],
    )
    np.savez(tmp_path / "rows.npz", input=np.array([-6.0, -5.0, -4.0], np.float32))  # no made-up row runs
    probe = {"rows": str(tmp_path / "rows.npz")}
    pair = pair_of(tmp_path, baseline=str(path), compressed=str(path), probe=probe)
    with pytest.raises(RunFailedError):
        pair.models[Role.BASELINE].run({"input": np.zeros(1, np.float32)}, ["output"])
    profile = measure_profile(pair)
    assert not profile.is_short(1)
    assert not profile.is_brief(1)


@pytest.fixture
def sleeping_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure by the clock on which the models here sleep."""
    monkeypatch.setattr("tightrope.service.inference.autotune.time", Timed.clock)


class Timed:
    """A model whose run takes ``took[0]`` seconds, and ``took[1]`` more for each row. ``mixes``: a row's answer is its
    share of the largest row. The seconds pass on a clock of their own.
    """

    clock = SleepClock()
    digest = "0" * 64
    inputs = (TensorSpec("x", "FP32", (-1, 1)),)
    outputs = (TensorSpec("p", "FP32", (-1, 2)),)

    def __init__(self, run: float, row: float, *, mixes: bool = False) -> None:
        self.took = run, row
        self.mixes = mixes

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Sleep, which threads can do side by side."""
        x = inputs["x"]
        self.clock.sleep(max(0.0, self.took[0] + self.took[1] * len(x)))
        p = x / max(float(np.abs(x).max()), 1.0) if self.mixes else 1 / (2 + x)
        return {name: np.hstack([p, 1 - p]) for name in outputs}


class Working(Timed):
    """A model that works on a fake clock instead of sleeping, in one thread at a time on a busy machine; ``helped``:
    a thread of its own does half of the work at the same time.
    """

    def __init__(self, clock: FakeClock, row: float, *, helped: bool) -> None:
        super().__init__(0.0, row)
        self._clock = clock
        self._helped = helped

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Work."""
        seconds, own = self.took[1] * len(inputs["x"]), 0.5 if self._helped else 1.0
        self._clock.work(own * seconds, wall=1.5)
        self._clock.work((1 - own) * seconds, by_others=True, wall=0.0)
        return {name: np.full((len(inputs["x"]), 2), 0.5) for name in outputs}


def timed(folder: Path, model: Timed, **changes: int) -> ModelPair:
    """A pair whose two models are this one."""
    return with_models(pair_of(folder, **sure_and_unsure(folder), **CALM), dict.fromkeys(Role, model), **changes)


@pytest.mark.usefixtures("sleeping_clock")
def test_batches_pay_where_a_run_costs_more_than_a_row(tmp_path: Path) -> None:
    """Thirty-two rows take hardly longer than one."""
    profile = measure_profile(timed(tmp_path, Timed(0.003, 0.0)))
    assert (profile.max_rows, profile.is_short(1), profile.is_short(TRIAL_ROWS)) == (MAX_BATCH_ROWS, False, False)


@pytest.mark.usefixtures("sleeping_clock")
def test_threads_pay_where_batches_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row takes the same time, so two rows run in parallel. Small batches cost nothing, and save work around the
    model.
    """
    monkeypatch.setattr(cpu, "usable_cores", lambda: 2)
    profile = measure_profile(timed(tmp_path, Timed(0.0, 0.02)))
    assert (profile.max_rows, profile.pays, profile.runners) == (NEUTRAL_BATCH_ROWS, False, 2)


@pytest.mark.usefixtures("sleeping_clock")
def test_rows_that_take_longer_together_are_not_batched(tmp_path: Path) -> None:
    """Saving work around the model does not outweigh that."""
    assert measure_profile(timed(tmp_path, Timed(-0.02, 0.022))).max_rows == 1


@pytest.mark.usefixtures("sleeping_clock")
@pytest.mark.parametrize(("run", "row", "runners"), [(0.004, 0.001, 2), (0.04, 0.0, 1)], ids=["sooner", "no sooner"])
def test_half_batches_run_in_parallel_where_that_is_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: float, row: float, runners: int
) -> None:
    """Faster than the whole batch in one thread."""
    monkeypatch.setattr(cpu, "usable_cores", lambda: 2)
    profile = measure_profile(timed(tmp_path, Timed(run, row)))
    assert (profile.max_rows, profile.pays, profile.runners) == (MAX_BATCH_ROWS, True, runners)


@pytest.mark.parametrize(("helped", "runners"), [(False, 2), (True, 1)], ids=["own work", "work of others"])
def test_busy_machine_does_not_hide_that_threads_pay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, helped: bool, runners: int
) -> None:
    """Processor time shows it where the wall clock does not, unless other threads do the work."""
    clock = FakeClock()
    monkeypatch.setattr(cpu, "usable_cores", lambda: 2)
    monkeypatch.setattr("tightrope.service.inference.autotune.time", clock)
    pair = timed(tmp_path, Working(clock, 0.002, helped=helped), batch_rows=32)
    assert measure_profile(pair).runners == runners


@pytest.mark.usefixtures("sleeping_clock")
def test_processes_that_share_a_machine_share_its_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One core each means one run at a time, even if threads would pay for one process alone."""
    monkeypatch.setattr(cpu, "usable_cores", lambda: 2)
    model = timed(tmp_path, Timed(0.0, 0.02))
    assert [measure_profile(model, share).runners for share in (1, 2, 4)] == [2, 1, 1]


@pytest.mark.usefixtures("sleeping_clock")
def test_rows_that_change_each_others_answers_are_not_batched(tmp_path: Path) -> None:
    """As with dynamic quantization: one caller's input must not change another's answer."""
    assert measure_profile(timed(tmp_path, Timed(0.003, 0.0, mixes=True))).max_rows == 1


@pytest.mark.usefixtures("sleeping_clock")
@pytest.mark.parametrize(("batch_rows", "max_rows"), [(1, 1), (7, 7), (200, 200)])
def test_configured_batch_rows_replace_the_measurement(tmp_path: Path, batch_rows: int, max_rows: int) -> None:
    """Even where batches do not pay."""
    assert measure_profile(timed(tmp_path, Timed(0.0, 0.0001), batch_rows=batch_rows)).max_rows == max_rows


@pytest.mark.usefixtures("sleeping_clock")
def test_configured_batch_rows_do_not_mix_rows(tmp_path: Path) -> None:
    """The configuration cannot overrule the probe."""
    assert measure_profile(timed(tmp_path, Timed(0.003, 0.0, mixes=True), batch_rows=32)).max_rows == 1


@pytest.mark.usefixtures("sleeping_clock")
def test_model_of_a_fixed_number_of_rows_is_never_batched(tmp_path: Path) -> None:
    """Even if the settings ask for it."""
    model = Timed(0.0, 0.0)
    model.inputs = (TensorSpec("x", "FP32", (1, 1)),)
    assert measure_profile(timed(tmp_path, model, batch_rows=8)).max_rows == 1


def test_models_are_warmed_up_with_the_configured_rows(tmp_path: Path) -> None:
    """The rows double up to the configured number; each role has its own."""
    files = sure_and_unsure(tmp_path)
    runtimes = {"runtime": {"warm_up_rows": 5}, "compressed_runtime": {"warm_up_rows": 2}}
    pair = pair_of(tmp_path, **files, **runtimes, batch_rows=1)
    seen: dict[Role, list[int]] = {role: [] for role in Role}
    for role, model in pair.models.items():
        pair.models[role] = _Noting(model, seen[role])
    measure_profile(pair)
    assert seen[Role.BASELINE][:4] == [1, 2, 4, 5]
    assert seen[Role.COMPRESSED][:2] == [1, 2]
    assert {*seen[Role.BASELINE][4:], *seen[Role.COMPRESSED][2:]} == {1}


def test_model_that_refuses_zeros_starts_without_a_warm_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log reports it."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path), runtime={"warm_up_rows": 2})
    pair.models[Role.COMPRESSED] = _Refusing()
    assert not measure_profile(pair).is_short(1)
    assert "models.m.compressed: cannot be warmed up, it refuses rows of zeros: no zeros" in caplog.text


class _Noting:
    """A model that records the rows of its runs."""

    def __init__(self, model: Model, rows: list[int]) -> None:
        self.digest, self.inputs, self.outputs = model.digest, model.inputs, model.outputs
        self._model = model
        self._rows = rows

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Pass it on."""
        self._rows.append(len(inputs["input"]))
        return self._model.run(inputs, outputs)


class _Refusing(Sleepy):
    """A model that refuses rows of zeros."""

    def __init__(self) -> None:
        super().__init__(0)

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Refuse."""
        del inputs, outputs
        raise RunFailedError("no zeros")
