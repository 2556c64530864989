from pathlib import Path
from threading import Event

import pytest

from service.adapters.metrics import Metrics, process_registry
from service.settings import ConfigError, load
from shadow.loop import Loop
from tests.cluster import asked_of, until
from tests.harm import config
from tests.servers import write_config
from tightrope import shadows
from tightrope.shadows import health


class Idle:
    """Steps without a word, or fails."""

    def __init__(self, stopping: Event) -> None:
        self.stopping = stopping

    def step(self, timeout: float) -> int:
        """Nothing to do."""
        self.stopping.wait(timeout)
        return 0

    def close(self) -> None:
        """Nothing is held."""


def test_health_tells_whether_the_loop_goes_on() -> None:
    """Ready after a step that went well; when the loop has ended the process is not alive."""
    loop = Loop("idle", Idle)
    app = health(loop, Metrics(process_registry()))
    assert asked_of(app, "/v2/health/live").status_code == 503
    loop.start()
    until(lambda: asked_of(app, "/v2/health/ready").status_code == 200)
    assert asked_of(app, "/v2/health/live").json() == {"live": True}
    assert "tightrope_bus_waiting_records" in asked_of(app, "/metrics").text
    assert loop.leave(5.0)
    assert asked_of(app, "/v2/health/live").status_code == 503
    assert asked_of(app, "/v2/health/ready").status_code == 503


def test_configuration_without_a_bus_is_no_cluster(tmp_path: Path) -> None:
    """Said before anything starts."""
    with pytest.raises(ConfigError, match="bus: is missing"):
        shadows.worker(load(write_config(tmp_path, config(tmp_path)), {}))
