"""A Kafka that has gone slow: requests notice nothing, and what waits for it is bounded."""

import time
from pathlib import Path

import pytest

from tests.support.cluster.cluster import Asked, cluster_on, until
from tests.support.cluster.sample_ledger import balance
from tests.support.cluster.slow_proxy import proxy
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.service import outbox
from tightrope.wiring import shadow_processes

SLOW = 2.0
"""Seconds that everything takes to Kafka."""

LOADED = 8.0
BUFFER = 10
PAGE = 4096
MEGABYTE = 1 << 20


def test_requests_notice_nothing_of_a_slow_kafka(
    kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As fast as they are asked, for longer than the small buffers last: they are answered, no more records wait than
    are allowed, and what finds no room is dropped and counted. When Kafka is fast again the books balance.
    """
    monkeypatch.setattr(outbox, "MOST_BYTES", 64 * 1024)
    with (
        proxy() as road,
        cluster_on(tmp_path, kafka.address, bus={"buffer_records": BUFFER, "client": {"proxy_url": road.url}}) as made,
    ):
        made.make_topics()
        asked = made.gateway()
        for part in (shadow_processes.judge, shadow_processes.worker):
            made.start(part)
        until(lambda: asked.knows)
        asked.ask(traffic(200, harm=False))
        until(lambda: len(made.compared()) == len(asked.ids))
        road.delay, before, asked.slowest = SLOW, _resident(), 0.0
        most = _asked_for(asked, LOADED)
        grown = _resident() - before
        road.delay = 0.0
        book = balance(made, asked)
        assert book == {"sampled": len(asked.ids), "dropped": book["dropped"], "dead": 0, "lost": 0, "twice": 0}
        assert set(book["dropped"]) <= {"buffer_full"}
        assert asked.slowest < SLOW
        assert 0 < most <= BUFFER
        assert grown < 64


def _asked_for(asked: Asked, seconds: float) -> int:
    """As fast as it answers; the most records that waited for Kafka meanwhile."""
    most, ends, rows = 0, time.monotonic() + seconds, traffic(1000, harm=False)
    while time.monotonic() < ends:
        for row in rows[:100]:
            asked.ask(row[None])
        most = max(most, int(asked.gateway.metrics.registry.get_sample_value("tightrope_bus_waiting_records") or 0))
    return most


def _resident() -> float:
    """Megabytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / MEGABYTE
