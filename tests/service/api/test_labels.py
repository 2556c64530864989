"""Late labels over HTTP: accepted one by one or in batches, refused with a reason, and never lost silently."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.serving.api_client import ApiClient, api_client
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import AUTH, GatewayHarness, eventually
from tightrope.monitors.label_records import Label
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusFullError
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import decode_labels
from tightrope.service.api import labels as module
from tightrope.service.transport.http.asgi import MAX_OTHER_BODY_BYTES

PATH = "/v1/models/m/labels"
TOKEN = AUTH["Authorization"].split()[1]


@pytest.fixture
def gateway(tmp_path: Path) -> GatewayHarness:
    """A gateway where ``m`` takes labels and ``n`` does not."""
    pair = {**sure_and_unsure(tmp_path), **CALM}
    return GatewayHarness(tmp_path, {"m": {**pair, "labels": {}}, "n": pair})


@pytest.fixture
def client(gateway: GatewayHarness) -> ApiClient:
    """A client of an API without a token."""
    return api_client(gateway)


def published(gateway: GatewayHarness) -> list[list[Label]]:
    """The published labels, record by record."""
    return [decode_labels(record.value) for record in gateway.bus.subscribe(topic(LABELS)).poll(100, 0)]


def test_single_label_is_accepted(gateway: GatewayHarness, client: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row defaults to the first; its time is the time of the request."""
    monkeypatch.setattr(module.time, "time", lambda: 5.5)
    for body in ({"id": "r1", "label": 1}, {"id": "r1", "label": 0, "row": 7}):
        answer = client.post(PATH, json=body)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    assert published(gateway) == [[Label("m", "r1", 0, 1, 5.5)], [Label("m", "r1", 7, 0, 5.5)]]


def test_label_keeps_its_source_and_probability(gateway: GatewayHarness) -> None:
    """As the list of rows to label gave it."""
    body = {"id": "r1", "label": 1, "source": "desk 3", "probability": 0.25}
    assert api_client(gateway, TOKEN).post(PATH, json=body, headers=AUTH).status_code == 202
    ((one,),) = published(gateway)
    assert (one.source, one.probability) == ("desk 3", 0.25)


def test_probability_and_the_list_need_a_control_token(gateway: GatewayHarness, client: ApiClient) -> None:
    """Such a label can hold a fallback back, as an order can; the list has the ids of other callers' requests."""
    plain, drawn = {"id": "r1", "label": 1}, {"id": "r2", "label": 1, "probability": 1.0}
    for body in (drawn, {"labels": [plain, drawn]}):
        answer = client.post(PATH, json=body)
        assert answer.status_code == 403
        assert "control is off: set TIGHTROPE_CONTROL_TOKEN" in answer.json()["error"]
    assert published(gateway) == []
    assert client.get(PATH).status_code == 403
    assert client.post(PATH, json=plain).status_code == 202


def test_rows_to_label_are_not_known_without_the_judges_state(gateway: GatewayHarness) -> None:
    """In a cluster the judges have it: 404 with a sentence."""
    answer = api_client(gateway, TOKEN).get(PATH, headers=AUTH)
    assert answer.status_code == 404
    assert "judges" in answer.json()["error"]


def test_batch_of_labels_is_one_record(gateway: GatewayHarness, client: ApiClient) -> None:
    """In the order of the request."""
    batch = [{"id": f"r{n}", "label": n % 2, "row": n} for n in range(100)]
    answer = client.post(PATH, json={"labels": batch})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 100})
    (record,) = published(gateway)
    assert [(one.request_id, one.row, one.label) for one in record] == [(f"r{n}", n, n % 2) for n in range(100)]
    assert len({one.time for one in record}) == 1


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "r1",
        {},
        {"id": "r1"},
        {"label": 1},
        {"id": "", "label": 1},
        {"id": "x" * 257, "label": 1},
        {"id": 7, "label": 1},
        {"id": "r1", "label": -1},
        {"id": "r1", "label": 2**40},
        {"id": "r1", "label": 0.5},
        {"id": "r1", "label": "left"},
        {"id": "r1", "label": None},
        {"id": "r1", "label": "1"},
        {"id": "r1", "label": True},
        {"id": "r1", "label": 1, "row": False},
        {"id": "r1", "label": 1, "row": -1},
        {"id": "r1", "label": 1, "model": "m"},
        {"id": "r1", "label": 1, "probability": 1.5},
        {"id": "r1", "label": 1, "probability": -0.5},
        {"id": "r1", "label": 1, "probability": "1"},
        {"id": "r1", "label": 1, "source": "x" * 257},
        {"labels": []},
        {"labels": [{"id": "r1"}]},
        {"labels": [{"id": "r1", "label": 1}], "id": "r1"},
        {"labels": [{"id": "r1", "label": 1}] * (module.MAX_LABELS + 1)},
    ],
    ids=lambda body: str(body)[:40],
)
def test_invalid_body_is_refused(gateway: GatewayHarness, client: ApiClient, body: object) -> None:
    """With a reason; no label of it is published."""
    answer = client.post(PATH, json=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]
    assert published(gateway) == []


def test_body_that_is_not_json_is_refused(client: ApiClient) -> None:
    """In the form of every other error."""
    answer = client.post(PATH, content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_model_without_labels_is_404_and_names_the_setting(gateway: GatewayHarness, client: ApiClient) -> None:
    """A model that is not served is 404, too."""
    for model, error in (("n", "takes no labels: set models.n.labels"), ("nobody", "is not served here")):
        answer = client.post(f"/v1/models/{model}/labels", json={"id": "r", "label": 1})
        assert answer.status_code == 404
        assert error in answer.json()["error"]
    assert published(gateway) == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dTpw"}])
def test_configured_token_is_required(gateway: GatewayHarness, headers: dict[str, str]) -> None:
    """Labels influence the modes. Without the token no answer tells whether a model exists."""
    client = api_client(gateway, TOKEN)
    for path in (PATH, "/v1/models/n/labels", "/v1/models/nobody/labels"):
        answer = client.post(path, json={"id": "r", "label": 1}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert published(gateway) == []
    assert client.post(PATH, json={"id": "r", "label": 1}, headers=AUTH).status_code == 202


def test_full_bus_is_503_with_a_retry_delay(gateway: GatewayHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A label that cannot be published is not accepted."""

    def full(*_: object) -> None:
        raise BusFullError("readers are too far behind")

    monkeypatch.setattr(MemoryBus, "publish", full)
    answer = api_client(gateway).post(PATH, json={"id": "r", "label": 1})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "readers are too far behind" in answer.json()["error"]


def test_largest_batch_fits_the_body_limit() -> None:
    """With UUIDs as ids, the limit of the batch applies before that of the body."""
    one = len('{"id":"01234567-89ab-cdef-0123-456789abcdef","label":1,"row":0},')
    assert module.MAX_LABELS * one < MAX_OTHER_BODY_BYTES


def test_label_is_joined_with_its_row_on_a_running_server(client_of_server: httpx.Client) -> None:
    """The whole way: the request, its comparison, the label, and the join."""
    row = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [15.0, 5.0]}
    answer = client_of_server.post("/v2/models/plain/infer", json={"id": "late-truth", "inputs": [row]})
    assert answer.status_code == 200
    label = {"labels": [{"id": "late-truth", "label": 0}, {"id": "nobody-asked", "label": 0}]}
    assert client_of_server.post("/v1/models/plain/labels", json=label, headers=AUTH).status_code == 202

    def joined() -> bool:
        judged = client_of_server.get("/v1/models/plain").json()["judged"]
        return bool(judged["labels"].get("joined"))

    assert eventually(joined)


@pytest.fixture
def client_of_server(server: Any) -> httpx.Client:  # noqa: ANN401 - tests.support.servers.Server
    """The shared server's client."""
    client: httpx.Client = server.client
    return client
