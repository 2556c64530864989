"""A model that crashes while it serves is stood in for, counted, and in the audit trail; nobody else notices."""

from typing import Any

import httpx
import pytest

from tests.support.servers import Server
from tests.support.serving.model_pairs import HUGE
from tests.support.serving.service_harness import Neighbour, body, eventually

FAILING = 5.0


def infer(client: httpx.Client, model: str, value: float) -> httpx.Response:
    """One row to one of the pairs that fail."""
    return client.post(f"/v2/models/{model}/infer", json=body([[value]]))


def failures(client: httpx.Client, model: str) -> dict[str, float]:
    """The failures of a model that are counted, by role and reason."""
    start = f'tightrope_model_failures_total{{model="{model}",'
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(start)]
    return {line.removeprefix(start).rpartition("} ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def trail(client: httpx.Client, model: str) -> list[dict[str, Any]]:
    """What the audit trail says of a model that failed."""
    events = client.get(f"/v1/events?model={model}").json()["events"]
    return [event for event in events if event["kind"] == "model-failed"]


@pytest.mark.parametrize(
    ("model", "value", "reason", "says"),
    [
        ("fragile", FAILING, "run_failed", "run_failed: [ONNXRuntimeError]"),
        ("overflowing", HUGE, "unreadable_output", "unreadable_output: probabilities: not_finite"),
    ],
)
def test_crash_in_flight_is_answered_by_the_baseline(
    client: httpx.Client, server: Server, model: str, value: float, reason: str, says: str
) -> None:
    """Answered, marked, counted every time, told once; what the model can answer it goes on answering."""
    label = f'reason="{reason}",role="compressed"'
    before = failures(client, model).get(label, 0.0)
    with Neighbour(server.address) as neighbour:
        for _ in range(5):
            told = infer(client, model, value).json()
            assert (told["parameters"]["served_by"], told["parameters"]["fallback"]) == ("baseline", "compressed")
            assert len(told["outputs"][0]["data"]) == 2
            assert infer(client, model, 1.0).json()["parameters"]["served_by"] == "compressed"
        neighbour.is_served()
    assert failures(client, model)[label] - before == 5
    (event,) = eventually(lambda: trail(client, model))
    assert event["reason"].startswith(says)
    assert event["detail"]["role"] == "compressed"


def test_input_that_neither_model_can_run_on_is_400(client: httpx.Client) -> None:
    """The caller is told what onnxruntime said of its values."""
    answer = infer(client, "doomed", FAILING)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("inputs: neither model can run on these values: [ONNXRuntimeError]")
    assert trail(client, "doomed") == []
    assert infer(client, "doomed", 1.0).status_code == 200


def test_answers_that_are_none_from_both_models_are_500(client: httpx.Client) -> None:
    """The server says that it is its own fault, and goes on."""
    answer = infer(client, "poisoned", HUGE)
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "both models failed; the last said: probabilities: not_finite"},
    )
    assert infer(client, "poisoned", 1.0).status_code == 200


def test_shadow_counts_what_it_could_not_compare(client: httpx.Client) -> None:
    """A row that one model cannot answer is an error of the comparison, not an agreement."""

    def errors() -> int:
        told = client.get("/metrics").text.splitlines()
        name = 'tightrope_comparison_errors_total{model="overflowing",scope="model"}'
        return sum(int(float(line.rpartition(" ")[2])) for line in told if line.startswith(name))

    before = errors()
    infer(client, "overflowing", HUGE)
    assert eventually(lambda: errors() == before + 1)
