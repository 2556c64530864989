"""Topics that grow under running processes, on a real broker."""

import gc
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from ruamel.yaml import YAML

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, get_page, wait_until
from tests.support.harmful_pair import traffic
from tests.support.observability.firing import firing
from tightrope.demo.broker import Broker
from tightrope.monitors.records import MODEL_SCOPE, Order
from tightrope.service.adapters.kafka.producer import partition_of
from tightrope.service.adapters.topics import ALL_TOPICS, CONTROL, topic
from tightrope.service.adapters.wire.record_codec import encode_order
from tightrope.wiring import shadow_processes, topic_watch
from tightrope.wiring.cluster import ClusterProcess

BEFORE, AFTER = 2, 7
QUICK = {"partitions": BEFORE, "client": {"metadata_max_age_ms": 500}}
READY = "/v2/health/ready"

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""The Kafka client leaves a socket behind that is closed while it connects; each test collects it before it ends."""


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    yield
    gc.collect()


def grow(cluster: Cluster, partitions: int, *names: str) -> None:
    """Give topics more partitions, as `kafka-topics --alter` does."""
    with closing(KafkaAdminClient(bootstrap_servers=cluster.settings.bus.kafka.servers)) as admin:  # type: ignore[union-attr]
        admin.create_partitions({cluster.prefix + topic(name): partitions for name in names})


def confirmed(cluster: Cluster, gateway: ClusterGateway, kind: str) -> bool:
    """Whether a judge confirms an operator's order to this gateway."""
    order = Order(uuid.uuid4().hex, time.time(), "m", MODEL_SCOPE, kind, "me", "a test")
    with cluster.bus() as bus:
        bus.publish(topic(CONTROL), encode_order(order), f"m/{MODEL_SCOPE}")
        bus.flush(10.0)
    return gateway.gateway.router.wait_confirmed(order, 60.0)


def roles(gateway: ClusterGateway, rows: int = 20) -> set[object]:
    """The models that answer."""
    return {answer.parameters["served_by"] for answer in gateway.ask(traffic(rows, harm=False))}


def start_all(cluster: Cluster) -> tuple[ClusterGateway, list[ClusterProcess]]:
    """A gateway, a worker and a judge, ready."""
    gateway = cluster.gateway()
    parts = [gateway.part, cluster.start(shadow_processes.worker), cluster.start(shadow_processes.judge)]
    wait_until(lambda: all(get_page(part.app, READY).status_code == 200 for part in parts))
    wait_until(lambda: roles(gateway, 1) == {"compressed"})
    return gateway, parts


def test_topics_that_grow_under_running_processes(
    kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 2 to 7 partitions: every member says that it is not ready and why, the baseline answers, orders are
    confirmed, and every sample is judged once; so it is after a restart with the new number, which makes them ready.
    """
    monkeypatch.setattr(topic_watch, "TOPICS_CHECK_SECONDS", 0.3)
    assert partition_of("m", BEFORE) != partition_of("m", AFTER), "the model's key would move"
    with cluster_on(tmp_path, kafka.address, bus=QUICK) as cluster:
        cluster.make_topics()
        gateway, parts = start_all(cluster)
        sound = get_page(gateway.app, "/metrics").text
        grow(cluster, AFTER, *ALL_TOPICS)
        wait_until(lambda: all(get_page(part.app, READY).status_code == 503 for part in parts))
        line = f"tightrope.control has {AFTER} partitions where bus.kafka.partitions says {BEFORE}"
        assert all(line in get_page(part.app, READY).text for part in parts)
        metric = 'tightrope_topic_mismatch{topic="tightrope.control"} 1.0'
        assert all(metric in get_page(part.app, "/metrics").text for part in parts)
        assert "TightropeTopicMismatch" in firing(sound, get_page(gateway.app, "/metrics").text)
        assert roles(gateway) == {"baseline"}
        assert confirmed(cluster, gateway, "force-safe")
        assert confirmed(cluster, gateway, "release")
        gateway.ask(traffic(50, harm=False))
        _balances(cluster, gateway, 0)
        before = cluster.judged()
        for part in reversed(parts):
            cluster.stop(part)

        _set_partitions(cluster.path, AFTER)
        again = Cluster(cluster.path)
        cluster.settings = again.settings
        gateway, parts = start_all(cluster)
        assert confirmed(cluster, gateway, "force-safe")
        gateway.ask(traffic(50, harm=False))
        _balances(cluster, gateway, before)


def test_uneven_partitions_are_told(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More partitions of labels than of comparisons: no member is ready, and the baseline answers."""
    monkeypatch.setattr(topic_watch, "TOPICS_CHECK_SECONDS", 0.3)
    with cluster_on(tmp_path, kafka.address, bus=QUICK) as cluster:
        cluster.make_topics()
        grow(cluster, 3, "labels")
        gateway = cluster.gateway()
        cluster.start(shadow_processes.judge)
        line = "tightrope.labels has 3 partitions where bus.kafka.partitions says 2"
        wait_until(lambda: gateway.has_modes and line in get_page(gateway.app, READY).text)
        assert get_page(gateway.app, READY).status_code == 503
        assert roles(gateway) == {"baseline"}


def _balances(cluster: Cluster, gateway: ClusterGateway, before: int) -> None:
    wait_until(lambda: cluster.judged() >= before + gateway.kept)
    assert cluster.judged() == before + gateway.kept
    assert cluster.dead() == []
    assert set(gateway.ids) <= cluster.compared()


def _set_partitions(path: Path, partitions: int) -> None:
    yaml = YAML(typ="safe")
    document = yaml.load(path)
    document["bus"]["kafka"]["partitions"] = partitions
    with path.open("w") as file:
        yaml.dump(document, file)
