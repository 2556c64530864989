"""The doctor on a real broker: a healthy cluster, and the ways in which one breaks."""

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaAdminClient

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, wait_until
from tests.support.harmful_pair import COMPRESSED, traffic
from tests.support.onnx_models import classifier
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.admin import describe
from tightrope.service.adapters.topics import DEAD, SAMPLES, topic
from tightrope.service.config.loader import Settings, load
from tightrope.shadow import heartbeat
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import gateway
from tightrope.wiring.doctor import examination
from tightrope.wiring.doctor.examination import examine, findings_of
from tightrope.wiring.doctor.finding import Finding, Severity, exit_code
from tightrope.wiring.topics import kafka_options


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listen for two heartbeats only, which come four times a second."""
    monkeypatch.setattr(heartbeat, "HEARTBEAT_SECONDS", 0.25)
    monkeypatch.setattr(examination, "LISTEN_SECONDS", 1.1)


def findings(cluster: Cluster) -> list[Finding]:
    """The findings that are more than a note, the worst first."""
    return [finding for finding in findings_of(examine(cluster.settings)) if finding.severity > Severity.NOTE]


def texts(found: list[Finding], severity: Severity) -> str:
    """The findings of one weight."""
    return "\n".join(f"{f.subject}: {f.text}" for f in found if f.severity is severity)


def wait_for(cluster: Cluster, text: str, severity: Severity = Severity.BLIND) -> list[Finding]:
    """Examine until findings of this severity have this text; returns all of them."""
    found: list[Finding] = []

    def is_told() -> bool:
        found[:] = findings(cluster)
        return text in texts(found, severity)

    wait_until(is_told, 60.0)
    return found


def other_files(cluster: Cluster, folder: Path) -> Settings:
    """The cluster's settings with another compressed model."""
    path = classifier(folder / "other.onnx", COMPRESSED * np.float32(1.5))
    model = cluster.settings.models["m"].model_copy(update={"compressed": path})
    return cluster.settings.model_copy(update={"models": {"m": model}})


def test_healthy_cluster_then_one_that_breaks_step_by_step(kafka: Broker, tmp_path: Path) -> None:
    """All is well with a gateway, a worker and a judge; then a gateway with another model file, a worker that ends, a
    parked record, and no judge any more are each told, and the exit code says that the model is blind.
    """
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        first, worker = cluster.gateway(), cluster.start(shadow_processes.worker)
        judge = cluster.start(shadow_processes.judge)
        wait_until(lambda: first.has_modes)
        first.ask(traffic(40, harm=False))
        wait_until(lambda: cluster.judged() >= first.kept)
        view = examine(cluster.settings)
        found = findings_of(view)
        assert [f for f in found if f.severity > Severity.NOTE] == []
        assert exit_code(found) == 0
        assert view.unanswered == {}
        assert view.plans == {"m": next(h.plan for h in view.control.heartbeats if h.live)}  # type: ignore[union-attr]

        second = ClusterGateway(cluster.start(lambda _: gateway(other_files(cluster, tmp_path))))
        second.ask(traffic(40, harm=False))
        wait_for(cluster, "m: gateways serve plan")

        cluster.stop(worker)
        first.ask(traffic(40, harm=False))
        with cluster.bus() as bus:
            bus.publish(topic(DEAD), b"x", f"{topic(SAMPLES)}/0/7: not a record")
            bus.flush(10.0)
        wait_for(cluster, "workers: no process of this group runs; ")
        wait_for(cluster, "tightrope.samples: 1 parked within the last hour: not a record.", Severity.ACT)

        cluster.stop(judge)
        told = findings(cluster)
        blind = texts(told, Severity.BLIND)
        assert "m: no judge: no heartbeat came within 1 s, the last one" in blind
        assert "judges: no process of this group runs" in blind
        assert exit_code(told) == 4


def test_topics_that_do_not_fit(kafka: Broker, tmp_path: Path) -> None:
    """No topic at all, uneven partitions, and one that was deleted."""
    with cluster_on(tmp_path, kafka.address) as cluster:
        assert "topics: tightrope.samples, tightrope.comparisons, " in texts(findings(cluster), Severity.BLIND)
        cluster.make_topics()
        names = [cluster.prefix + topic(name) for name in ("labels", "events")]
        with closing(KafkaAdminClient(bootstrap_servers=[kafka.address])) as admin:
            admin.create_partitions({names[0]: 5})
            admin.delete_topics([names[1]])
        wait_until(lambda: topic("events") not in describe(kafka_options(cluster.settings), [topic("events")]))
        uneven = "topics: tightrope.labels: 5 partitions where bus.kafka.partitions says 2."
        told = findings(cluster)
        assert uneven in texts(told, Severity.BLIND)
        assert "topics: tightrope.events: missing." in texts(told, Severity.ACT)


def test_kafka_that_does_not_answer(tmp_path: Path) -> None:
    """The examination ends in its time, and the exit code says that nothing answered."""
    with cluster_on(tmp_path, "127.0.0.1:1") as cluster:
        began = time.monotonic()
        found = findings_of(examine(load(cluster.path, {}), seconds=5.0))
        assert time.monotonic() - began < 10.0
        assert exit_code(found) == 5
        assert found[0].severity is Severity.SILENT
        assert "Kafka at 127.0.0.1:1" in found[0].text
