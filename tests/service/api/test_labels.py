"""Late labels over HTTP: taken one by one or many at once, refused with a reason, and never lost silently."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import AUTH, Bench, eventually
from tightrope.monitors.records import Label
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusFullError
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import decode_labels
from tightrope.service.api import labels as module
from tightrope.service.api.auth import application
from tightrope.service.api.routes import create_api
from tightrope.service.transport.http.asgi import MOST_OTHER

PATH = "/v1/models/m/labels"
TOKEN = AUTH["Authorization"].split()[1]
NOTHING: Any = None
"""What no request of this file needs."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """``m`` takes labels, ``n`` does not."""
    pair = {**sure_and_unsure(tmp_path), **CALM}
    return Bench(tmp_path, {"m": {**pair, "labels": {}}, "n": pair})


class Caller:
    """Posts to an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def post(self, path: str, **sent: Any) -> httpx.Response:  # noqa: ANN401 - what httpx takes
        """One request."""
        return asyncio.run(self._post(path, **sent))

    async def _post(self, path: str, **sent: Any) -> httpx.Response:  # noqa: ANN401 - what httpx takes
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://here") as client:
            return await client.post(path, **sent)


def client_of(bench: Bench, token: str | None = None) -> Caller:
    """The whole API in this process."""
    api = create_api(bench.gateway, NOTHING, NOTHING, bench.bus, "control", token, lambda _: None)
    api.include_router(module.routes(bench.gateway, bench.bus, application(token)))
    return Caller(api)


@pytest.fixture
def client(bench: Bench) -> Caller:
    """Without a token."""
    return client_of(bench)


def told(bench: Bench) -> list[list[Label]]:
    """What was published, record by record."""
    return [decode_labels(record.value) for record in bench.bus.subscribe(topic(LABELS)).poll(100, 0)]


def test_single_label_is_taken(bench: Bench, client: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first row, unless told otherwise; at the time it came."""
    monkeypatch.setattr(module.time, "time", lambda: 5.5)
    for body in ({"id": "r1", "label": 1}, {"id": "r1", "label": 0, "row": 7}):
        answer = client.post(PATH, json=body)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    assert told(bench) == [[Label("m", "r1", 0, 1, 5.5)], [Label("m", "r1", 7, 0, 5.5)]]


def test_batch_of_labels_is_one_record(bench: Bench, client: Caller) -> None:
    """In their order."""
    batch = [{"id": f"r{n}", "label": n % 2, "row": n} for n in range(100)]
    answer = client.post(PATH, json={"labels": batch})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 100})
    (record,) = told(bench)
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
        {"id": "r1", "label": 1, "row": -1},
        {"id": "r1", "label": 1, "model": "m"},
        {"labels": []},
        {"labels": [{"id": "r1"}]},
        {"labels": [{"id": "r1", "label": 1}], "id": "r1"},
        {"labels": [{"id": "r1", "label": 1}] * (module.MOST + 1)},
    ],
    ids=lambda body: str(body)[:40],
)
def test_body_that_is_no_label_is_refused(bench: Bench, client: Caller, body: object) -> None:
    """With what is wrong; nothing of it is taken."""
    answer = client.post(PATH, json=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]
    assert told(bench) == []


def test_body_that_is_no_json_is_refused(client: Caller) -> None:
    """As every other mistake."""
    answer = client.post(PATH, content=b"{", headers={"Content-Type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_model_that_takes_no_labels_says_how_to_switch_them_on(bench: Bench, client: Caller) -> None:
    """404, and so does one that is not served."""
    for model, says in (("n", "takes no labels: set models.n.labels"), ("nobody", "is not served here")):
        answer = client.post(f"/v1/models/{model}/labels", json={"id": "r", "label": 1})
        assert answer.status_code == 404
        assert says in answer.json()["error"]
    assert told(bench) == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dTpw"}])
def test_token_is_asked_for_where_one_is_configured(bench: Bench, headers: dict[str, str]) -> None:
    """Who can tell the truth can move the model; nothing is said before the token is right."""
    client = client_of(bench, TOKEN)
    for path in (PATH, "/v1/models/n/labels", "/v1/models/nobody/labels"):
        answer = client.post(path, json={"id": "r", "label": 1}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert told(bench) == []
    assert client.post(PATH, json={"id": "r", "label": 1}, headers=AUTH).status_code == 202


def test_full_bus_asks_to_come_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted means kept: 503 when it cannot be."""

    def full(*_: object) -> None:
        raise BusFullError("readers are too far behind")

    monkeypatch.setattr(MemoryBus, "publish", full)
    answer = client_of(bench).post(PATH, json={"id": "r", "label": 1})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "readers are too far behind" in answer.json()["error"]


def test_largest_batch_fits_what_a_server_reads() -> None:
    """With ids as a client makes them: the limit of the body is not met before that of the batch."""
    one = len('{"id":"01234567-89ab-cdef-0123-456789abcdef","label":1,"row":0},')
    assert module.MOST * one < MOST_OTHER


def test_labels_have_an_endpoint_of_their_own(bench: Bench) -> None:
    """It can be mounted wherever an application stands."""
    app = FastAPI()
    app.include_router(module.routes(bench.gateway, bench.bus, application(None)))
    assert Caller(app).post(PATH, json={"id": "r", "label": 1}).status_code == 202


def test_label_finds_its_row_on_a_running_server(client_of_server: httpx.Client) -> None:
    """Asked, compared, told, joined: the whole way."""
    row = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [15.0, 5.0]}
    asked = client_of_server.post("/v2/models/plain/infer", json={"id": "late-truth", "inputs": [row]})
    assert asked.status_code == 200
    label = {"labels": [{"id": "late-truth", "label": 0}, {"id": "nobody-asked", "label": 0}]}
    assert client_of_server.post("/v1/models/plain/labels", json=label, headers=AUTH).status_code == 202

    def joined() -> bool:
        judged = client_of_server.get("/v1/models/plain").json()["judged"]
        return bool(judged["labels"].get("joined"))

    assert eventually(joined)


@pytest.fixture
def client_of_server(server: Any) -> httpx.Client:  # noqa: ANN401 - tests.support.servers.Server
    """The shared server's."""
    client: httpx.Client = server.client
    return client
