"""A slow Kafka: requests are unaffected, and the queue to it is bounded."""

import time
from pathlib import Path

import pytest

from tests.support.cluster.cluster import ClusterGateway, cluster_on, wait_until
from tests.support.cluster.sample_ledger import balance
from tests.support.cluster.slow_proxy import slow_proxy
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.service import outbox
from tightrope.wiring import shadow_processes

SLOW = 4.0
"""Seconds of delay for everything sent to Kafka."""

LOADED = 6.0
BUFFER = 10
PAGE = 4096
MEGABYTE = 1 << 20


def test_slow_kafka_does_not_delay_requests(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests at full speed overflow the small buffers: they are answered, the queue stays within its limit, and
    samples beyond it are dropped and counted. When Kafka is fast again every sample is accounted for.
    """
    monkeypatch.setattr(outbox, "MAX_WAITING_BYTES", 64 * 1024)
    with (
        slow_proxy() as road,
        cluster_on(
            tmp_path, kafka.address, bus={"buffer_records": BUFFER, "client": {"proxy_url": road.url}}
        ) as cluster,
    ):
        cluster.make_topics()
        gateway = cluster.gateway()
        for part in (shadow_processes.judge, shadow_processes.worker):
            cluster.start(part)
        wait_until(lambda: gateway.has_modes)
        gateway.ask(traffic(200, harm=False))
        wait_until(lambda: len(cluster.compared()) == len(gateway.ids))
        road.delay, before, gateway.slowest = SLOW, _resident(), 0.0
        most = _asked_for(gateway, LOADED)
        grown = _resident() - before
        road.delay = 0.0
        book = balance(cluster, gateway)
        assert book == {"sampled": len(gateway.ids), "dropped": book["dropped"], "dead": 0, "lost": 0, "twice": 0}
        assert set(book["dropped"]) <= {"buffer_full"}
        assert gateway.slowest < SLOW
        assert 0 < most <= BUFFER
        assert grown < 64


def _asked_for(gateway: ClusterGateway, seconds: float) -> int:
    """Send requests at full speed; return the largest number of records that waited for Kafka."""
    most, ends, rows = 0, time.monotonic() + seconds, traffic(1000, harm=False)
    while time.monotonic() < ends:
        for row in rows[:100]:
            gateway.ask(row[None])
        most = max(most, int(gateway.gateway.metrics.registry.get_sample_value("tightrope_bus_waiting_records") or 0))
    return most


def _resident() -> float:
    """Return the memory of this process in megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / MEGABYTE
