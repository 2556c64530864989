"""The ledger of a cluster: processes that share a state folder share its days, others keep their own."""

from pathlib import Path
from typing import Any

from tests.support.cluster.cluster import ClusterGateway, cluster_of, get_page, wait_until, write_cluster_config
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.service.config.loader import Settings
from tightrope.wiring import cluster as cluster_wiring
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import ClusterProcess

REQUESTS = 20


def ledger_of(part: ClusterProcess) -> dict[str, Any]:
    """The days of the model m, as a gateway says them."""
    return get_page(part.app, "/v1/models/m/cost/days").json()  # type: ignore[no-any-return]


def elsewhere(settings: Settings, folder: Path) -> Settings:
    """The settings of another machine: its state folder is another."""
    return settings.model_copy(update={"state": settings.state.model_copy(update={"folder": folder})})


def test_ledger_of_a_gateway_names_the_worker_that_counts_elsewhere(kafka: Broker, tmp_path: Path) -> None:
    """Its shadow is not known there; on a worker of the same folder it is."""
    with cluster_of(write_cluster_config(tmp_path, kafka.address)) as cluster:
        cluster.make_topics()
        part = cluster.start(cluster_wiring.gateway)
        other = elsewhere(cluster.settings, tmp_path / "other")
        cluster.start(lambda _: shadow_processes.worker(other))
        ClusterGateway(part).ask(traffic(REQUESTS, harm=False))
        wait_until(lambda: len(cluster.compared()) >= REQUESTS)
        alone = ledger_of(part)
        assert (alone["parts"], alone["missing"]) == (["gateway"], ["worker"])
        assert sum(sum(day["requests"].values()) for day in alone["days"]) == REQUESTS
        assert all(day["cpu_seconds"]["shadow"] is None for day in alone["days"])
        cluster.start(shadow_processes.worker)
        wait_until(lambda: ledger_of(part)["missing"] == [])
        assert (tmp_path / "other" / "costs.db").exists()
