"""A worker on a real broker runs the samples of a gateway that keeps requests apart as callers get their answers."""

from pathlib import Path

import numpy as np

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_of, wait_until, write_config_on
from tests.support.serving import row_models
from tests.support.serving.model_pairs import CALM
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Comparisons
from tightrope.wiring import shadow_processes

ROWS = np.random.default_rng(1).normal(0, 1, (100, 2)).astype(np.float32)


def compared_together(cluster: Cluster, gateway: ClusterGateway) -> list[Comparisons]:
    """Ask for each row alone, and let a worker that starts later find all samples waiting; return their comparisons."""
    known, asked = len(cluster.compared()), len(gateway.ids)
    gateway.ask(ROWS)
    wait_until(lambda: sum(cluster.samples().values()) == len(gateway.ids))
    worker = cluster.start(shadow_processes.worker)
    wait_until(lambda: len(cluster.compared()) == known + len(ROWS))
    cluster.stop(worker)
    sent = set(gateway.ids[asked:])
    return [batch for batch in cluster.batches() if sent & {*batch.request_id}]


def test_worker_learns_that_a_gateway_keeps_requests_apart(kafka: Broker, tmp_path: Path) -> None:
    """Rows of a run influence each other, which no made-up row showed: the comparisons differ, where callers got equal
    answers. From the moment at which the gateway keeps requests apart, samples say so, and the same worker runs each
    alone; the comparisons say so, too.
    """
    path = str(row_models.swayed(tmp_path / "m.onnx"))
    pair = {"baseline": path, "compressed": path, **CALM}
    with cluster_of(write_config_on(kafka.address, tmp_path, {"models": {"m": pair}})) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        before = compared_together(cluster, gateway)
        assert any(batch.disagree.any() for batch in before)
        assert not any(batch.apart.any() for batch in before)
        gateway.gateway.keep_apart(gateway.gateway.pair("m"), "a surprise")
        after = compared_together(cluster, gateway)
        assert not any(batch.disagree.any() for batch in after)
        assert all(batch.apart.all() for batch in after)
