from pathlib import Path
from threading import Event

import pytest

from tests.support.cluster.cluster import asked_of, until
from tests.support.harmful_pair import config
from tests.support.servers import write_config
from tightrope.service.adapters.prometheus.metrics import Metrics, process_registry
from tightrope.service.config.loader import ConfigError, load
from tightrope.shadow.loop import Loop
from tightrope.wiring import shadow_processes
from tightrope.wiring.shadow_processes import health


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
        shadow_processes.worker(load(write_config(tmp_path, config(tmp_path)), {}))
