"""Whether a model that lives elsewhere is there is asked of its server, and shown."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from tests.support.serving.fake_oip_server import Far, far
from tests.support.serving.service_harness import eventually
from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import connect
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.inference import remote_health
from tightrope.service.inference.remote_health import Presence

HERE = SimpleNamespace()
"""A file: it has no server that could be asked."""


@pytest.fixture
def server() -> Iterator[Far]:
    """A server with the model ``m``."""
    with far() as running:
        yield running


@pytest.fixture
def metrics() -> Metrics:
    """On a registry of their own."""
    return Metrics(CollectorRegistry())


def shown(metrics: Metrics) -> dict[str, float | None]:
    """By role."""
    return {
        role: metrics.registry.get_sample_value("tightrope_endpoint_up", {"model": "m", "role": role}) for role in Role
    }


def pair(**models: object) -> SimpleNamespace:
    """What is asked of a pair."""
    return SimpleNamespace(models={role: models[role] for role in Role})


@pytest.mark.parametrize(("status", "up"), [(200, 1.0), (400, 0.0), (503, 0.0)])
def test_server_says_whether_the_model_is_ready(server: Far, metrics: Metrics, status: int, up: float) -> None:
    """Of a file nothing is shown."""
    made = Presence({"m": pair(baseline=connect(server.where()), compressed=HERE)}, metrics)  # type: ignore[dict-item]
    server.pages["GET /v2/models/m/ready"] = (status, b"")
    made.look()
    assert shown(metrics) == {"baseline": up, "compressed": None}


def test_server_that_is_not_there_is_down_though_nobody_needs_it(metrics: Metrics) -> None:
    """Not one request was made of it."""
    with far() as server:
        pairs = {"m": pair(baseline=connect(server.where()), compressed=HERE)}
        made = Presence(pairs, metrics)  # type: ignore[arg-type]
        made.look()
        assert shown(metrics)["baseline"] == 1
        assert server.count("POST /v2/models/m/infer") == 0
    with far() as other:
        pairs["m"] = pair(baseline=connect(other.where()), compressed=HERE)
    made.look()
    assert shown(metrics)["baseline"] == 0


def test_file_in_the_place_of_an_endpoint_ends_its_series(server: Far, metrics: Metrics) -> None:
    """It was deployed meanwhile; an alert about it would never end."""
    pairs = {"m": pair(baseline=connect(server.where()), compressed=connect(server.where()))}
    made = Presence(pairs, metrics)  # type: ignore[arg-type]
    made.look()
    assert shown(metrics) == {"baseline": 1, "compressed": 1}
    pairs["m"] = pair(baseline=connect(server.where()), compressed=HERE)
    made.look()
    assert shown(metrics) == {"baseline": 1, "compressed": None}


def test_thread_asks_again_and_again(server: Far, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is stopped."""
    monkeypatch.setattr(remote_health, "EVERY", 0.02)
    made = Presence({"m": pair(baseline=connect(server.where()), compressed=HERE)}, metrics)  # type: ignore[dict-item]
    made.start()
    eventually(lambda: shown(metrics)["baseline"] == 1)
    server.pages["GET /v2/models/m/ready"] = (503, b"")
    eventually(lambda: shown(metrics)["baseline"] == 0)
    made.stop(5.0)
    asked = len(server.asked)
    server.pages["GET /v2/models/m/ready"] = (200, b"")
    assert (len(server.asked), shown(metrics)["baseline"]) == (asked, 0)
