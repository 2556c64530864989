"""A model that does not answer in time has failed: the other one answers, and this is told."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier, looping
from tests.support.serving.model_pairs import CALM, weights
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.records import Role
from tightrope.service.adapters.runs.breaker import MAX_EXPIRED
from tightrope.service.adapters.runs.watched_runs import is_kept_away, runs_of
from tightrope.service.errors import UnavailableError
from tightrope.service.inference.engine import SingleRequest
from tightrope.service.protocol.rest import InferRequest

FOREVER, SOON = 1e12, 1.0
SECONDS = 0.2


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayHarness:
    """Provide a gateway of three pairs: the compressed model, the baseline, or both take as long as the input says."""
    quick, slow = str(classifier(tmp_path / "q.onnx", weights((1, -1)))), str(looping(tmp_path / "s.onnx"))
    other = str(looping(tmp_path / "t.onnx", width="wide"))
    pairs = {"compressed": (quick, slow), "baseline": (slow, quick), "both": (other, other)}
    common = {"run_seconds": SECONDS, **CALM}
    return GatewayHarness(
        tmp_path, {name: {"baseline": b, "compressed": c, **common} for name, (b, c) in pairs.items()}
    )


def test_other_role_answers_after_the_deadline(gateway: GatewayHarness) -> None:
    """The answer is marked, and the event names the deadline."""
    parameters = gateway.infer("compressed", body([[FOREVER]])).parameters
    assert (parameters["served_by"], parameters["fallback"]) == ("baseline", "compressed")
    assert "monitored" not in parameters
    assert gateway.count("model_failures", model="compressed", role="compressed", reason="deadline") == 1
    (event,) = gateway.published()[1]
    assert (event.kind, event.reason) == ("model-failed", "deadline: no answer within 0.2 s")


def test_answer_without_the_baseline_is_unmonitored(gateway: GatewayHarness) -> None:
    """The compressed model was judged harmful, and nothing can compare its answer."""
    gateway.safe("baseline", "model")
    parameters = gateway.infer("baseline", body([[FOREVER]])).parameters
    assert (parameters["served_by"], parameters["safe_mode"]) == ("compressed", True)
    assert (parameters["monitored"], parameters["fault"]) == (False, "no_baseline")
    assert gateway.count("unmonitored_answers", model="baseline", role="compressed", reason="no_baseline") == 1


def test_model_that_hangs_costs_requests_nothing(gateway: GatewayHarness) -> None:
    """After a few of them its breaker refuses runs at once."""
    for _ in range(MAX_EXPIRED):
        gateway.infer("compressed", body([[FOREVER]]))
    assert is_kept_away(gateway.pairs["compressed"].models[Role.COMPRESSED])
    assert gateway.infer("compressed", body([[SOON]])).parameters["served_by"] == "baseline"
    assert gateway.count("model_failures", model="compressed", role="compressed", reason="deadline") == MAX_EXPIRED + 1


def test_one_input_that_hangs_does_not_open_the_breaker(gateway: GatewayHarness) -> None:
    """Answers between those of a bad caller keep it closed."""
    for _ in range(2 * MAX_EXPIRED):
        gateway.infer("compressed", body([[FOREVER]]))
        parameters = gateway.infer("compressed", body([[SOON]])).parameters
        assert parameters["served_by"] == "compressed"


def test_input_on_which_both_hang_is_unavailable(gateway: GatewayHarness) -> None:
    """The error says that it was the deadline."""
    with pytest.raises(UnavailableError, match=r"neither model answered in time; the last: no answer within 0\.2 s"):
        gateway.infer("both", body([[FOREVER]]))


def test_batch_with_an_input_that_hangs_answers_the_others(gateway: GatewayHarness) -> None:
    """Its error is its caller's alone."""
    items = [
        SingleRequest(
            InferRequest(name, {}, {"input": np.array([[value]], np.float32)}, (), binary_default=False), 1, None
        )
        for name, value in (("a", SOON), ("b", FOREVER), ("c", SOON))
    ]
    answers = gateway.engine.answer("both", items).answers
    assert [getattr(answer, "id", type(answer)) for answer in answers] == ["a", UnavailableError, "c"]


def test_stuck_models_are_avoided_where_they_are_asked_to_be(gateway: GatewayHarness) -> None:
    """By the requests that were in the stuck run; others try it."""
    runs = runs_of(gateway.pairs["compressed"].models[Role.COMPRESSED])
    assert runs is not None
    runs.breaker.record_stuck()
    request = InferRequest("a", {}, {"input": np.array([[SOON]], np.float32)}, (), binary_default=False)
    item = SingleRequest(request, 1, None)
    for avoid, by in ((True, "baseline"), (False, "compressed")):
        (answer,) = gateway.engine.answer("compressed", [item], avoid_stuck=avoid).answers
        assert getattr(answer, "parameters", {})["served_by"] == by
