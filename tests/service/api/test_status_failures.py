"""A model that fails is replaced by the other one, counted, and reported in the audit trail; other requests go on."""

from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.support.servers import Server
from tests.support.serving.model_pairs import HUGE
from tests.support.serving.service_harness import BackgroundClient, body, eventually
from tightrope.service.inference.failures import FAILURE_EVENT_SECONDS

FAILING = 5.0
TICK_ROWS = 64
"""Rows that are judged at once."""


def infer(client: httpx.Client, model: str, value: float) -> httpx.Response:
    """Send one row to a pair that fails."""
    return client.post(f"/v2/models/{model}/infer", json=body([[value]]))


def failures(client: httpx.Client, model: str) -> dict[str, float]:
    """The counters of a model's failures, by role and reason."""
    start = f'tightrope_model_failures_total{{model="{model}",'
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(start)]
    return {line.removeprefix(start).rpartition("} ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def trail(client: httpx.Client, model: str) -> list[dict[str, Any]]:
    """The events of a model's failures."""
    events = client.get(f"/v1/events?model={model}&after=0").json()["events"]
    return [event for event in events if event["kind"] == "model-failed"]


@pytest.mark.parametrize(
    ("model", "value", "reason", "expected_error"),
    [
        ("fragile", FAILING, "run_failed", "run_failed: [ONNXRuntimeError]"),
        ("overflowing", HUGE, "unreadable_output", "unreadable_output: probabilities: not_finite"),
    ],
)
def test_baseline_answers_when_the_compressed_model_fails(
    client: httpx.Client, server: Server, model: str, value: float, reason: str, expected_error: str
) -> None:
    """Marked and counted every time, reported once a minute; the model still answers the requests that it can."""
    label = f'reason="{reason}",role="compressed"'
    before = failures(client, model).get(label, 0.0)
    with BackgroundClient(server.address) as neighbour:
        for _ in range(5):
            answer = infer(client, model, value).json()
            assert (answer["parameters"]["served_by"], answer["parameters"]["fallback"]) == ("baseline", "compressed")
            assert len(answer["outputs"][0]["data"]) == 2
            assert infer(client, model, 1.0).json()["parameters"]["served_by"] == "compressed"
        neighbour.is_served()
    assert failures(client, model)[label] - before == 5
    events = eventually(lambda: trail(client, model))
    assert {(event["reason"][: len(expected_error)], event["detail"]["role"]) for event in events} == {
        (expected_error, "compressed")
    }
    times = [event["time"] for event in events]
    assert all(then - before >= FAILURE_EVENT_SECONDS for before, then in pairwise(times))


def test_input_that_fails_on_both_models_is_400(client: httpx.Client) -> None:
    """The error has onnxruntime's message about the values."""
    answer = infer(client, "doomed", FAILING)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("inputs: neither model can run on these values: [ONNXRuntimeError]")
    assert trail(client, "doomed") == []
    assert infer(client, "doomed", 1.0).status_code == 200


def test_outputs_that_no_monitor_can_read_are_given(client: httpx.Client) -> None:
    """With 200 and a mark, and null for what JSON cannot hold; told once, and the scope's verdicts are errors."""
    for _ in range(2):
        answer = client.post("/v2/models/poisoned/infer", json=body([[HUGE]] * TICK_ROWS))
        assert answer.status_code == 200
        parameters = answer.json()["parameters"]
        assert (parameters["served_by"], parameters["monitored"]) == ("compressed", False)
        assert parameters["fault"] == "not_finite"
        assert not {"confidence", "uncertainty"} & set(parameters)
        assert answer.json()["outputs"][0]["data"] == [None, None] * TICK_ROWS

    def told() -> list[dict[str, Any]]:
        events = client.get("/v1/events?model=poisoned").json()["events"]
        return [event for event in events if event["kind"] == "unmonitored"]

    (event,) = eventually(told)
    assert event["reason"].startswith("probabilities: not_finite: neither model's answer can be read")

    def outcomes() -> set[str]:
        verdicts = client.get("/v1/models/poisoned/verdicts?scope=model").json()["verdicts"]
        return {verdict["outcome"] for verdict in verdicts}

    assert eventually(lambda: "error" in outcomes())
    assert infer(client, "poisoned", 1.0).json()["parameters"].get("monitored") is None


def test_failed_comparison_is_counted_as_an_error(client: httpx.Client) -> None:
    """A row that one model cannot answer counts neither as agreement nor as disagreement."""

    def errors() -> int:
        lines = client.get("/metrics").text.splitlines()
        name = 'tightrope_comparison_errors_total{model="uncomparable",scope="model"}'
        return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(name))

    assert errors() == 0
    infer(client, "uncomparable", HUGE)
    assert eventually(lambda: errors() == 1)
