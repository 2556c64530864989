"""The chains on a real topic of events, read by a command and compared by the watch of a judge."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from tests.support.audit_trails import note
from tests.support.cluster.cluster import cluster_on
from tightrope.demo.broker import Broker
from tightrope.offline.audit.cluster_trail import read_chains
from tightrope.service.adapters.audit.event_publisher import EventPublisher
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.wiring.recording.cluster_chain_watch import ClusterChainWatch, watch_cluster_chain


def test_chains_of_a_cluster_are_read_and_watched(kafka: Broker, tmp_path: Path) -> None:
    """Two writers are sound; an event that is written anew under a number of theirs is found."""
    with cluster_on(tmp_path, kafka.address) as cluster, cluster.bus() as bus:
        cluster.make_topics()
        writers = [EventPublisher(bus), EventPublisher(bus)]
        for number in range(1, 5):
            for writer in writers:
                writer.publish([note(number)])
        bus.flush(10.0)
        metrics = Metrics(CollectorRegistry())
        watch = watch_cluster_chain(cluster.settings, bus, lambda: ["m"], metrics)
        assert [len(stored.events) for stored in read_chains(cluster.settings).chains.values()] == [4, 4]
        assert problems(watch, metrics) == 0
        forged = EventPublisher(bus)
        forged._writer, forged._number, forged._link = writers[0]._writer, 1, "00" * 32
        forged.publish([note(9)])
        bus.flush(10.0)
        assert (problems(watch, metrics) or 0) >= 1
        assert [r for r in cluster.records(EVENTS) if b"trail-changed" in r.value and r.topic == topic(EVENTS)]


def problems(watch: ClusterChainWatch, metrics: Metrics) -> float | None:
    """The problems after two rounds."""
    for _ in range(2):
        watch._next_round = 0.0
        watch.check()
        while watch._reader is not None:
            watch.check()
    return metrics.registry.get_sample_value("tightrope_audit_problems", {})
