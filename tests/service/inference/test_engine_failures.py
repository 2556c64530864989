"""If one model of a pair fails the other answers, marked so, counted, and told to the audit trail but not once a
request.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.model_pairs import HUGE, failing, weights
from tests.support.serving.service_harness import Bench, body
from tightrope.monitors.records import Event, Role, Tensors
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.errors import CallerError, ServerError, UnavailableError
from tightrope.service.inference.failures import NOTICE_EVERY
from tightrope.service.protocol.tensors import TensorSpec

FAILING = 5.0


@pytest.fixture
def served(tmp_path: Path) -> Bench:
    """A gateway with the pairs that fail for some inputs."""
    return Bench(tmp_path, failing(tmp_path))


def events(served: Bench) -> list[Event]:
    """The audit trail's events so far; the gateway's outbox is stopped then."""
    return served.published()[1]


@pytest.mark.parametrize(
    ("model", "value", "reason"),
    [("fragile", FAILING, "run_failed"), ("overflowing", HUGE, "unreadable_output")],
)
def test_compressed_model_that_fails_is_stood_in_for(served: Bench, model: str, value: float, reason: str) -> None:
    """A failed run and an output that is no answer alike: the baseline answers and the parameters say so."""
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


def test_other_requests_are_not_affected(served: Bench) -> None:
    """Before and after the failure the compressed model answers what it can."""
    for value, by in ((1.0, "compressed"), (FAILING, "baseline"), (0.0, "compressed")):
        parameters = served.infer("fragile", body([[value]])).parameters
        assert parameters["served_by"] == by
        assert ("fallback" in parameters) is (by == "baseline")


def test_baseline_that_fails_in_safe_mode_is_stood_in_for(served: Bench) -> None:
    """The compressed model's answer is better than none; that it was safe mode is still said."""
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


def test_one_bad_row_takes_the_whole_request_along(served: Bench) -> None:
    """A request is answered by one model."""
    answer = served.infer("overflowing", body([[1.0], [HUGE]]))
    assert answer.parameters["served_by"] == "baseline"
    assert answer.outputs["probabilities"].shape == (2, 2)


def test_sample_of_a_stand_in_says_who_answered(served: Bench) -> None:
    """The shadow then asks the one that failed, and counts the fault."""
    served.infer("fragile", body([[FAILING]]))
    ((sample,), _) = served.published()
    assert sample.served_by is Role.BASELINE


def test_input_that_neither_model_can_run_on_is_the_callers(served: Bench) -> None:
    """With the reason of the run, and without a notice: a caller could fill the audit trail otherwise."""
    with pytest.raises(CallerError, match=r"inputs: neither model can run on these values: .*Gather"):
        served.infer("doomed", body([[FAILING]]))
    assert served.published() == ([], [])


def test_answers_of_both_models_that_are_none_are_ours(served: Bench) -> None:
    """The request was good."""
    with pytest.raises(ServerError, match="both models failed; the last said: probabilities: not_finite"):
        served.infer("poisoned", body([[HUGE]]))
    assert served.published() == ([], [])


def test_output_beyond_probabilities_is_no_answer(tmp_path: Path) -> None:
    """Numbers that do not sum to one, where probabilities were promised, are not passed on."""
    good = str(classifier(tmp_path / "good.onnx", weights((1, -1))))
    bad = str(classifier(tmp_path / "bad.onnx", weights((1, -1)), scores=True))
    served = Bench(tmp_path, {"m": {"baseline": good, "compressed": bad}})
    parameters = served.infer("m", body([[2.0]])).parameters
    assert (parameters["served_by"], parameters["fallback"]) == ("baseline", "compressed")
    (event,) = events(served)
    assert event.reason == "unreadable_output: probabilities: out_of_range"


def test_the_same_failure_is_told_once_a_minute(served: Bench) -> None:
    """Every one is counted; the audit trail gets the first, and another when it goes on."""
    for _ in range(50):
        served.infer("fragile", body([[FAILING]]))
    served.time += NOTICE_EVERY - 0.1
    served.infer("fragile", body([[FAILING]]))
    served.time += 0.1
    served.infer("fragile", body([[FAILING]]))
    assert served.count("model_failures", model="fragile", role="compressed", reason="run_failed") == 52
    assert [event.time for event in events(served)] == [1000.0, 1000.0 + NOTICE_EVERY]


def test_different_failures_are_told_apart(served: Bench) -> None:
    """One model's trouble does not hide another's."""
    served.infer("fragile", body([[FAILING]]))
    served.infer("overflowing", body([[HUGE]]))
    served.safe("fragile_baseline", "model")
    served.infer("fragile_baseline", body([[FAILING]]))
    told = events(served)
    assert [(event.model, event.detail["role"]) for event in told] == [
        ("fragile", "compressed"),
        ("overflowing", "compressed"),
        ("fragile_baseline", "baseline"),
    ]
    assert len({event.id for event in told}) == 3


class Odd:
    """A model that answers with the same tensor whatever it is asked, or is not there."""

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
    "says", [[[0.5, 0.5]] * 2, [[1, 0]], [[[0.5, 0.5]]], 0.5, [[]]], ids=["rows", "dtype", "axes", "scalar", "empty"]
)
def test_answer_that_does_not_fit_the_rows_is_no_answer(served: Bench, says: object) -> None:
    """A server elsewhere may answer anything: whatever is no row of floats for each row asked is stood in for."""
    pair = served.pairs["fragile"]
    pair.models[Role.COMPRESSED] = Odd(says)
    assert served.infer("fragile", body([[1.0]])).parameters["fallback"] == "compressed"
    assert served.count("model_failures", model="fragile", role="compressed", reason="unreadable_output") == 1


def test_model_that_is_not_there_is_counted_apart_from_one_that_fails(served: Bench) -> None:
    """Whoever is called at night wants to know which; the caller gets the other model's answer."""
    served.pairs["fragile"].models[Role.COMPRESSED] = Odd(UnreachableError("no answer within 2 s"))
    assert served.infer("fragile", body([[1.0]])).parameters["served_by"] == "baseline"
    assert served.count("model_failures", model="fragile", role="compressed", reason="unreachable") == 1
    (event,) = events(served)
    assert event.reason == "unreachable: no answer within 2 s"


def test_it_is_the_callers_fault_only_if_the_last_model_says_so(served: Bench) -> None:
    """With the baseline away nobody knows what it would have said of an input that the compressed model cannot run."""
    models = served.pairs["fragile"].models
    models[Role.BASELINE] = Odd(UnreachableError("gone"))
    with pytest.raises(UnavailableError, match="neither model could answer; the last is unreachable: gone"):
        served.infer("fragile", body([[FAILING]]))
    models[Role.COMPRESSED], models[Role.BASELINE] = models[Role.BASELINE], models[Role.COMPRESSED]
    with pytest.raises(CallerError):
        served.infer("fragile", body([[FAILING]]))
