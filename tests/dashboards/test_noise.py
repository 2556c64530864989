"""A good model pages no one: the demo's whole traffic, with a restart of all servers in between; all are real."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.configs import write_config
from tests.support.observability import debian_servers
from tests.support.observability.full_stack import FullStack, configuration, routes, scraping
from tests.support.observability.pager import Pager, listening
from tests.support.servers import serving
from tightrope.demo.replay import replay, traffic

GOOD = "good_int8"
ALLOWED_ALERTS = {
    ("TightropeWatchdog", "firing"),
    ("TightropeGatewayDown", "pending"),
    ("TightropeProcessDown", "pending"),
}
"""The alerts that may be active. While the gateway restarts it is down, for far less than the minutes that two of them
wait.
"""


@contextmanager
def running_stack(folder: Path, pager: Pager, ports: tuple[int, int]) -> Iterator[FullStack]:
    """Start all servers on the same ports, state and storage as before."""
    gateway_port, manager_port = ports
    config = configuration(GOOD, f"http://127.0.0.1:{manager_port}") | {"server": {"port": gateway_port}}
    with (
        debian_servers.alertmanager(folder, routes(pager), manager_port) as manager,
        serving(write_config(folder, config)) as server,
        debian_servers.prometheus(folder, scraping(server, manager.address)) as prometheus,
    ):
        yield FullStack(server, prometheus.address, manager.address, pager, folder / "state")


def test_good_model_pages_no_one(tmp_path: Path) -> None:
    """Twelve thousand requests, half of them before the restart, lead to no page and no other alert than the watchdog,
    firing or pending.
    """
    rows, ports = traffic(), (debian_servers.free_port(), debian_servers.free_port())
    half = len(rows) // 2
    seen: set[tuple[str, str]] = set()
    with listening() as pager:
        for part in range(2):
            with running_stack(tmp_path, pager, ports) as stage:
                for _ in replay(stage.server.address, rows[part * half : (part + 1) * half]):
                    pass
                stage.settle(f'tightrope_comparisons_total{{scope="model"}} >= {half}')
                stage.settle('ALERTS{alertname="TightropeWatchdog", alertstate="firing"}')
                debian_servers.until(lambda: "/deadman" in pager.paths, 60.0, lambda: "Alertmanager sent no watchdog")
                metrics = [one["metric"] for one in stage.query("last_over_time(ALERTS[10m])")]
                seen |= {(one["alertname"], one["alertstate"]) for one in metrics}
        notifications = zip(pager.paths, pager.heard, strict=False)
        assert [body["groupLabels"] for path, (_, body) in notifications if path == "/pager"] == []
    assert seen <= ALLOWED_ALERTS
    assert len(rows) >= 12_000
