"""Gateways whose clocks are wrong by hours, in either direction."""

import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.cluster.cluster import Cluster, cluster_on, wait_until
from tests.support.cluster.skewed_gateways import SkewedGateway, skewed_gateway
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Stream
from tightrope.service.adapters.topics import EVENTS
from tightrope.service.adapters.wire import record_codec
from tightrope.wiring import shadow_processes

HOURS = 2 * 3600.0
BLIND = 5.0


def test_wrong_clocks_have_no_effect(kafka: Broker, tmp_path: Path) -> None:
    """One gateway is two hours ahead, one two hours behind. Kafka accepts their records, rows are counted once with the
    brokers' times, and no scope counts as blind; when comparisons stop, the judge reports it as soon as with right
    clocks.
    """
    with cluster_on(tmp_path, kafka.address, blind_seconds=BLIND) as cluster, ExitStack() as stack:
        cluster.make_topics()
        cluster.start(shadow_processes.judge)
        worker = cluster.start(shadow_processes.worker)
        gateways = [stack.enter_context(skewed_gateway(cluster.path, ahead)) for ahead in (HOURS, -HOURS)]
        wait_until(lambda: all(gateway.ready for gateway in gateways))
        _ask_by_turns(gateways, 2 * BLIND)
        sent = {name for gateway in gateways for name in gateway.ids}
        wait_until(lambda: cluster.judged() >= len(sent))
        assert (cluster.judged(), cluster.compared(), _dropped(gateways)) == (len(sent), sent, 0)
        assert all(abs(batch.time - time.time()).max() < 300 for batch in cluster.batches())
        assert [gateway.mode for gateway in gateways] == ["normal", "normal"]
        assert _events(cluster) == ["fresh-state"]
        cluster.stop(worker)
        began = time.monotonic()
        while all(gateway.mode == "normal" for gateway in gateways):
            assert time.monotonic() - began < 120.0, "nobody noticed"
            _ask_by_turns(gateways, 0.5)
        assert time.monotonic() - began > BLIND - 2.0
        wait_until(lambda: {"blind", "blind-began"} <= set(_events(cluster)))
        cluster.start(shadow_processes.worker)
        sent = {name for gateway in gateways for name in gateway.ids}
        wait_until(lambda: cluster.judged() >= len(sent))
        assert (cluster.judged(), cluster.compared(), _dropped(gateways)) == (len(sent), sent, 0)
        state = cluster.state()
        assert state is not None
        assert state.seen[Stream.COMPARISONS] > len(sent) / 2, "ticks are full: times do not jump"


def _ask_by_turns(gateways: list[SkewedGateway], seconds: float) -> None:
    ends, rows = time.monotonic() + seconds, traffic(10, harm=False)
    while time.monotonic() < ends:
        for gateway in gateways:
            gateway.ask(rows[:5])
        time.sleep(0.1)


def _dropped(gateways: list[SkewedGateway]) -> int:
    return sum(gateway.dropped.total() for gateway in gateways)


def _events(cluster: Cluster) -> list[str]:
    """Return the kinds of the model's events, each once."""
    found = [record_codec.decode_event(record.value) for record in cluster.records(EVENTS)]
    return sorted({event.kind for event in found})
