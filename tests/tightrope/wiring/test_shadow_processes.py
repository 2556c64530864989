from pathlib import Path
from threading import Event

import pytest

from tests.support.cluster.cluster import get_page, wait_until
from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.config.loader import ConfigError, load
from tightrope.shadow.loop import Loop
from tightrope.wiring import shadow_processes
from tightrope.wiring.shadow_processes import health


class Idle:
    """A stepper that does nothing or fails."""

    def __init__(self, stopping: Event) -> None:
        self.stopping = stopping

    def step(self, timeout: float) -> int:
        """Do nothing."""
        self.stopping.wait(timeout)
        return 0

    def close(self) -> None:
        """Release nothing."""


def test_health_follows_the_loop() -> None:
    """The process is ready after a step without error; when the loop has ended it is not live."""
    loop = Loop("idle", Idle)
    app = health(loop, Metrics(process_registry()))
    assert get_page(app, "/v2/health/live").status_code == 503
    loop.start()
    wait_until(lambda: get_page(app, "/v2/health/ready").status_code == 200)
    assert get_page(app, "/v2/health/live").json() == {"live": True}
    assert "tightrope_bus_waiting_records" in get_page(app, "/metrics").text
    assert loop.leave(5.0)
    assert get_page(app, "/v2/health/live").status_code == 503
    assert get_page(app, "/v2/health/ready").status_code == 503


def test_objection_makes_a_process_unready() -> None:
    """The body has the reason; the process stays alive."""
    reasons = ["tightrope.labels has 3 partitions"]
    loop = Loop("idle", Idle)
    app = health(loop, Metrics(process_registry()), lambda: reasons[0])
    loop.start()
    wait_until(lambda: loop.working)
    page = get_page(app, "/v2/health/ready")
    assert (page.status_code, page.json()) == (503, {"ready": False, "reason": reasons[0]})
    assert get_page(app, "/v2/health/live").status_code == 200
    reasons[0] = ""
    page = get_page(app, "/v2/health/ready")
    assert (page.status_code, page.json()) == (200, {"ready": True})
    assert loop.leave(5.0)


def test_cluster_process_needs_a_bus(tmp_path: Path) -> None:
    """The error comes before anything starts."""
    with pytest.raises(ConfigError, match="bus: is missing"):
        shadow_processes.worker(load(write_config(tmp_path, config(tmp_path)), {}))


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/metrics"])
def test_probes_of_load_balancers_are_answered(path: str) -> None:
    """HEAD, and a slash at the end, which is no redirect; an error has the body of all errors."""
    app = health(Loop("idle", Idle), Metrics(process_registry()))
    expected = get_page(app, path).status_code
    for asked, method in ((path, "HEAD"), (path + "/", "GET"), (path + "/", "HEAD")):
        assert get_page(app, asked, method).status_code == expected
    assert get_page(app, "/nothing/").json() == {"error": "Not Found"}
    assert get_page(app, path, "POST").json() == {"error": "Method Not Allowed"}
