"""A ledger of a cluster under load: the outcome of every sampled request, by its id."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

from tests.support.cluster.cluster import Cluster, ClusterGateway, wait_until
from tests.support.harmful_pair import traffic
from tightrope.service.adapters.topics import DEAD
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

SETTLE_TIMEOUT_SECONDS = 180.0
UNBLOCKED_SECONDS = 3.0
"""Time limit for a request that waits for no other process, on a busy machine; waiting for Kafka would take longer in
these tests.
"""
CHECK_SECONDS = 0.5
"""Seconds between two checks of the judged rows."""


class Load:
    """A thread that sends requests to a gateway at a constant rate."""

    def __init__(self, gateway: ClusterGateway, per_second: float) -> None:
        self._gateway = gateway
        self._pause = 1 / per_second
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        rows = traffic(1000, harm=False)
        number = 0
        while not self._over.wait(self._pause):
            self._gateway.ask(rows[number % 1000][None])
            number += 1


def balance(cluster: Cluster, *gateways: ClusterGateway) -> dict[str, object]:
    """The outcomes of all ids of the gateways, once the cluster is idle: dropped for a counted reason, parked, or
    compared; ``twice`` is the number of rows that the judge counted again. Without faults the result is
    ``{"sampled": n, "dropped": {}, "dead": 0, "lost": 0, "twice": 0}``.
    """
    sampled = [name for gateway in gateways for name in gateway.ids]
    wait_until(lambda: _settled(cluster, sampled, gateways), SETTLE_TIMEOUT_SECONDS)
    reasons = dropped(*gateways)
    compared, dead = cluster.compared(), _dead(cluster)
    return {
        "sampled": len(sampled),
        "dropped": dict(reasons),
        "dead": len(dead),
        "lost": len({*sampled} - compared - dead) - reasons.total(),
        "twice": cluster.judged() - len(compared),
    }


def dropped(*gateways: ClusterGateway) -> Counter[str]:
    """The number of dropped samples by reason."""
    total: Counter[str] = Counter()
    for gateway in gateways:
        for metric in gateway.gateway.metrics.samples_dropped.collect():
            total.update(
                {s.labels["reason"]: int(s.value) for s in metric.samples if s.value and s.name.endswith("_total")}
            )
    return total


def _settled(cluster: Cluster, sampled: Sequence[str], gateways: Sequence[ClusterGateway]) -> bool:
    time.sleep(CHECK_SECONDS)
    return cluster.judged() + dropped(*gateways).total() + len(_dead(cluster)) >= len(sampled)


def _dead(cluster: Cluster) -> set[str]:
    """The ids of the readable parked records."""
    ids: set[str] = set()
    for record in cluster.records(DEAD):
        try:
            ids |= {*record_codec.decode_samples(record.value).request_id}
        except WireError:
            continue
    return ids
