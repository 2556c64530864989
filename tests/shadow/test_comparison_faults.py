from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save_model

from tests.support.onnx_models import classifier, fragile
from tests.support.samples import WorkerHarness, sample, watched
from tightrope.monitors.compare import Decision, Scale
from tightrope.monitors.records import Comparisons, Fault, Role, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Model, UnreachableError
from tightrope.shadow.inference import WatchedPair

ROWS = [[0.5, 1.0], [1.0, 0.25]]


@pytest.fixture
def shop(tmp_path: Path) -> WorkerHarness:
    """Provide one pair of models, watched as ``m``."""
    return WorkerHarness({"m": watched(tmp_path)})


@pytest.fixture
def brittle(tmp_path: Path) -> WorkerHarness:
    """Provide a baseline that only runs on 0 and 1, and a compressed model without that limit."""
    one = np.array([[1.0, -1.0]], np.float32)
    models = {
        Role.BASELINE: OnnxModel(fragile(tmp_path / "baseline.onnx")),
        Role.COMPRESSED: OnnxModel(classifier(tmp_path / "compressed.onnx", one)),
    }
    return WorkerHarness({"m": WatchedPair(models, Decision(Scale.PROBABILITIES), "probabilities", free=True)})


def compared(shop: WorkerHarness) -> Comparisons:
    """Take one step, and return its single batch."""
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    return batch


def test_sample_that_the_shadow_cannot_run_is_a_fault_row(brittle: WorkerHarness) -> None:
    """It counts as a measuring failure; the other samples of its run are compared as usual."""
    pair = brittle.watched["m"]
    values = [0.0, 1.0, 9.0, 0.0, 1.0]
    brittle.publish(*(sample(pair, [[value]], number=n) for n, value in enumerate(values)))
    batch = compared(brittle)
    assert batch.fault.tolist() == [0, 0, Fault.RUN_FAILED, 0, 0]
    np.testing.assert_allclose(batch.confidence_baseline, [0.9, 0.9, np.nan, 0.9, 0.9], atol=1e-6)
    assert batch.disagree.tolist() == [False, True, False, False, True]
    assert brittle.metrics.total("comparison_errors", model="m", scope="model") == 1
    assert not brittle.parked()


def test_rows_of_a_failed_sample_are_faults_together(brittle: WorkerHarness) -> None:
    """A sample runs as a whole: one bad row fails its sample, and no other."""
    pair = brittle.watched["m"]
    brittle.publish(sample(pair, [[0.0], [9.0], [1.0]], number=0), sample(pair, [[1.0], [1.0]], number=1))
    batch = compared(brittle)
    assert batch.fault.tolist() == [Fault.RUN_FAILED] * 3 + [Fault.NONE] * 2
    assert batch.offset.tolist() == [0] * 5


def test_tensor_that_the_model_does_not_take_is_a_fault_row(shop: WorkerHarness) -> None:
    """Another number of features cannot run, and is not batched with sound samples."""
    pair = shop.watched["m"]
    odd = replace(sample(pair, ROWS), inputs={"input": np.zeros((2, 3), np.float32)})
    shop.publish(odd, sample(pair, ROWS, number=1))
    assert compared(shop).fault.tolist() == [Fault.RUN_FAILED] * 2 + [Fault.NONE] * 2


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ([np.nan, 0.5, 0.5], Fault.NOT_FINITE),
        ([np.inf, 0.0, 0.0], Fault.NOT_FINITE),
        ([0.9, 0.9, 0.9], Fault.OUT_OF_RANGE),
        ([0.5, 0.5], Fault.OUT_OF_RANGE),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_answer_that_is_no_distribution_is_a_fault_row(
    shop: WorkerHarness, output: list[float], fault: Fault, place: int
) -> None:
    """NaN, infinity, a wrong sum or another number of classes is a fault, at any position in the batch; other rows are
    sound.
    """
    pair = shop.watched["m"]
    odd = sample(pair, ROWS[:1], outputs=np.array([output], np.float32))
    samples = [sample(pair, ROWS[1:], number=1), sample(pair, ROWS, number=2)]
    shop.publish(*samples[:place], odd, *samples[place:])
    batch = compared(shop)
    bad = np.array(batch.request_id) == odd.request_id
    assert batch.fault.tolist() == np.where(bad, fault, Fault.NONE).tolist()
    np.testing.assert_array_equal(np.isnan(batch.distance), bad)
    assert (bad.sum(), len(batch)) == (1, 4)
    assert not batch.disagree[bad].any()


def test_nan_from_the_shadow_is_a_fault_row(shop: WorkerHarness) -> None:
    """An infinite input makes the other model's softmax NaN: a measuring failure, not an agreement."""
    pair = shop.watched["m"]
    bad = sample(pair, [[np.inf, 1.0]], outputs=np.array([[0.2, 0.3, 0.5]], np.float32))
    shop.publish(sample(pair, ROWS, number=1), bad)
    batch = compared(shop)
    assert batch.fault.tolist() == [Fault.NONE, Fault.NONE, Fault.NOT_FINITE]
    assert np.isnan(batch.confidence_baseline).tolist() == [False, False, True]


def test_numbers_of_classes_may_differ_from_sample_to_sample(tmp_path: Path) -> None:
    """A model that ranks any number of candidates is compared sample by sample."""

    def ranker(name: str, factor: float) -> OnnxModel:
        nodes = [
            helper.make_node("Constant", [], ["factor"], value_float=factor),
            helper.make_node("Mul", ["input", "factor"], ["scaled"]),
            helper.make_node("Softmax", ["scaled"], ["probabilities"]),
        ]
        taken, given = (
            [helper.make_tensor_value_info(side, TensorProto.FLOAT, ["n", "k"])] for side in ("input", "probabilities")
        )
        graph = helper.make_graph(nodes, "ranker", taken, given)
        save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / name)
        return OnnxModel(tmp_path / name)

    models = {Role.BASELINE: ranker("b.onnx", 1.0), Role.COMPRESSED: ranker("c.onnx", -1.0)}
    pair = WatchedPair(models, Decision(Scale.PROBABILITIES), "probabilities", free=True)
    shop = WorkerHarness({"m": pair})
    candidates = [[1.0, 2.0], [3.0, 2.0, 1.0, 0.5], [1.0, 2.0, 3.0]]
    shop.publish(*(sample(pair, [row], number=n) for n, row in enumerate(candidates)))
    batch = compared(shop)
    expected = [np.exp(max(row)) / np.exp(row).sum() for row in candidates]
    assert batch.fault.tolist() == [Fault.NONE] * 3
    np.testing.assert_allclose(batch.confidence_baseline, expected, atol=1e-6)
    assert batch.disagree.all()


class UnreachableModel:
    """A model that is unreachable, and counts its calls."""

    def __init__(self, like: Model) -> None:
        self.digest, self.inputs, self.outputs = like.digest, like.inputs, like.outputs
        self.calls = 0

    def run(self, *_: object) -> Tensors:
        """Raise `UnreachableError`."""
        self.calls += 1
        raise UnreachableError("no answer within 2 s")


def test_unreachable_model_is_called_once_per_batch(shop: WorkerHarness) -> None:
    """The input is not the cause: all rows are faults after one attempt, and samples of other models do not wait."""
    pair = shop.watched["m"]
    gone = UnreachableModel(pair.models[Role.BASELINE])
    away = replace(pair, models={Role.BASELINE: gone, Role.COMPRESSED: pair.models[Role.COMPRESSED]})
    shop.publish(*(sample(pair, ROWS, number=n) for n in range(5)))
    shop = replace(shop, watched={"m": away})
    batch = compared(shop)
    assert (batch.fault == Fault.RUN_FAILED).tolist() == [True] * 10
    assert gone.calls == 1
