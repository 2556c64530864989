"""A detached model runs in a thread of its own, with its own breaker."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier, looping
from tests.support.serving.model_pairs import weights
from tightrope.monitors.records import Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunDeadlineError, RunFailedError
from tightrope.service.adapters.runs import watch
from tightrope.service.adapters.runs.detached import UNMEASURED_ROWS, DetachedModel, detach
from tightrope.service.adapters.runs.watched_runs import limit_runs
from tightrope.service.protocol.tensors import TensorSpec

ROW = {"input": np.array([[1.0]], np.float32)}
STUCK = {"input": np.array([[2.0]], np.float32)}


def detached(model: OnnxModel, seconds: float = 10.0) -> DetachedModel:
    """Return the model in the worker's form."""
    limit_runs(model, seconds)
    apart = detach(model)
    assert isinstance(apart, DetachedModel)
    return apart


def test_answers_are_those_of_the_model(tmp_path: Path) -> None:
    """Its description and its errors are those of the model, too."""
    model = OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))))
    apart = detached(model)
    described = (apart.digest, apart.inputs, apart.outputs, apart.host_class)
    assert described == (model.digest, model.inputs, model.outputs, model.host_class)
    answers = [one.run(ROW, ["probabilities"])["probabilities"].tolist() for one in (model, apart)]
    assert answers[0] == answers[1]
    with pytest.raises(RunFailedError):
        apart.run({"input": np.array([["a"]], object)}, ["probabilities"])


def test_deadlines_of_the_worker_do_not_count_for_the_gateway(tmp_path: Path) -> None:
    """The breakers are two."""
    model = OnnxModel(looping(tmp_path / "l.onnx"))
    apart = detached(model, 0.1)
    with pytest.raises(RunDeadlineError):
        apart.run({"input": np.array([[1e12]], np.float32)}, ["probabilities"])
    assert (apart.runs.breaker.take_expired(), model.runs.breaker.take_expired()) == (1, 0)


class StuckOnDemand:
    """A call of a session whose runs of ``STUCK`` heed no end until they are released."""

    def __init__(self, model: OnnxModel) -> None:
        self.released = threading.Event()
        self._call = model.runs.call
        model.runs.call = self

    def __call__(self, outputs: Sequence[str], inputs: Tensors, options: object) -> Sequence[object]:
        """Run, at last."""
        if inputs["input"].max() == STUCK["input"].max():
            self.released.wait()
        return self._call(outputs, inputs, options)


@pytest.fixture
def stuck_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DetachedModel]:
    """Provide a detached model whose run of ``STUCK`` goes on past its deadline, as long as the test does."""
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.1)
    model = OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))))
    call = StuckOnDemand(model)
    yield detached(model, 1.0)
    call.released.set()


def test_caller_goes_on_when_a_run_is_stuck(stuck_on_demand: DetachedModel) -> None:
    """A node that heeds no end; the next run is made in another thread."""
    before = threading.active_count()
    with pytest.raises(RunDeadlineError, match="stuck"):
        stuck_on_demand.run(STUCK, ["probabilities"])
    assert stuck_on_demand.runs.breaker.stuck == 1
    assert stuck_on_demand.run(ROW, ["probabilities"])["probabilities"].shape == (1, 2)
    assert threading.active_count() <= before + 3


def test_runs_after_one_that_is_stuck_are_made(stuck_on_demand: DetachedModel) -> None:
    """Each batch has its answer, or the error of its own run."""
    answers = stuck_on_demand.run_each([ROW, STUCK, ROW, ROW], ["probabilities"])
    assert [isinstance(answer, RunDeadlineError) for answer in answers] == [False, True, False, False]
    assert stuck_on_demand.run_each([], ["probabilities"]) == []


def test_rows_of_a_run_are_few_enough_to_answer_in_time(tmp_path: Path) -> None:
    """A run of many samples must not pass the deadline only because they are many."""
    model = OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))))
    apart = detached(model)
    assert apart.max_rows(1024) == UNMEASURED_ROWS
    apart.run(ROW, ["probabilities"])
    assert apart.max_rows(1024) > 1
    apart._row_seconds = 0.1
    assert [apart.max_rows(limit) for limit in (10, 1024)] == [10, 25]
    apart._row_seconds = 60.0
    assert apart.max_rows(1024) == 1


class Remote:
    """A model without watched runs."""

    digest = "0" * 64
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer with the inputs."""
        del outputs
        return inputs


def test_remote_model_stays_as_it_is() -> None:
    """It has a timeout of its own."""
    remote = Remote()
    assert detach(remote) is remote


def test_processor_time_of_all_runs_is_counted(tmp_path: Path) -> None:
    """Those that fail count too, and none counts for the gateway's model."""
    apart = detached(OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2)))))
    apart.run(ROW, ["probabilities"])
    assert apart.cpu.take() > 0
    with pytest.raises(RunFailedError):
        apart.run({"input": np.array([["a"]], object)}, ["probabilities"])
    assert apart.cpu.take() > 0
    assert apart.cpu.take() == 0
