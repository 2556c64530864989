"""How a pair likes to be asked: tried at start on rows of zeros, corrected by every run."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.serving.model_pairs import CALM, ONNX_TYPES, copier, save, sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters import cpu
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.inference.autotune import EVEN_ROWS, MOST_ROWS, SHORT, TRIED, learn
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.tensors import TensorSpec


class Sleepy:
    """A model that takes its time for every row of zeros, and remembers the shapes it was given."""

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


@pytest.mark.parametrize("role", Role)
def test_pair_is_slow_when_either_model_is(tmp_path: Path, role: Role) -> None:
    """The event loop waits for whichever answers."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    object.__setattr__(pair, "models", {role: Sleepy(2 * SHORT), role.other: Sleepy(0)})
    assert not learn(pair).is_short(1)


def test_models_are_tried_with_one_row_of_their_own_datatypes(tmp_path: Path) -> None:
    """Free dimensions are one, fixed ones what they are."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    fast = Sleepy(0)
    object.__setattr__(pair, "models", dict.fromkeys(Role, fast))
    assert learn(pair).is_short(1)
    assert fast.seen
    assert all(seen == {"x": ("f", (1, 3)), "t": ("O", (2, 1))} for seen in fast.seen)


@pytest.mark.parametrize("datatype", ONNX_TYPES)
def test_every_datatype_can_be_tried(tmp_path: Path, datatype: str) -> None:
    """A small model is fast, whatever it takes."""
    path = str(copier(tmp_path / "c.onnx", "rows", 2, kind=ONNX_TYPES[datatype]))
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path))
    object.__setattr__(pair, "models", dict.fromkeys(Role, OnnxModel(Path(path))))
    object.__setattr__(pair, "output", "output")
    assert learn(pair).is_short(1)


def test_model_that_refuses_zeros_counts_as_slow(tmp_path: Path) -> None:
    """Nobody knows how long it takes: it may not hold up the event loop."""
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
    pair = pair_of(tmp_path, baseline=str(path), compressed=str(path))
    with pytest.raises(RunFailedError):
        pair.models[Role.BASELINE].run({"input": np.zeros(1, np.float32)}, ["output"])
    pace = learn(pair)
    assert not pace.is_short(1)
    assert not pace.is_brief(1)


class Timed:
    """A model that takes so many seconds for a run, and so many more for each row; ``mixes``: a row's answer is its
    share of the largest. Only one thread at a time may be in it where ``single``.
    """

    digest = "0" * 64
    inputs = (TensorSpec("x", "FP32", (-1, 1)),)
    outputs = (TensorSpec("p", "FP32", (-1, 2)),)

    def __init__(self, run: float, row: float, *, mixes: bool = False) -> None:
        self.took = run, row
        self.mixes = mixes

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Sleep, which threads can do side by side."""
        x = inputs["x"]
        time.sleep(max(0.0, self.took[0] + self.took[1] * len(x)))
        p = x / max(float(np.abs(x).max()), 1.0) if self.mixes else 1 / (2 + x)
        return {name: np.hstack([p, 1 - p]) for name in outputs}


class Working(Timed):
    """One that works as long, and lets nobody else work meanwhile; a thread of its own does it where it is helped."""

    def __init__(self, run: float, row: float, *, helped: bool) -> None:
        super().__init__(run, row)
        self.helped = helped
        self._alone = threading.Lock()

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Work."""
        seconds = self.took[0] + self.took[1] * len(inputs["x"])
        with self._alone:
            if self.helped:
                helper = threading.Thread(target=_work, args=(seconds,))
                helper.start()
                helper.join()
            else:
                _work(seconds)
        return {name: np.full((len(inputs["x"]), 2), 0.5) for name in outputs}


def _work(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def timed(folder: Path, model: Timed, **changes: object) -> Pair:
    """A pair of that model alone."""
    pair = pair_of(folder, **sure_and_unsure(folder), **CALM)
    for name, value in {"models": dict.fromkeys(Role, model), "output": "p", **changes}.items():
        object.__setattr__(pair, name, value)
    return pair


def test_batches_pay_where_a_run_costs_more_than_a_row(tmp_path: Path) -> None:
    """Thirty-two rows in hardly more time than one."""
    pace = learn(timed(tmp_path, Timed(0.003, 0.0)))
    assert (pace.most_rows, pace.is_short(1), pace.is_short(TRIED)) == (MOST_ROWS, False, False)


def test_threads_pay_where_batches_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row costs the same: two rows side by side instead of one after the other. A few together cost nothing, and
    save what is done around them.
    """
    monkeypatch.setattr(cpu, "cores", lambda: 2)
    pace = learn(timed(tmp_path, Timed(0.0, 0.02)))
    assert (pace.most_rows, pace.pays, pace.runners) == (EVEN_ROWS, False, 2)


def test_rows_that_cost_more_together_are_run_one_by_one(tmp_path: Path) -> None:
    """However little the work around them is worth."""
    assert learn(timed(tmp_path, Timed(-0.02, 0.022))).most_rows == 1


@pytest.mark.parametrize(("run", "row", "runners"), [(0.004, 0.001, 2), (0.04, 0.0, 1)], ids=["sooner", "no sooner"])
def test_two_halves_of_a_batch_run_side_by_side_where_they_are_done_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: float, row: float, runners: int
) -> None:
    """Than the whole."""
    monkeypatch.setattr(cpu, "cores", lambda: 2)
    pace = learn(timed(tmp_path, Timed(run, row)))
    assert (pace.most_rows, pace.pays, pace.runners) == (MOST_ROWS, True, runners)


@pytest.mark.parametrize(("helped", "runners"), [(False, 2), (True, 1)], ids=["own work", "work of others"])
def test_busy_machine_does_not_hide_that_threads_pay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, helped: bool, runners: int
) -> None:
    """Two threads that wait for each other by the clock have still less to do each, unless others do it for them."""
    monkeypatch.setattr(cpu, "cores", lambda: 2)
    assert learn(timed(tmp_path, Working(0.0, 0.002, helped=helped), batch_rows=32)).runners == runners


def test_processes_that_share_a_machine_share_its_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One core each is one run at a time, however well threads would do alone."""
    monkeypatch.setattr(cpu, "cores", lambda: 2)
    model = timed(tmp_path, Timed(0.0, 0.02))
    assert [learn(model, share).runners for share in (1, 2, 4)] == [2, 1, 1]


def test_rows_that_change_each_others_answers_are_kept_apart(tmp_path: Path) -> None:
    """As dynamic quantization does: another caller's input must not change mine."""
    assert learn(timed(tmp_path, Timed(0.003, 0.0, mixes=True))).most_rows == 1


@pytest.mark.parametrize(("told", "most"), [(1, 1), (7, 7), (200, 200)])
def test_settings_decide_about_batches_where_they_say_so(tmp_path: Path, told: int, most: int) -> None:
    """Whatever a trial would say."""
    assert learn(timed(tmp_path, Timed(0.0, 0.0001, mixes=True), batch_rows=told)).most_rows == most


def test_model_of_a_fixed_number_of_rows_is_never_batched(tmp_path: Path) -> None:
    """Whatever the settings say."""
    model = Timed(0.0, 0.0)
    model.inputs = (TensorSpec("x", "FP32", (1, 1)),)
    assert learn(timed(tmp_path, model, batch_rows=8)).most_rows == 1


def test_models_are_warmed_up_with_the_sizes_that_are_asked_for(tmp_path: Path) -> None:
    """Twice as many rows each time, up to the most; the other role by its own."""
    files = sure_and_unsure(tmp_path)
    runtimes = {"runtime": {"warm_up_rows": 5}, "compressed_runtime": {"warm_up_rows": 2}}
    pair = pair_of(tmp_path, **files, **runtimes, batch_rows=1)
    seen: dict[Role, list[int]] = {role: [] for role in Role}
    for role, model in pair.models.items():
        pair.models[role] = _Noting(model, seen[role])
    learn(pair)
    assert seen[Role.BASELINE][:4] == [1, 2, 4, 5]
    assert seen[Role.COMPRESSED][:2] == [1, 2]
    assert {*seen[Role.BASELINE][4:], *seen[Role.COMPRESSED][2:]} == {1}


def test_model_that_refuses_zeros_starts_without_a_warm_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And says so."""
    pair = pair_of(tmp_path, **sure_and_unsure(tmp_path), runtime={"warm_up_rows": 2})
    pair.models[Role.COMPRESSED] = _Refusing()
    assert not learn(pair).is_short(1)
    assert "models.m.compressed: cannot be warmed up, it refuses rows of zeros: no zeros" in caplog.text


class _Noting:
    """A model that notes how many rows it is given."""

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
