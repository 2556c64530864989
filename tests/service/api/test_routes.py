"""Health, metadata and status over HTTP: what orchestrators, clients and people ask a running server."""

from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from tests.support.servers import Server
from tests.support.serving.model_pairs import SCOPES
from tests.support.serving.service_harness import body, eventually
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.records import Stream

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def get(client: httpx.Client, path: str) -> Any:  # noqa: ANN401 - any JSON
    """A good answer of the server."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_server_says_what_it_is(client: httpx.Client) -> None:
    """Name, version, and the extension that clients look for."""
    told = get(client, "/v2")
    assert told["name"] == "tightrope"
    assert told["extensions"] == ["binary_tensor_data"]
    assert told["version"]


def test_server_is_live_and_ready(client: httpx.Client) -> None:
    """Once it has told its address, it answers."""
    assert get(client, "/v2/health/live") == {"live": True}
    assert get(client, "/v2/health/ready") == {"ready": True}


@pytest.mark.parametrize("version", ["", "/versions/7.1"])
def test_model_says_what_it_takes_and_gives(client: httpx.Client, version: str) -> None:
    """With and without a version in the path."""
    assert get(client, f"/v2/models/modes{version}") == {
        "name": "modes",
        "versions": ["7.1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}],
    }
    assert get(client, f"/v2/models/modes{version}/ready") == {"name": "modes", "ready": True}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v2/models/nope", "model 'nope' is not served here; there are abstain, doomed,"),
        ("/v2/models/nope/ready", "model 'nope' is not served here"),
        ("/v2/models/modes/versions/1", "model 'modes' has no version '1'; it has '7.1'"),
        ("/v2/models/modes/versions/1/ready", "model 'modes' has no version '1'"),
        ("/v1/models/nope", "model 'nope' is not served here"),
        ("/v1/models/nope/verdicts", "model 'nope' is not served here"),
        ("/v2/nope", "Not Found"),
        ("/nope", "Not Found"),
        (f"/v2/models/{'x' * 3000}", "is not served here"),
    ],
)
def test_what_is_not_here_is_404(client: httpx.Client, path: str, says: str) -> None:
    """With the protocol's form of an error, and a short one."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]
    assert says in answer.json()["error"]
    assert len(answer.text) < 600


def test_models_are_listed_with_their_modes(client: httpx.Client) -> None:
    """Every one that is served, armed or advisory, with the state of each of its scopes."""
    listed = {model["name"]: model for model in get(client, "/v1/models")["models"]}
    assert {"plain", "modes", "fragile", "echo_BYTES"} <= listed.keys()
    assert (listed["plain"]["mode"], listed["flag"]["mode"]) == ("armed", "advisory")
    assert set(listed["plain"]["scopes"]) == set(SCOPES)
    assert set(listed["plain"]["scopes"].values()) == {"normal"}
    assert listed["plain"]["safe"] == []
    assert listed["plain"]["baseline_digest"] != listed["plain"]["compressed_digest"]


def test_model_tells_how_far_its_judgement_is(client: httpx.Client) -> None:
    """What is served is sampled, compared by the shadow, and counted by scope."""
    before = get(client, "/v1/models/plain")
    for _ in range(3):
        client.post("/v2/models/plain/infer", json=body([[9.0, 5.0], [10.0, 5.0]], parameters={"region": "north"}))
    assert before["sampling"]["rate"] == 1.0

    def judged() -> bool:
        now = get(client, "/v1/models/plain")
        rows = [told["judged"]["seen"] + told["judged"]["pending"] for told in (before, now)]
        assert now["sampling"]["kept"] >= before["sampling"]["kept"] + 3
        assert now["sampling"]["dropped"] == before["sampling"]["dropped"]
        return bool(rows[1] >= rows[0] + 6)

    assert eventually(judged)
    assert set(before["judged"]["scopes"]) == set(SCOPES)


def test_verdicts_are_given_for_every_scope_and_monitor(client: httpx.Client) -> None:
    """With the evidence against its budget; one that has seen nothing says so, and is not a pass."""
    found = get(client, "/v1/models/modes/verdicts")["verdicts"]
    assert [verdict["scope"] for verdict in found if verdict["monitor"] == "sight"] == ["model"]
    said = [verdict for verdict in found if verdict["monitor"] != "sight"]
    asked = {(verdict["scope"], verdict["monitor"]) for verdict in said}
    assert asked == {(scope, "disagreement") for scope in SCOPES} | {(scope, "mix") for scope in SCOPES[1:]}
    assert {verdict["outcome"] for verdict in said} == {"insufficient"}
    assert {verdict["evidence"] for verdict in said} == {None}
    assert all(verdict["threshold"] > 0 for verdict in said)
    of_flag = get(client, "/v1/models/flag/verdicts")["verdicts"]
    asked_of_all = {name for name, of in CATALOGUE.items() if of.stream is Stream.COMPARISONS} - {"mix"}
    assert {verdict["monitor"] for verdict in of_flag} == asked_of_all | {"sight"}


def test_verdicts_can_be_asked_for_one_scope(client: httpx.Client) -> None:
    """And for one that is not there there are none."""
    said = get(client, "/v1/models/modes/verdicts?scope=region%3Dnorth")["verdicts"]
    assert {verdict["scope"] for verdict in said} == {"region=north"}
    assert get(client, "/v1/models/modes/verdicts?scope=nope")["verdicts"] == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=0", "query.limit: Input should be greater than or equal to 1"),
        ("limit=1001", "query.limit: Input should be less than or equal to 1000"),
        ("limit=x", "query.limit: Input should be a valid integer"),
        ("after=-1", "query.after: Input should be greater than or equal to 0"),
        (f"after={2**63}", "query.after: Input should be less than 9223372036854775808"),
        (f"after={'9' * 30}", "query.after: Input should be less than"),
    ],
)
def test_bad_query_is_the_callers_mistake(client: httpx.Client, query: str, says: str) -> None:
    """Named by its parameter."""
    answer = client.get(f"/v1/events?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(says)


def test_events_beyond_the_last_are_none(client: httpx.Client) -> None:
    """So one asks again with the last number, up to the largest there can be."""
    assert get(client, f"/v1/events?after={2**63 - 1}") == {"events": []}
    assert get(client, "/v1/events?model=nope") == {"events": []}


def test_metrics_are_what_prometheus_parses(client: httpx.Client) -> None:
    """As text by default; rates exist from the first scrape on."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in parse_prometheus(answer.text)}
    outcomes = {
        sample.labels["outcome"]
        for sample in families["tightrope_requests"].samples
        if sample.labels["model"] == "modes" and sample.name == "tightrope_requests_total"
    }
    assert outcomes == {"ok", "caller_error", "server_error"}
    assert {"process_resident_memory_bytes", "tightrope_request_seconds", "tightrope_samples"} <= families.keys()


def test_metrics_are_openmetrics_where_the_scraper_asks(client: httpx.Client) -> None:
    """By content negotiation, with the same series."""
    answer = client.get("/metrics", headers={"Accept": OPENMETRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(answer.text)}
    assert {"tightrope_requests", "tightrope_scope_state"} <= names


def test_requests_are_counted_by_what_became_of_them(client: httpx.Client, server: Server) -> None:
    """Rows by the role that answered; unknown models under one label."""

    def count(name: str, **labels: str) -> float:
        found = parse_prometheus(httpx.get(server.address + "/metrics").text)
        samples = [sample for family in found for sample in family.samples]
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def counts() -> list[float]:
        return [
            count("tightrope_requests_total", model="value", outcome="ok"),
            count("tightrope_requests_total", model="value", outcome="caller_error"),
            count("tightrope_requests_total", model="unknown"),
            count("tightrope_rows_total", model="value", role="compressed"),
            count("tightrope_request_seconds_count", model="value"),
        ]

    before = counts()
    client.post("/v2/models/value/infer", json=body([[1, 2], [3, 4]]))
    client.post("/v2/models/value/infer", json={})
    for number in range(3):
        client.post(f"/v2/models/nope{number}/infer", json={})
    assert [after - first for after, first in zip(counts(), before, strict=True)] == [1, 1, 3, 2, 2]
