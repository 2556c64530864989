"""Forged records of a program that may write the topics: gateways and judges with a secret ignore them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, get_page, wait_until
from tests.support.cluster.foreign_records import WRONG_HEADERS, ForeignRecord, write_records
from tests.support.harmful_pair import MINORITY, traffic
from tightrope.demo.broker import Broker
from tightrope.monitors.records import Order, Routes
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.snapshot_store import decode_snapshot, encode_snapshot
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, SNAPSHOTS, topic
from tightrope.service.adapters.wire.record_codec import encode_comparisons, encode_order, encode_routes
from tightrope.service.config.kafka import SigningSection
from tightrope.service.config.loader import Settings, load
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import ClusterProcess
from tightrope.wiring.topics import kafka_options

HIGHEST_EPOCH = 2**64 - 1
FAR = 2**60


@contextmanager
def signed_cluster(folder: Path, kafka: Broker) -> Iterator[tuple[Cluster, KafkaOptions]]:
    """A cluster with a secret, a gateway's parts not started, and its options."""
    write_secret(folder / "fleet.secret", "5e" * 32)
    with cluster_on(folder, kafka.address, bus={"signing": {"secret_file": "fleet.secret"}}) as cluster:
        cluster.make_topics()
        yield cluster, kafka_options(load(cluster.path, {}))


def write_secret(path: Path, content: str) -> None:
    """Write a secret that no other user may read."""
    path.touch(mode=0o600)
    path.write_text(content)


def signing_as(settings: Settings, signing: Mapping[str, str] | None, folder: Path) -> Settings:
    """The settings with another section of signatures."""
    assert settings.bus is not None
    files = {key: value if key == "unsigned" else str(folder / value) for key, value in (signing or {}).items()}
    section = SigningSection.model_validate(files) if signing else None
    kafka = settings.bus.kafka.model_copy(update={"signing": section})
    return settings.model_copy(update={"bus": settings.bus.model_copy(update={"kafka": kafka})})


def refused(gateway: ClusterGateway, name: str) -> int:
    """Records of a topic that the gateway's process has refused."""
    reasons = ("unsigned", "forged")
    return sum(gateway.gateway.metrics.total("records_refused", topic=topic(name), reason=r) for r in reasons)


def shown(part: ClusterProcess, name: str) -> float:
    """The refused records of a topic on the page of metrics of a process."""
    lines = get_page(part.app, "/metrics").text.splitlines()
    mine = [x for x in lines if x.startswith("tightrope_records_refused_total{") and f'topic="{topic(name)}"' in x]
    return sum(float(line.rpartition(" ")[2]) for line in mine)


def forged(name: str, key: str, value: bytes) -> list[ForeignRecord]:
    """A record without a signature, and the same one with a wrong signature."""
    record = ForeignRecord(topic(name), key, value)
    return [record, record._replace(headers=WRONG_HEADERS)]


def test_forged_records_change_nothing(kafka: Broker, tmp_path: Path) -> None:
    """A route with the highest epoch, an order, comparisons from beyond the log's end and of the far future, and a
    snapshot with positions beyond the end: the gateway and the judge refuse them, and a harmed subgroup is saved
    afterwards. A judge that starts later takes the genuine snapshot.
    """
    with signed_cluster(tmp_path, kafka) as (cluster, options):
        gateway = cluster.gateway()
        judge = cluster.start(shadow_processes.judge)
        cluster.start(shadow_processes.worker)
        wait_until(lambda: gateway.has_modes)
        gateway.ask(traffic(60, harm=False))
        wait_until(lambda: cluster.judged() >= gateway.kept)
        route = Routes("m", HIGHEST_EPOCH, (), {"model": "normal"})
        order = Order("forged", time.time(), "m", "model", "force-normal", "eve", "forged")
        batch = cluster.batches()[0]
        far = replace(batch, offset=batch.offset + FAR, time=batch.time + 1e9)
        genuine = decode_snapshot(cluster.records(SNAPSHOTS)[-1].value)
        lost = replace(genuine, state=b"", positions=dict.fromkeys(genuine.positions, FAR))
        write_records(
            options,
            [
                *forged(CONTROL, "m", encode_routes(route)),
                *forged(CONTROL, "m/model", encode_order(order)),
                *forged(COMPARISONS, "m", encode_comparisons(far)),
                *forged(SNAPSHOTS, "m", encode_snapshot(lost)),
            ],
        )
        wait_until(lambda: refused(gateway, CONTROL) == 4 and refused(gateway, SNAPSHOTS) == 2)
        wait_until(lambda: shown(judge, COMPARISONS) == 2 and shown(judge, CONTROL) == 4)
        assert gateway.gateway.router.routes("m").epoch < HIGHEST_EPOCH
        assert gateway.gateway.router.routes("m").safe == ()

        cluster.stop(judge)
        successor = cluster.start(shadow_processes.judge)
        gateway.ask(traffic(600, harm=True))
        wait_until(lambda: MINORITY in gateway.gateway.router.routes("m").safe)
        assert {a.parameters["served_by"] for a in gateway.ask(traffic(60, harm=True)[::6])} == {"baseline"}
        wait_until(lambda: cluster.judged() >= gateway.kept)
        assert cluster.judged() == gateway.kept
        assert shown(successor, SNAPSHOTS) == 2
        assert len(cluster.dead()) >= 8
        assert all("signature" in reason for reason in cluster.dead())


@pytest.mark.parametrize(
    ("of_judge", "of_gateway", "believed"),
    [
        ({"secret_file": "other.secret"}, {"secret_file": "fleet.secret"}, False),
        (None, {"secret_file": "fleet.secret"}, False),
        (None, {"secret_file": "fleet.secret", "unsigned": "accept"}, True),
        ({"secret_file": "fleet.secret"}, None, True),
        (
            {"secret_file": "other.secret"},
            {"secret_file": "fleet.secret", "previous_secret_file": "other.secret"},
            True,
        ),
    ],
    ids=["another secret", "unsigned", "unsigned, in an upgrade", "signed, in an upgrade", "in a replacement"],
)
def test_judge_is_believed_by_its_secret(
    kafka: Broker,
    tmp_path: Path,
    of_judge: dict[str, str] | None,
    of_gateway: dict[str, str] | None,
    believed: bool,  # noqa: FBT001 - a case
) -> None:
    """A gateway that refuses the judge's records has no modes, and the baseline answers; it counts what it refuses."""
    with signed_cluster(tmp_path, kafka) as (cluster, _):
        write_secret(tmp_path / "other.secret", "6f" * 32)
        cluster.settings = signing_as(cluster.settings, of_gateway, tmp_path)
        gateway = cluster.gateway()
        cluster.settings = signing_as(cluster.settings, of_judge, tmp_path)
        cluster.start(shadow_processes.judge)
        if believed:
            wait_until(lambda: gateway.has_modes)
            assert refused(gateway, CONTROL) == 0
        else:
            wait_until(lambda: refused(gateway, CONTROL) > 2)
            assert not gateway.has_modes
            assert {a.parameters["served_by"] for a in gateway.ask(traffic(20, harm=True))} == {"baseline"}
