"""Payload events over HTTP: accepted in the forms of loggers, refused with a reason, and published to the bus."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import MINORITY, config, request, traffic
from tests.support.onnx_models import classifier
from tests.support.payload_events import headers, request_body, response_body
from tests.support.servers import Server, serving
from tests.support.serving.api_client import api_client
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import AUTH, GatewayHarness, eventually
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import RecordTooLargeError
from tightrope.service.adapters.topics import PAYLOADS, topic
from tightrope.service.adapters.wire.cloudevents import decode
from tightrope.service.transport.http.asgi import MAX_OTHER_BODY_BYTES

PATH = "/v1/models/m/payloads"
TOKEN = AUTH["Authorization"].split()[1]
WATCHED = {"m"}
EVENT = {"specversion": "1.0", "id": "a", "type": "x.inference.request", "source": "/x", "data": {}}


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayHarness:
    """A gateway where ``m`` takes payload events and ``n`` does not."""
    pair = {**sure_and_unsure(tmp_path), **CALM}
    return GatewayHarness(tmp_path, {"m": {**pair, "payloads": {}}, "n": pair})


def test_accepted_event_is_published_with_its_id_as_key(gateway: GatewayHarness) -> None:
    """One reader gets both events of a request from any replica. The path names the model."""
    answer = api_client(gateway, watched=WATCHED).post(
        PATH, content=request_body([1.0, 2.0]), headers=headers("request", "the-id")
    )
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    (record,) = gateway.bus.subscribe(topic(PAYLOADS)).poll(10, 0.0)
    event = decode(record.value)
    assert (record.key, event.id, event.model, event.kind) == ("the-id", "the-id", "m", "request")
    assert json.loads(event.data) == json.loads(request_body([1.0, 2.0]))


def test_batch_is_accepted_as_a_whole(gateway: GatewayHarness) -> None:
    """In the form that brokers send."""
    batch = json.dumps([EVENT, {**EVENT, "id": "b"}])
    sent = {"content": batch, "headers": {"content-type": "application/cloudevents-batch+json"}}
    assert api_client(gateway, watched=WATCHED).post(PATH, **sent).json() == {"accepted": 2}
    assert [record.key for record in gateway.bus.subscribe(topic(PAYLOADS)).poll(10, 0.0)] == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "sent", "status", "expected_error"),
    [
        ("m", {}, 400, "specversion: is None"),
        ("m", {"headers": headers("guess")}, 400, "type: is "),
        ("m", {"content": b"{", "headers": {"content-type": "application/cloudevents+json"}}, 400, "not a payload"),
        ("m", {"content": b"{}", "headers": {"content-type": "application/cloudevents-batch+json"}}, 400, "a batch"),
        ("n", {"headers": headers("request")}, 404, "model n takes no payload events: set models.n.payloads"),
        ("x", {"headers": headers("request")}, 404, "model 'x' is not served here"),
    ],
)
def test_invalid_event_is_refused_with_the_reason(
    gateway: GatewayHarness, path: str, sent: dict[str, Any], status: int, expected_error: str
) -> None:
    """No part of it is published."""
    answer = api_client(gateway, watched=WATCHED).post(f"/v1/models/{path}/payloads", **sent)
    assert (answer.status_code, answer.json()["error"].startswith(expected_error)) == (status, True), answer.text
    assert gateway.bus.subscribe(topic(PAYLOADS)).poll(10, 0.0) == []


def test_configured_token_is_required(gateway: GatewayHarness) -> None:
    """Payload events influence the modes."""
    client = api_client(gateway, TOKEN, WATCHED)
    sent: dict[str, Any] = {"content": b"{}", "headers": headers("request")}
    assert client.post(PATH, **sent).status_code == 401
    assert client.post(PATH, content=b"{}", headers={**headers("request"), **AUTH}).status_code == 202


def test_full_bus_is_503_with_a_retry_delay(gateway: GatewayHarness) -> None:
    """The logger may retry; the gateway does not wait."""
    gateway.bus = MemoryBus(capacity=10)
    client = api_client(gateway, watched=WATCHED)
    gateway.bus.subscribe(topic(PAYLOADS), group="slow")
    sent: dict[str, Any] = {"content": b"{}", "headers": headers("request")}
    assert client.post(PATH, **sent).status_code == 202
    answer = client.post(PATH, **sent)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


class RefusingBus(MemoryBus):
    """A bus for which every record is too large."""

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Refuse the record."""
        raise RecordTooLargeError(f"topic {topic}: {len(value)} bytes by {key!r} are too many")


def test_event_too_large_for_the_bus_is_413(gateway: GatewayHarness) -> None:
    """A retry would fail again."""
    gateway.bus = RefusingBus()
    answer = api_client(gateway, watched=WATCHED).post(PATH, content=b"{}", headers=headers("request"))
    assert (answer.status_code, "are too many" in answer.json()["error"]) == (413, True)


def post(server: Server, kind: str, id_: str, body: bytes) -> httpx.Response:
    """Post an event as KServe's logger does."""
    return server.client.post(PATH, content=body, headers={**headers(kind, id_), **AUTH})


def metric(server: Server, series: str) -> float:
    """The value of a series, 0.0 if it is missing."""
    lines = server.client.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(series)), 0.0)


def test_model_served_elsewhere_is_monitored_by_its_events(tmp_path: Path) -> None:
    """A real server that gets no inference request finds the harmed subgroup, and counts each event by its outcome."""
    whole = config(tmp_path, payloads={})
    rows = traffic(600, harm=True)
    with serving(write_config(tmp_path, whole)) as server:
        from tightrope.service.adapters.onnxruntime import OnnxModel

        served = OnnxModel(Path(whole["models"]["m"]["compressed"]))
        for number, begin in enumerate(range(0, 600, 20)):
            part = rows[begin : begin + 20]
            outputs = served.run({"input": part}, ["probabilities"])["probabilities"]
            events = [
                ("request", json.dumps(request(part)).encode()),
                ("response", response_body(*outputs.astype(float).tolist())),
            ]
            for kind, body in events[:: 1 if number % 2 else -1]:
                assert post(server, kind, f"r{number}", body).status_code == 202
        post(server, "request", "r0", b"{}")
        post(server, "response", "r0", b"{}")
        joined = 'tightrope_payload_events_total{model="m",outcome="joined"}'
        eventually(lambda: metric(server, joined) == 60.0)
        eventually(lambda: metric(server, 'tightrope_comparisons_total{model="m",scope="model"}') == 600.0)
        eventually(lambda: MINORITY in server.client.get("/v1/models/m").json()["safe"])
        assert metric(server, 'tightrope_payload_events_total{model="m",outcome="unreadable"}') == 2.0


def test_event_may_be_as_large_as_a_request(tmp_path: Path) -> None:
    """Events hold whole requests; other bodies beside inference requests have a lower limit."""
    wide = classifier(tmp_path / "wide.onnx", traffic(2, harm=False).repeat(50_000, axis=1).T[:100_000])
    pair = {"baseline": str(wide), "compressed": str(wide), **CALM, "payloads": {}}
    with serving(write_config(tmp_path, {"models": {"m": pair}, "state": "state"})) as server:
        body = request_body([0.125] * 100_000)
        large = body + b" " * (2 * MAX_OTHER_BODY_BYTES - len(body))
        assert post(server, "request", "a", large).status_code == 202
        assert post(server, "response", "a", response_body([0.5, 0.5])).status_code == 202
        eventually(lambda: metric(server, 'tightrope_comparisons_total{model="m",scope="model"}') == 1.0, 30.0)
