"""The record on a real broker: the judge of an incident is killed, another one takes over, and all of it replays."""

import signal
from pathlib import Path

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, wait_until
from tests.support.harmful_pair import traffic
from tests.support.judgement.replays import shortcomings_of_record
from tightrope.demo.broker import Broker
from tightrope.offline.incidents.record_files import all_incidents, record_of_incident
from tightrope.offline.incidents.replay import replay
from tightrope.wiring import shadow_processes

EXIT_SECONDS = 30.0


def ask(cluster: Cluster, gateway: ClusterGateway, rows: int, *, harm: bool) -> None:
    """Send rows, and wait until all that the gateway kept is judged."""
    gateway.ask(traffic(rows, harm=harm, seed=rows))
    wait_until(lambda: cluster.judged() >= gateway.kept)


def test_the_record_replays_across_a_take_over(kafka: Broker, tmp_path: Path) -> None:
    """The second judge waits for partitions while the first one judges; it begins a segment with the snapshot that it
    goes on from, and the answers that it judges once more count once.
    """
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        cluster.start(shadow_processes.worker)
        with cluster.process("judge") as first:
            wait_until(lambda: gateway.has_modes)
            ask(cluster, gateway, 120, harm=False)
            ask(cluster, gateway, 240, harm=True)
            wait_until(lambda: all_incidents(cluster.settings) != [])
            with cluster.process("judge") as second:
                first.kill()
                ask(cluster, gateway, 180, harm=True)
                ask(cluster, gateway, 300, harm=False)
                second.send_signal(signal.SIGTERM)
                assert second.wait(EXIT_SECONDS) == 0
        found = all_incidents(cluster.settings)
        assert shortcomings_of_record(cluster.settings, tmp_path) == []
        record = record_of_incident(cluster.settings, found[0].id)
        assert len(record.segments) > 1
        assert replay(record).answers > 360
        assert {move.scope for each in found for move in each.moves} == {"group=minority"}
