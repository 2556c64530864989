"""Gateways whose clocks are wrong by hours, in either direction."""

import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.cluster.cluster import Cluster, cluster_on, until
from tests.support.cluster.skewed_gateways import Skewed, skewed
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Stream
from tightrope.service.adapters.topics import EVENTS
from tightrope.service.adapters.wire import record_codec
from tightrope.wiring import shadow_processes

HOURS = 2 * 3600.0
BLIND = 5.0


def test_wrong_clocks_lose_nothing_and_blind_nobody(kafka: Broker, tmp_path: Path) -> None:
    """One gateway is two hours ahead, one is two hours behind. Kafka takes what both send, rows are counted once and
    dated by the brokers, and nobody is thought blind; but when comparisons stop, the judge says so as soon as it would
    if all clocks were right.
    """
    with cluster_on(tmp_path, kafka.address, blind_seconds=BLIND) as made, ExitStack() as stack:
        made.make_topics()
        made.start(shadow_processes.judge)
        worker = made.start(shadow_processes.worker)
        gateways = [stack.enter_context(skewed(made.path, ahead)) for ahead in (HOURS, -HOURS)]
        until(lambda: all(gateway.ready for gateway in gateways))
        _ask_by_turns(gateways, 2 * BLIND)
        sent = {name for gateway in gateways for name in gateway.ids}
        until(lambda: made.judged() >= len(sent))
        assert (made.judged(), made.compared(), _dropped(gateways)) == (len(sent), sent, 0)
        assert all(abs(batch.time - time.time()).max() < 300 for batch in made.batches())
        assert [gateway.mode for gateway in gateways] == ["normal", "normal"]
        assert _events(made) == []
        made.stop(worker)
        began = time.monotonic()
        while all(gateway.mode == "normal" for gateway in gateways):
            assert time.monotonic() - began < 120.0, "nobody noticed"
            _ask_by_turns(gateways, 0.5)
        assert time.monotonic() - began > BLIND - 2.0
        until(lambda: _events(made) == ["blind"])
        made.start(shadow_processes.worker)
        sent = {name for gateway in gateways for name in gateway.ids}
        until(lambda: made.judged() >= len(sent))
        assert (made.judged(), made.compared(), _dropped(gateways)) == (len(sent), sent, 0)
        state = made.state()
        assert state is not None
        assert state.seen[Stream.COMPARISONS] > len(sent) / 2, "ticks are full: times do not jump"


def _ask_by_turns(gateways: list[Skewed], seconds: float) -> None:
    ends, rows = time.monotonic() + seconds, traffic(10, harm=False)
    while time.monotonic() < ends:
        for gateway in gateways:
            gateway.ask(rows[:5])
        time.sleep(0.1)


def _dropped(gateways: list[Skewed]) -> int:
    return sum(gateway.dropped.total() for gateway in gateways)


def _events(made: Cluster) -> list[str]:
    """What happened to the model, each kind once."""
    found = [record_codec.decode_event(record.value) for record in made.records(EVENTS)]
    return sorted({event.kind for event in found})
