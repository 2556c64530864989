"""A good model wakes nobody: the demo's whole traffic, every part restarted in between. All servers are real."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.observability import debian_servers
from tests.support.observability.full_stack import Theatre, configuration, routes, scraping
from tests.support.observability.pager import Pager, listening
from tests.support.servers import serving, write_config
from tightrope.demo.replay import replay, traffic

GOOD = "good_int8"
STOOD = {("TightropeWatchdog", "firing"), ("TightropeGatewayDown", "pending"), ("TightropeProcessDown", "pending")}
"""While the gateway restarts it is not there, for far less than the minutes that these two wait."""


@contextmanager
def playing(folder: Path, pager: Pager, ports: tuple[int, int]) -> Iterator[Theatre]:
    """Everything up, where it was before, on what it kept."""
    at, told = ports
    config = configuration(GOOD, f"http://127.0.0.1:{told}") | {"server": {"port": at}}
    with (
        debian_servers.alertmanager(folder, routes(pager), told) as manager,
        serving(write_config(folder, config)) as server,
        debian_servers.prometheus(folder, scraping(server, manager.address)) as prometheus,
    ):
        yield Theatre(server, prometheus.address, manager.address, pager, folder / "state")


def test_good_model_wakes_nobody(tmp_path: Path) -> None:
    """Twelve thousand requests, half of them before everything restarts: not one page, and no alert that stood but the
    watchdog's, firing or pending; what takes minutes to fire would have been pending.
    """
    rows, ports = traffic(), (debian_servers.free_port(), debian_servers.free_port())
    half = len(rows) // 2
    stood: set[tuple[str, str]] = set()
    with listening() as pager:
        for part in range(2):
            with playing(tmp_path, pager, ports) as stage:
                for _ in replay(stage.server.address, rows[part * half : (part + 1) * half]):
                    pass
                stage.settle(f'tightrope_comparisons_total{{scope="model"}} >= {half}')
                stage.settle('ALERTS{alertname="TightropeWatchdog", alertstate="firing"}')
                debian_servers.until(lambda: "/deadman" in pager.paths, 60.0, lambda: "Alertmanager tells nobody")
                found = [one["metric"] for one in stage.query("last_over_time(ALERTS[10m])")]
                stood |= {(one["alertname"], one["alertstate"]) for one in found}
        told = zip(pager.paths, pager.heard, strict=False)
        assert [said["groupLabels"] for path, (_, said) in told if path == "/pager"] == []
    assert stood <= STOOD
    assert len(rows) >= 12_000
