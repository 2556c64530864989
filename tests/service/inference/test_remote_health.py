"""The readiness of remote models is polled and shown in the metrics."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from tests.support.serving.fake_oip_server import FakeServer, fake_server
from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import connect
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.inference import remote_health
from tightrope.service.inference.remote_health import RemoteHealth

HERE = SimpleNamespace()
"""A file: it has no server that could be asked."""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with the model ``m``."""
    with fake_server() as running:
        yield running


@pytest.fixture
def metrics() -> Metrics:
    """Metrics on a registry of their own."""
    return Metrics(CollectorRegistry())


def shown(metrics: Metrics) -> dict[str, float | None]:
    """The gauge by role."""
    return {
        role: metrics.registry.get_sample_value("tightrope_endpoint_up", {"model": "m", "role": role}) for role in Role
    }


def pair(**models: object) -> SimpleNamespace:
    """A stand-in for a pair, with these models."""
    return SimpleNamespace(models={role: models[role] for role in Role})


@pytest.mark.parametrize(("status", "up"), [(200, 1.0), (400, 0.0), (503, 0.0)])
def test_readiness_of_the_server_is_shown(server: FakeServer, metrics: Metrics, status: int, up: float) -> None:
    """A model file has no gauge."""
    made = RemoteHealth({"m": pair(baseline=connect(server.where()), compressed=HERE)}, metrics)  # type: ignore[dict-item]
    server.pages["GET /v2/models/m/ready"] = (status, b"")
    made.poll()
    assert shown(metrics) == {"baseline": up, "compressed": None}


def test_missing_server_is_down_without_any_request(metrics: Metrics) -> None:
    """No inference request was sent to it."""
    with fake_server() as server:
        pairs = {"m": pair(baseline=connect(server.where()), compressed=HERE)}
        made = RemoteHealth(pairs, metrics)  # type: ignore[arg-type]
        made.poll()
        assert shown(metrics)["baseline"] == 1
        assert server.count("POST /v2/models/m/infer") == 0
    with fake_server() as other:
        pairs["m"] = pair(baseline=connect(other.where()), compressed=HERE)
    made.poll()
    assert shown(metrics)["baseline"] == 0


def test_deployed_file_removes_the_gauge_of_an_endpoint(server: FakeServer, metrics: Metrics) -> None:
    """An alert about it would never end otherwise."""
    pairs = {"m": pair(baseline=connect(server.where()), compressed=connect(server.where()))}
    made = RemoteHealth(pairs, metrics)  # type: ignore[arg-type]
    made.poll()
    assert shown(metrics) == {"baseline": 1, "compressed": 1}
    pairs["m"] = pair(baseline=connect(server.where()), compressed=HERE)
    made.poll()
    assert shown(metrics) == {"baseline": 1, "compressed": None}


def test_thread_polls_until_it_is_stopped(
    server: FakeServer, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later changes are not shown."""
    monkeypatch.setattr(remote_health, "HEALTH_POLL_SECONDS", 0.02)
    made = RemoteHealth({"m": pair(baseline=connect(server.where()), compressed=HERE)}, metrics)  # type: ignore[dict-item]
    made.start()
    eventually(lambda: shown(metrics)["baseline"] == 1)
    server.pages["GET /v2/models/m/ready"] = (503, b"")
    eventually(lambda: shown(metrics)["baseline"] == 0)
    made.stop(5.0)
    asked = len(server.requests)
    server.pages["GET /v2/models/m/ready"] = (200, b"")
    assert (len(server.requests), shown(metrics)["baseline"]) == (asked, 0)
