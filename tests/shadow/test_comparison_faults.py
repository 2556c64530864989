from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save_model

from tests.support.onnx_models import classifier, fragile
from tests.support.samples import Workshop, sample, watched
from tightrope.monitors.compare import Decision, Scale
from tightrope.monitors.records import Comparisons, Fault, Role, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Model, UnreachableError
from tightrope.shadow.inference import Watched

ROWS = [[0.5, 1.0], [1.0, 0.25]]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """One pair of models, watched as ``m``."""
    return Workshop({"m": watched(tmp_path)})


@pytest.fixture
def brittle(tmp_path: Path) -> Workshop:
    """A baseline that cannot run on anything but 0 and 1, and a compressed model that can."""
    one = np.array([[1.0, -1.0]], np.float32)
    models = {
        Role.BASELINE: OnnxModel(fragile(tmp_path / "baseline.onnx")),
        Role.COMPRESSED: OnnxModel(classifier(tmp_path / "compressed.onnx", one)),
    }
    return Workshop({"m": Watched(models, Decision(Scale.PROBABILITIES), "probabilities", free=True)})


def compared(shop: Workshop) -> Comparisons:
    """The one batch that a step gives."""
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    return batch


def test_sample_that_the_shadow_cannot_run_is_a_fault_row(brittle: Workshop) -> None:
    """It is counted as a failure to measure; the samples that shared its run are compared as if it were not there."""
    of = brittle.watched["m"]
    values = [0.0, 1.0, 9.0, 0.0, 1.0]
    brittle.publish(*(sample(of, [[value]], number=n) for n, value in enumerate(values)))
    batch = compared(brittle)
    assert batch.fault.tolist() == [0, 0, Fault.RUN_FAILED, 0, 0]
    np.testing.assert_allclose(batch.confidence_baseline, [0.9, 0.9, np.nan, 0.9, 0.9], atol=1e-6)
    assert batch.disagree.tolist() == [False, True, False, False, True]
    assert brittle.metrics.total("comparison_errors", model="m", scope="model") == 1
    assert not brittle.parked()


def test_rows_of_a_failed_sample_are_faults_together(brittle: Workshop) -> None:
    """A sample is run whole: one bad row takes the sample's others along, and nobody else's."""
    of = brittle.watched["m"]
    brittle.publish(sample(of, [[0.0], [9.0], [1.0]], number=0), sample(of, [[1.0], [1.0]], number=1))
    batch = compared(brittle)
    assert batch.fault.tolist() == [Fault.RUN_FAILED] * 3 + [Fault.NONE] * 2
    assert batch.offset.tolist() == [0] * 5


def test_tensor_that_the_model_does_not_take_is_a_fault_row(shop: Workshop) -> None:
    """Another number of features cannot be run, and is not batched with what can."""
    of = shop.watched["m"]
    odd = replace(sample(of, ROWS), inputs={"input": np.zeros((2, 3), np.float32)})
    shop.publish(odd, sample(of, ROWS, number=1))
    assert compared(shop).fault.tolist() == [Fault.RUN_FAILED] * 2 + [Fault.NONE] * 2


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ([np.nan, 0.5, 0.5], Fault.NOT_FINITE),
        ([np.inf, 0.0, 0.0], Fault.NOT_FINITE),
        ([0.9, 0.9, 0.9], Fault.OUT_OF_RANGE),
        ([0.5, 0.5], Fault.OUT_OF_RANGE),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_answer_that_is_no_distribution_is_a_fault_row(
    shop: Workshop, said: list[float], fault: Fault, place: int
) -> None:
    """NaN, infinity, a wrong sum, another number of classes: one fault, wherever in the batch; the rest is sound."""
    of = shop.watched["m"]
    odd = sample(of, ROWS[:1], outputs=np.array([said], np.float32))
    samples = [sample(of, ROWS[1:], number=1), sample(of, ROWS, number=2)]
    shop.publish(*samples[:place], odd, *samples[place:])
    batch = compared(shop)
    bad = np.array(batch.request_id) == odd.request_id
    assert batch.fault.tolist() == np.where(bad, fault, Fault.NONE).tolist()
    np.testing.assert_array_equal(np.isnan(batch.distance), bad)
    assert (bad.sum(), len(batch)) == (1, 4)
    assert not batch.disagree[bad].any()


def test_shadow_that_says_nan_is_a_fault_row(shop: Workshop) -> None:
    """An infinite input makes the other model's softmax NaN: the row is a failure to measure, not an agreement."""
    of = shop.watched["m"]
    bad = sample(of, [[np.inf, 1.0]], outputs=np.array([[0.2, 0.3, 0.5]], np.float32))
    shop.publish(sample(of, ROWS, number=1), bad)
    batch = compared(shop)
    assert batch.fault.tolist() == [Fault.NONE, Fault.NONE, Fault.NOT_FINITE]
    assert np.isnan(batch.confidence_baseline).tolist() == [False, False, True]


def test_numbers_of_classes_may_differ_from_sample_to_sample(tmp_path: Path) -> None:
    """A model that ranks as many candidates as it is given is compared sample by sample."""

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
    of = Watched(models, Decision(Scale.PROBABILITIES), "probabilities", free=True)
    shop = Workshop({"m": of})
    candidates = [[1.0, 2.0], [3.0, 2.0, 1.0, 0.5], [1.0, 2.0, 3.0]]
    shop.publish(*(sample(of, [row], number=n) for n, row in enumerate(candidates)))
    batch = compared(shop)
    expected = [np.exp(max(row)) / np.exp(row).sum() for row in candidates]
    assert batch.fault.tolist() == [Fault.NONE] * 3
    np.testing.assert_allclose(batch.confidence_baseline, expected, atol=1e-6)
    assert batch.disagree.all()


class Gone:
    """A model that is not there; counts who asks."""

    def __init__(self, like: Model) -> None:
        self.digest, self.inputs, self.outputs = like.digest, like.inputs, like.outputs
        self.asked = 0

    def run(self, *_: object) -> Tensors:
        """Not now."""
        self.asked += 1
        raise UnreachableError("no answer within 2 s")


def test_samples_are_not_asked_one_by_one_of_a_model_that_is_not_there(shop: Workshop) -> None:
    """What failed is not the input: all are faults after one attempt, and other models' samples do not wait."""
    of = shop.watched["m"]
    gone = Gone(of.models[Role.BASELINE])
    away = replace(of, models={Role.BASELINE: gone, Role.COMPRESSED: of.models[Role.COMPRESSED]})
    shop.publish(*(sample(of, ROWS, number=n) for n in range(5)))
    shop = replace(shop, watched={"m": away})
    batch = compared(shop)
    assert (batch.fault == Fault.RUN_FAILED).tolist() == [True] * 10
    assert gone.asked == 1
