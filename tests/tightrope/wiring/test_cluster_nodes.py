"""A cluster on three brokers, with brokers killed under load or refusing records: every sample is accounted for by its
id.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.cluster import cluster_on, wait_until
from tests.support.cluster.sample_ledger import UNBLOCKED_SECONDS, Load, balance, dropped
from tests.support.cluster.three_brokers import ThreeBrokers, three_brokers
from tightrope.demo.broker import why_unavailable
from tightrope.service import outbox
from tightrope.service.adapters.topics import SAMPLES
from tightrope.wiring import shadow_processes

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""The client leaves the sockets of refused connections to the garbage collector."""


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeBrokers]:
    """Three brokers of this file's own."""
    missing = why_unavailable()
    if missing:
        pytest.skip(missing)
    with three_brokers(tmp_path_factory.mktemp("brokers")) as cluster:
        yield cluster


def test_killed_partition_leader_is_replaced(brokers: ThreeBrokers, tmp_path: Path) -> None:
    """Another broker leads the partition: no request fails or waits, and no sample is dropped, lost or
    counted twice.
    """
    with cluster_on(tmp_path, brokers.address) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        for part in (shadow_processes.judge, shadow_processes.worker):
            cluster.start(part)
        wait_until(lambda: gateway.has_modes)
        leader = brokers.leader(cluster.prefix)
        with Load(gateway, 100.0):
            wait_until(lambda: len(cluster.samples()) > 50)
            brokers.nodes[leader].kill()
            wait_until(lambda: brokers.leader(cluster.prefix) not in {leader, -1})
            time.sleep(1.0)
        assert {record.partition for record in cluster.records(SAMPLES)} == {0, 1}
        assert balance(cluster, gateway) == {
            "sampled": len(gateway.ids),
            "dropped": {},
            "dead": 0,
            "lost": 0,
            "twice": 0,
        }
        assert gateway.slowest < UNBLOCKED_SECONDS
        brokers.nodes[leader].start()
        brokers.wait()


def test_samples_survive_brokers_that_refuse_records(
    brokers: ThreeBrokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a full disk: one node is down and the others may not accept samples with a replica less, then a second is
    down. Samples beyond the buffers are dropped with their reason, requests are unaffected, and accepted samples are
    compared when all are back.
    """
    monkeypatch.setattr(outbox, "MAX_WAITING_BYTES", 4096)
    with cluster_on(tmp_path, brokers.address, bus={"buffer_records": 10}) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        for part in (shadow_processes.judge, shadow_processes.worker):
            cluster.start(part)
        wait_until(lambda: gateway.has_modes)
        with Load(gateway, 100.0):
            wait_until(lambda: len(cluster.samples()) > 50)
            brokers.require_copies(cluster.prefix, 3)
            others = [node for node in brokers.nodes if node != brokers.leader(cluster.prefix)]
            brokers.nodes[others[0]].kill()
            wait_until(lambda: brokers.copies(cluster.prefix) == 2)
            before = dropped(gateway)["buffer_full"]
            wait_until(lambda: dropped(gateway)["buffer_full"] > before + 100)
            brokers.nodes[others[1]].kill()
            time.sleep(2.0)
            brokers.start()
            brokers.require_copies(cluster.prefix, 2)
            taken = len(cluster.samples())
            wait_until(lambda: len(cluster.samples()) > taken + 100)
        book = balance(cluster, gateway)
        lost = dropped(gateway)
        assert set(lost) == {"buffer_full"}
        assert book == {"sampled": len(gateway.ids), "dropped": lost, "dead": 0, "lost": 0, "twice": 0}
        assert gateway.slowest < UNBLOCKED_SECONDS
