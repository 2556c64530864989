"""If one model of a pair fails, the other one answers; the failure is marked, counted, and published now and then."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import HUGE, failing, weights
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.records import Event, Role, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.errors import CallerError, UnavailableError
from tightrope.service.inference.failures import FAILURE_EVENT_SECONDS
from tightrope.service.protocol.tensors import TensorSpec

FAILING = 5.0


@pytest.fixture
def served(tmp_path: Path) -> GatewayHarness:
    """A gateway with the pairs that fail for some inputs."""
    return GatewayHarness(tmp_path, failing(tmp_path))


def events(served: GatewayHarness) -> list[Event]:
    """The events so far; this stops the gateway's outbox."""
    return served.published()[1]


@pytest.mark.parametrize(
    ("model", "value", "reason"),
    [("fragile", FAILING, "run_failed"), ("overflowing", HUGE, "unreadable_output")],
)
def test_baseline_answers_when_the_compressed_model_fails(
    served: GatewayHarness, model: str, value: float, reason: str
) -> None:
    """After a failed run and after unreadable outputs; the parameters say so."""
    parameters = served.infer(model, body([[value]])).parameters
    assert (parameters["served_by"], parameters["fallback"]) == ("baseline", "compressed")
    assert parameters["safe_mode"] is False
    assert parameters["model_digest"] == served.pairs[model].models[Role.BASELINE].digest
    assert served.count("model_failures", model=model, role="compressed", reason=reason) == 1
    (event,) = events(served)
    assert (event.kind, event.model, event.scope, event.actor) == ("model-failed", model, "model", "gateway")
    assert event.reason.startswith(f"{reason}: ")
    digest = served.pairs[model].models[Role.COMPRESSED].digest
    assert event.detail == {"role": "compressed", "answered_by": "baseline", "digest": digest}


def test_other_requests_are_not_affected(served: GatewayHarness) -> None:
    """The compressed model answers the requests before and after the failure."""
    for value, by in ((1.0, "compressed"), (FAILING, "baseline"), (0.0, "compressed")):
        parameters = served.infer("fragile", body([[value]])).parameters
        assert parameters["served_by"] == by
        assert ("fallback" in parameters) is (by == "baseline")


def test_compressed_model_answers_when_the_baseline_fails_in_safe_mode(served: GatewayHarness) -> None:
    """An answer of the compressed model is better than none; the parameters still report safe mode."""
    served.safe("fragile_baseline", "model")
    parameters = served.infer("fragile_baseline", body([[FAILING]])).parameters
    assert (parameters["served_by"], parameters["fallback"], parameters["safe_mode"]) == (
        "compressed",
        "baseline",
        True,
    )
    assert served.infer("fragile_baseline", body([[1.0]])).parameters["served_by"] == "baseline"
    (event,) = events(served)
    assert event.detail["answered_by"] == "compressed"


def test_one_bad_row_fails_the_whole_request(served: GatewayHarness) -> None:
    """One model answers all rows of a request."""
    answer = served.infer("overflowing", body([[1.0], [HUGE]]))
    assert answer.parameters["served_by"] == "baseline"
    assert answer.outputs["probabilities"].shape == (2, 2)


def test_sample_names_the_role_that_answered(served: GatewayHarness) -> None:
    """The shadow then runs the failed one, and counts the fault."""
    served.infer("fragile", body([[FAILING]]))
    ((sample,), _) = served.published()
    assert sample.served_by is Role.BASELINE


def test_input_that_neither_model_can_run_is_the_callers_error(served: GatewayHarness) -> None:
    """With the run's error, but without an event: callers could fill the audit trail otherwise."""
    with pytest.raises(CallerError, match=r"inputs: neither model can run on these values: .*Gather"):
        served.infer("doomed", body([[FAILING]]))
    assert served.published() == ([], [])


def test_outputs_that_are_not_probabilities_are_unreadable(tmp_path: Path) -> None:
    """Numbers that do not sum to one are not returned as probabilities."""
    good = str(classifier(tmp_path / "good.onnx", weights((1, -1))))
    bad = str(classifier(tmp_path / "bad.onnx", weights((1, -1)), scores=True))
    served = GatewayHarness(tmp_path, {"m": {"baseline": good, "compressed": good}})
    served.pairs["m"].models[Role.COMPRESSED] = OnnxModel(Path(bad))  # at the start it would be refused
    parameters = served.infer("m", body([[2.0]])).parameters
    assert (parameters["served_by"], parameters["fallback"]) == ("baseline", "compressed")
    (event,) = events(served)
    assert event.reason == "unreadable_output: probabilities: out_of_range"


def test_repeated_failure_is_published_once_a_minute(served: GatewayHarness) -> None:
    """Every failure is counted."""
    for _ in range(50):
        served.infer("fragile", body([[FAILING]]))
    served.time += FAILURE_EVENT_SECONDS - 0.1
    served.infer("fragile", body([[FAILING]]))
    served.time += 0.1
    served.infer("fragile", body([[FAILING]]))
    assert served.count("model_failures", model="fragile", role="compressed", reason="run_failed") == 52
    assert [event.time for event in events(served)] == [1000.0, 1000.0 + FAILURE_EVENT_SECONDS]


def test_different_failures_are_published_separately(served: GatewayHarness) -> None:
    """One model's failures do not hide another's."""
    served.infer("fragile", body([[FAILING]]))
    served.infer("overflowing", body([[HUGE]]))
    served.safe("fragile_baseline", "model")
    served.infer("fragile_baseline", body([[FAILING]]))
    published = events(served)
    assert [(event.model, event.detail["role"]) for event in published] == [
        ("fragile", "compressed"),
        ("overflowing", "compressed"),
        ("fragile_baseline", "baseline"),
    ]
    assert len({event.id for event in published}) == 3


class Odd:
    """A model that returns one fixed tensor for any input, or raises an error."""

    digest = "0" * 64
    inputs = (TensorSpec("input", "FP32", (-1, 1)),)
    outputs = (TensorSpec("probabilities", "FP32", (-1, 2)),)

    def __init__(self, says: object) -> None:
        self.says = says

    def run(self, _: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer, or not."""
        if isinstance(self.says, RunFailedError):
            raise self.says
        return dict.fromkeys(outputs, np.asarray(self.says))


@pytest.mark.parametrize(
    "says",
    [[[0.5, 0.5]] * 2, [[1, 0]], [[[0.5, 0.5]] * 2], 0.5, [[]]],
    ids=["rows", "dtype", "axes", "scalar", "empty"],
)
def test_outputs_that_do_not_fit_the_rows_are_unreadable(served: GatewayHarness, says: object) -> None:
    """A remote server may return anything; the other model answers unless there is a row of floats for each row."""
    pair = served.pairs["fragile"]
    pair.models[Role.COMPRESSED] = Odd(says)
    assert served.infer("fragile", body([[1.0]])).parameters["fallback"] == "compressed"
    assert served.count("model_failures", model="fragile", role="compressed", reason="unreadable_output") == 1


def test_unreachable_model_has_a_reason_of_its_own(served: GatewayHarness) -> None:
    """Operators need to know which; the caller gets the other model's answer."""
    served.pairs["fragile"].models[Role.COMPRESSED] = Odd(UnreachableError("no answer within 2 s"))
    assert served.infer("fragile", body([[1.0]])).parameters["served_by"] == "baseline"
    assert served.count("model_failures", model="fragile", role="compressed", reason="unreachable") == 1
    (event,) = events(served)
    assert event.reason == "unreachable: no answer within 2 s"


def test_error_is_the_callers_only_if_the_last_model_refused_the_input(served: GatewayHarness) -> None:
    """An unreachable baseline might have run what the compressed model could not."""
    models = served.pairs["fragile"].models
    models[Role.BASELINE] = Odd(UnreachableError("gone"))
    with pytest.raises(UnavailableError, match="neither model could answer; the last is unreachable: gone"):
        served.infer("fragile", body([[FAILING]]))
    models[Role.COMPRESSED], models[Role.BASELINE] = models[Role.BASELINE], models[Role.COMPRESSED]
    with pytest.raises(CallerError):
        served.infer("fragile", body([[FAILING]]))
