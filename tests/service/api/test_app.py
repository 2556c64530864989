"""The FastAPI application: when it is loaded, its errors, and /metrics."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from tests.support.configs import ROOT, write_config
from tests.support.servers import Server
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import body
from tightrope.service.api.app import add_exception_handlers
from tightrope.service.transport.responder import INTERNAL_ERROR

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

PROGRAM = """
import asyncio, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import build_service, load_pairs
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.config.loader import load

settings = load(Path(sys.argv[1]), {})
metrics = Metrics(CollectorRegistry())
service = build_service(settings, load_pairs(settings), {"m": RunProfile()}, MemoryBus(), None, None, None, metrics)
BODY = b'{"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [0.0, 1.0]}]}'


async def call(method, path):
    async def receive():
        return {"type": "http.request", "body": BODY}

    async def send(message):
        if "status" in message:
            print(path, message["status"], "fastapi" in sys.modules)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": [], "root_path": "",
             "query_string": b"", "http_version": "1.1", "scheme": "http", "asgi": {"version": "3.0"}}
    await service.app(scope, receive, send)


async def main():
    await call("POST", "/v2/models/m/infer")
    await asyncio.gather(*(call("GET", path) for path in ("/v2/health/ready", "/v2/health/live")))
    await call("POST", "/v2/models/m/infer")

asyncio.run(main())
"""


def test_inference_is_answered_before_fastapi_is_loaded(tmp_path: Path) -> None:
    """The application is built once, with the first request that is no inference request; a ready replica has it."""
    config = write_config(tmp_path, {"models": {"m": {**sure_and_unsure(tmp_path), **CALM}}})
    command = [sys.executable, "-c", PROGRAM, str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    first, *both, last = ended.stdout.splitlines() or [ended.stderr]
    assert first == "/v2/models/m/infer 200 False", ended.stderr
    assert sorted(both) == ["/v2/health/live 200 True", "/v2/health/ready 200 True"]
    assert last == "/v2/models/m/infer 200 True"


@pytest.mark.parametrize(
    ("path", "expected_error"),
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
def test_unknown_path_is_404(client: httpx.Client, path: str, expected_error: str) -> None:
    """The body is a short error in the protocol's form."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]
    assert expected_error in answer.json()["error"]
    assert len(answer.text) < 600


def test_metrics_are_in_the_prometheus_format(client: httpx.Client) -> None:
    """By default; every outcome has a series from the first scrape on."""
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


def test_metrics_are_in_the_openmetrics_format_on_request(client: httpx.Client) -> None:
    """Negotiated by the Accept header, with the same series."""
    answer = client.get("/metrics", headers={"Accept": OPENMETRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(answer.text)}
    assert {"tightrope_requests", "tightrope_scope_state"} <= names


def test_requests_are_counted_by_outcome(client: httpx.Client, server: Server) -> None:
    """Rows are counted by the answering role, unknown models under one label."""

    def count(name: str, **labels: str) -> float:
        families = parse_prometheus(httpx.get(server.address + "/metrics").text)
        samples = [sample for family in families for sample in family.samples]
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


def test_unexpected_errors_have_the_common_body() -> None:
    """FastAPI's own answer to an exception would be plain text."""
    app = FastAPI()
    add_exception_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/")

    answer = asyncio.run(call())
    assert (answer.status_code, answer.json()) == (500, {"error": INTERNAL_ERROR})
