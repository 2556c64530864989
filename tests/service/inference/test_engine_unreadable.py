"""A decision output that cannot be read is no trouble of serving: the other model answers, or the answer is marked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.model_pairs import weights
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.errors import CallerError
from tightrope.service.inference.batchability import Batchability
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.protocol.tensors import TensorSpec

REFUSAL = {"score": "max_probability", "threshold": 0.8}
BAD = 5.0
"""An input for which `Moody` gives what cannot be read."""


class Moody:
    """A model that is sure of class 0, and gives ``bad`` for each row of `BAD`, or for the whole run if ``whole``."""

    digest = "0" * 64
    inputs = (TensorSpec("input", "FP32", (-1, 1)),)
    outputs = (TensorSpec("probabilities", "FP32", (-1, 2)),)

    def __init__(self, bad: Any, *, whole: bool = False) -> None:  # noqa: ANN401 - anything that a model gives
        self.bad = bad
        self.whole = whole
        self.runs: list[int] = []

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer."""
        rows: npt.NDArray[np.float32] = inputs["input"]
        self.runs.append(len(rows))
        said = np.tile(np.array([0.9, 0.1], np.float32), (len(rows), 1))
        if (rows == BAD).any():
            if isinstance(self.bad, Exception):
                raise self.bad
            if self.whole:
                return dict.fromkeys(outputs, np.asarray(self.bad))
            said[(rows == BAD).ravel()] = self.bad
        return dict.fromkeys(outputs, said)


@pytest.fixture
def served(tmp_path: Path) -> GatewayHarness:
    """A gateway with one pair, whose models the tests replace."""
    files = [str(classifier(tmp_path / f"{role}.onnx", weights((1, -1)))) for role in Role]
    pair = {"baseline": files[0], "compressed": files[1], "refusal": {**REFUSAL, "action": "escalate"}}
    gateway = GatewayHarness(tmp_path, {"m": pair})
    object.__setattr__(gateway.pairs["m"], "batchability", Batchability({}, "probabilities"))
    return gateway


def replace(served: GatewayHarness, compressed: object, baseline: object) -> None:
    """Let these two answer."""
    models: Any = served.pairs["m"].models
    models[Role.COMPRESSED], models[Role.BASELINE] = compressed, baseline


NAN, WRONG_SCALE = [np.nan, 0.5], [3.0, -2.0]
ODD: dict[str, tuple[object, str]] = {
    "rows": ([[0.5, 0.5]] * 2, "another_shape"),
    "dtype": ([[1, 0]], "another_shape"),
    "axes": ([[[0.5, 0.5]] * 2], "another_shape"),
    "scalar": (0.5, "another_shape"),
    "empty": ([[]], "another_shape"),
    "nan": ([NAN], "not_finite"),
    "scale": ([WRONG_SCALE], "out_of_range"),
}


@pytest.mark.parametrize("name", ODD)
def test_answer_is_given_unmonitored(served: GatewayHarness, name: str) -> None:
    """If no model has one that can be read: with the fault, without confidence, not refused, as the model gave it."""
    said, fault = ODD[name]
    replace(served, Moody(said, whole=True), Moody(said, whole=True))
    answer = served.infer("m", body([[BAD]]))
    parameters = answer.parameters
    assert (parameters["served_by"], parameters["monitored"], parameters["fault"]) == ("compressed", False, fault)
    assert parameters["refused"] is False
    assert not {"confidence", "uncertainty", "fallback", "escalated"} & set(parameters)
    assert np.array_equal(answer.outputs["probabilities"], np.asarray(said), equal_nan=True)
    assert served.count("unmonitored_answers", model="m", role="compressed", reason=fault) == 1
    for role in Role:
        assert served.count("model_failures", model="m", role=role, reason="unreadable_output") == 1


@pytest.mark.parametrize("name", ODD)
def test_sample_of_an_unmonitored_answer_is_a_fault_for_the_shadow(served: GatewayHarness, name: str) -> None:
    """It reaches the worker as numbers that no reading takes for an answer, one for each row."""
    said, _ = ODD[name]
    replace(served, Moody(said, whole=True), Moody(said, whole=True))
    served.infer("m", body([[BAD]]))
    ((sample,), _) = served.published()
    output = sample.outputs["probabilities"]
    assert (output.dtype.kind, len(output), sample.served_by) == ("f", 1, Role.COMPRESSED)
    assert np.isnan(output).any() or output.max() > 1


def test_baseline_answers_if_it_can_be_read(served: GatewayHarness) -> None:
    """As after a failed run; the answer is monitored."""
    replace(served, Moody(NAN), Moody([0.2, 0.8]))
    parameters = served.infer("m", body([[BAD]])).parameters
    assert (parameters["served_by"], parameters["fallback"]) == ("baseline", "compressed")
    assert not {"monitored", "fault"} & set(parameters)
    assert served.count("unmonitored_answers", model="m", role="compressed", reason="not_finite") == 0


def test_routed_answer_is_given_if_the_other_model_fails(served: GatewayHarness) -> None:
    """Both failures are counted."""
    replace(served, Moody(NAN), Moody(RunFailedError("no")))
    parameters = served.infer("m", body([[BAD]])).parameters
    assert (parameters["served_by"], parameters["monitored"]) == ("compressed", False)
    assert served.count("model_failures", model="m", role="baseline", reason="run_failed") == 1


def test_other_models_answer_is_given_if_the_routed_model_fails(served: GatewayHarness) -> None:
    """An answer that cannot be read is better than none."""
    replace(served, Moody(RunFailedError("no")), Moody(NAN))
    parameters = served.infer("m", body([[BAD]])).parameters
    assert (parameters["served_by"], parameters["fallback"]) == ("baseline", "compressed")
    assert (parameters["monitored"], parameters["fault"]) == (False, "not_finite")


def test_run_that_fails_on_both_models_is_still_an_error(served: GatewayHarness) -> None:
    """There is no answer to give."""
    replace(served, Moody(RunFailedError("no")), Moody(RunFailedError("no")))
    with pytest.raises(CallerError):
        served.infer("m", body([[BAD]]))


def asked(*values: float) -> list[InferRequest]:
    """One request for each value."""
    return [
        InferRequest(f"r{i}", {}, {"input": np.array([[value]], np.float32)}, (), binary_default=False)
        for i, value in enumerate(values)
    ]


def test_others_of_the_run_keep_their_answers(served: GatewayHarness) -> None:
    """Only the request that cannot be read is run again, together with others like it."""
    compressed, baseline = Moody(NAN), Moody([0.2, 0.8])
    replace(served, compressed, baseline)
    answers = answer_together(served.engine, "m", asked(1, BAD, 2, BAD))
    parameters = [answer.parameters for answer in answers if isinstance(answer, InferResponse)]
    assert [each["served_by"] for each in parameters] == ["compressed", "baseline", "compressed", "baseline"]
    assert ["fallback" in each for each in parameters] == [False, True, False, True]
    assert (compressed.runs, baseline.runs) == ([4], [2])


def test_unreadable_answers_cost_two_runs_of_a_batch(served: GatewayHarness) -> None:
    """Where every answer is unreadable, as with a wrong scale, requests still share runs."""
    compressed, baseline = Moody(WRONG_SCALE), Moody(WRONG_SCALE)
    replace(served, compressed, baseline)
    answers = answer_together(served.engine, "m", asked(BAD, BAD, BAD))
    assert [answer.parameters["monitored"] for answer in answers if isinstance(answer, InferResponse)] == [False] * 3
    assert (compressed.runs, baseline.runs) == ([3], [3])
    assert served.count("unmonitored_answers", model="m", role="compressed", reason="out_of_range") == 3
    served.engine.sample_answers()
    assert served.count("rows", model="m", role="compressed") == 3


def test_refused_answer_stays_if_the_baselines_cannot_be_read(served: GatewayHarness) -> None:
    """An escalation must not replace an answer that is monitored by one that is not."""
    replace(served, Moody([0.6, 0.4]), Moody(NAN))
    parameters = served.infer("m", body([[BAD]])).parameters
    assert (parameters["served_by"], parameters["refused"], parameters["escalated"]) == ("compressed", True, True)
    assert "monitored" not in parameters
    assert served.count("model_failures", model="m", role="baseline", reason="unreadable_output") == 1


def test_unmonitored_answers_are_told_once_for_each_kind_and_artefact(served: GatewayHarness) -> None:
    """In the audit trail, not for every request."""
    models = Moody(NAN), Moody(NAN)
    replace(served, *models)
    for _ in range(20):
        served.infer("m", body([[BAD]]))
    for model in models:
        model.bad = WRONG_SCALE
    served.infer("m", body([[BAD]]))
    models[0].digest = "1" * 64
    served.infer("m", body([[BAD]]))
    told = [event for event in served.published()[1] if event.kind == "unmonitored"]
    assert [(event.detail["fault"], event.detail["digest"][:1]) for event in told] == [
        ("not_finite", "0"),
        ("out_of_range", "0"),
        ("out_of_range", "1"),
    ]
    assert all("it is given unmonitored" in event.reason for event in told)
