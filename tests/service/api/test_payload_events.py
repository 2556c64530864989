"""Payload events over HTTP: taken in the forms that loggers use, refused with a reason, and on the bus when taken."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.api.test_labels import NOTHING, Caller
from tests.support.harmful_pair import MINORITY, config, request, traffic
from tests.support.onnx_models import classifier
from tests.support.payload_events import answered, asked, headers
from tests.support.servers import Server, serving, write_config
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import AUTH, Bench, eventually
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import RecordTooLargeError
from tightrope.service.adapters.topics import PAYLOADS, topic
from tightrope.service.adapters.wire.cloudevents import decode
from tightrope.service.api.auth import application
from tightrope.service.api.payload_events import routes
from tightrope.service.api.routes import create_api
from tightrope.service.transport.http.asgi import MOST_OTHER

PATH = "/v1/models/m/payloads"
TOKEN = AUTH["Authorization"].split()[1]
EVENT = {"specversion": "1.0", "id": "a", "type": "x.inference.request", "source": "/x", "data": {}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """``m`` takes events, ``n`` does not."""
    pair = {**sure_and_unsure(tmp_path), **CALM}
    return Bench(tmp_path, {"m": {**pair, "payloads": {}}, "n": pair})


def client_of(bench: Bench, token: str | None = None) -> Caller:
    """The whole API in this process."""
    api = create_api(bench.gateway, NOTHING, NOTHING, bench.bus, "control", token, lambda _: None)
    api.include_router(routes(bench.gateway, bench.bus, {"m"}, application(token)))
    return Caller(api)


def test_event_is_on_the_bus_by_its_id_when_it_is_accepted(bench: Bench) -> None:
    """So that both halves meet at one reader, whichever replica took them; the path says which model."""
    answer = client_of(bench).post(PATH, content=asked([1.0, 2.0]), headers=headers("request", "the-id"))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    (record,) = bench.bus.subscribe(topic(PAYLOADS)).poll(10, 0.0)
    event = decode(record.value)
    assert (record.key, event.id, event.model, event.kind) == ("the-id", "the-id", "m", "request")
    assert json.loads(event.data) == json.loads(asked([1.0, 2.0]))


def test_batch_is_taken_whole(bench: Bench) -> None:
    """As brokers send it."""
    batch = json.dumps([EVENT, {**EVENT, "id": "b"}])
    sent = {"content": batch, "headers": {"content-type": "application/cloudevents-batch+json"}}
    assert client_of(bench).post(PATH, **sent).json() == {"accepted": 2}
    assert [record.key for record in bench.bus.subscribe(topic(PAYLOADS)).poll(10, 0.0)] == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "sent", "status", "says"),
    [
        ("m", {}, 400, "specversion: is None"),
        ("m", {"headers": headers("guess")}, 400, "type: is "),
        ("m", {"content": b"{", "headers": {"content-type": "application/cloudevents+json"}}, 400, "not a payload"),
        ("m", {"content": b"{}", "headers": {"content-type": "application/cloudevents-batch+json"}}, 400, "a batch"),
        ("n", {"headers": headers("request")}, 404, "model n takes no payload events: set models.n.payloads"),
        ("x", {"headers": headers("request")}, 404, "model 'x' is not served here"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_reason(
    bench: Bench, path: str, sent: dict[str, Any], status: int, says: str
) -> None:
    """Nothing of it goes onto the bus."""
    answer = client_of(bench).post(f"/v1/models/{path}/payloads", **sent)
    assert (answer.status_code, answer.json()["error"].startswith(says)) == (status, True), answer.text
    assert bench.bus.subscribe(topic(PAYLOADS)).poll(10, 0.0) == []


def test_token_is_needed_where_there_is_one(bench: Bench) -> None:
    """Whoever tells what was answered can move the model."""
    client = client_of(bench, TOKEN)
    sent: dict[str, Any] = {"content": b"{}", "headers": headers("request")}
    assert client.post(PATH, **sent).status_code == 401
    assert client.post(PATH, content=b"{}", headers={**headers("request"), **AUTH}).status_code == 202


def test_full_bus_is_503_and_says_when_to_come_again(bench: Bench) -> None:
    """The logger may try again; nobody waits here."""
    bench.bus = MemoryBus(capacity=10)
    client = client_of(bench)
    bench.bus.subscribe(topic(PAYLOADS), group="slow")
    sent: dict[str, Any] = {"content": b"{}", "headers": headers("request")}
    assert client.post(PATH, **sent).status_code == 202
    answer = client.post(PATH, **sent)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


class Narrow(MemoryBus):
    """A bus that takes no record of more than a few bytes."""

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Refuse."""
        raise RecordTooLargeError(f"topic {topic}: {len(value)} bytes by {key!r} are too many")


def test_event_that_the_bus_will_never_take_is_413(bench: Bench) -> None:
    """Trying again would not help."""
    bench.bus = Narrow()
    answer = client_of(bench).post(PATH, content=b"{}", headers=headers("request"))
    assert (answer.status_code, "are too many" in answer.json()["error"]) == (413, True)


def post(server: Server, kind: str, id_: str, body: bytes) -> httpx.Response:
    """One event, as KServe's logger posts it."""
    return server.client.post(PATH, content=body, headers={**headers(kind, id_), **AUTH})


def figure(server: Server, series: str) -> float:
    """The value of a series."""
    lines = server.client.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(series)), 0.0)


def test_model_that_somebody_else_serves_is_watched_from_its_events_alone(tmp_path: Path) -> None:
    """A real server that is asked for nothing finds the harmed minority, and each event has its fate."""
    whole = config(tmp_path, payloads={})
    rows = traffic(600, harm=True)
    with serving(write_config(tmp_path, whole)) as server:
        from tightrope.service.adapters.onnxruntime import OnnxModel

        served = OnnxModel(Path(whole["models"]["m"]["compressed"]))
        for number, begin in enumerate(range(0, 600, 20)):
            part = rows[begin : begin + 20]
            said = served.run({"input": part}, ["probabilities"])["probabilities"]
            halves = [
                ("request", json.dumps(request(part)).encode()),
                ("response", answered(*said.astype(float).tolist())),
            ]
            for kind, body in halves[:: 1 if number % 2 else -1]:
                assert post(server, kind, f"r{number}", body).status_code == 202
        post(server, "request", "r0", b"{}")
        post(server, "response", "r0", b"{}")
        joined = 'tightrope_payload_events_total{model="m",outcome="joined"}'
        eventually(lambda: figure(server, joined) == 60.0)
        eventually(lambda: figure(server, 'tightrope_comparisons_total{model="m",scope="model"}') == 600.0)
        eventually(lambda: MINORITY in server.client.get("/v1/models/m").json()["safe"])
        assert figure(server, 'tightrope_payload_events_total{model="m",outcome="unreadable"}') == 2.0


def test_event_may_be_as_large_as_a_request(tmp_path: Path) -> None:
    """Images are; other bodies beside inference requests are bounded more tightly."""
    wide = classifier(tmp_path / "wide.onnx", traffic(2, harm=False).repeat(50_000, axis=1).T[:100_000])
    pair = {"baseline": str(wide), "compressed": str(wide), **CALM, "payloads": {}}
    with serving(write_config(tmp_path, {"models": {"m": pair}, "state": "state"})) as server:
        body = asked([0.125] * 100_000)
        large = body + b" " * (2 * MOST_OTHER - len(body))
        assert post(server, "request", "a", large).status_code == 202
        assert post(server, "response", "a", answered([0.5, 0.5])).status_code == 202
        eventually(lambda: figure(server, 'tightrope_comparisons_total{model="m",scope="model"}') == 1.0, 30.0)
