"""Failures of a cluster on a real broker: every sample is accounted for by its id."""

import gc
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaAdminClient, OffsetAndMetadata, TopicPartition

from tests.support.cluster.cluster import cluster_on, get_page, wait_until
from tests.support.cluster.sample_ledger import Load
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker, why_unavailable
from tightrope.monitors import watch
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import MODEL_SCOPE, ROW_ARRAYS, Comparisons
from tightrope.service.adapters.topics import SAMPLES, WORKERS_GROUP, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.app import load_pairs
from tightrope.wiring import shadow_processes


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this file's own, not started yet."""
    missing = why_unavailable()
    if missing:
        pytest.skip(missing)
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop(signal.SIGKILL)


def test_kafka_absent_at_the_start_then_killed_under_load(mortal: Broker, tmp_path: Path) -> None:
    """Without Kafka a gateway answers by the baseline and keeps its samples; when Kafka appears, modes are read and
    samples delivered. Then the broker is killed and returns: no request fails or waits, no sample is lost or counted
    twice.
    """
    with cluster_on(tmp_path, mortal.address) as cluster:
        gateway = cluster.gateway()
        assert {a.parameters["served_by"] for a in gateway.ask(traffic(50, harm=False))} == {"baseline"}
        mortal.start()
        cluster.make_topics()
        for part in (shadow_processes.judge, shadow_processes.worker):
            cluster.start(part)
        wait_until(lambda: gateway.has_modes and not gateway.gateway.router.distrust)
        assert {a.parameters["served_by"] for a in gateway.ask(traffic(50, harm=False))} == {"compressed"}
        with Load(gateway, 100.0):
            time.sleep(1.0)
            mortal.stop(signal.SIGKILL)
            time.sleep(2.0)
            mortal.start()
            time.sleep(1.0)
        sent = len(gateway.ids)
        assert cluster.ledger(gateway) == {"kept": sent, "written": sent, "written_twice": 0, "lost": 0, "judged": sent}
        assert gateway.slowest < 5.0
    gc.collect()


def test_killed_worker_is_replaced(kafka: Broker, tmp_path: Path) -> None:
    """Another takes over when the dead one's session expires; samples that were compared twice are judged once."""
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        cluster.start(shadow_processes.judge)
        with cluster.process("worker") as worker:
            wait_until(lambda: gateway.gateway.router.routes("m").epoch >= 0)
            with Load(gateway, 200.0):
                wait_until(lambda: len(cluster.compared()) > 100)
                worker.kill()
                cluster.start(shadow_processes.worker)
                time.sleep(1.0)
        sent = len(gateway.ids)
        assert cluster.ledger(gateway) == {"kept": sent, "written": sent, "written_twice": 0, "lost": 0, "judged": sent}


def test_killed_judge_is_replaced(kafka: Broker, tmp_path: Path) -> None:
    """The second continues from the first one's snapshot: a subgroup that is harmed afterwards is saved, and the state
    is, bit for bit, that of one judge with all rows in that order.
    """
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        cluster.start(shadow_processes.worker)
        with cluster.process("judge") as first:
            wait_until(lambda: gateway.has_modes)
            gateway.ask(traffic(300, harm=False))
            wait_until(lambda: cluster.judged() > 0)
            gateway.ask(traffic(100, harm=False, seed=1))
            first.kill()
        second = cluster.start(shadow_processes.judge)
        gateway.ask(traffic(600, harm=True))
        sent = len(gateway.ids)
        assert cluster.ledger(gateway) == {"kept": sent, "written": sent, "written_twice": 0, "lost": 0, "judged": sent}
        wait_until(lambda: "group=minority" in gateway.gateway.router.routes("m").safe)
        cluster.stop(second)
        state = cluster.state()
        assert state is not None
        plan = load_pairs(cluster.settings)["m"].plan
        expected = initial_state(plan)
        for batch in cluster.batches():
            expected, _ = watch.step(plan, expected, batch)
        assert [m.state for m in state.modes] == [m.state for m in expected.modes]
        assert state.seen == expected.seen
        for ours, theirs in zip(state.cells, expected.cells, strict=True):
            for name in ours.__dataclass_fields__:
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_unreadable_records_are_dead_lettered(kafka: Broker, tmp_path: Path) -> None:
    """Garbage, another version, a tensor of the wrong size, ten megabytes of zeros: each is parked with its reason, and
    the rest is judged.
    """
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        gateway.ask(traffic(10, harm=False))
        wait_until(lambda: len(cluster.samples()) == 10)
        good = cluster.records(SAMPLES)[0].value
        poison = {
            "not a record": b"\xff\x00garbage",
            "version: '99'; this reader knows": good.replace(b"\xa7version\x01", b"\xa7version\x63"),
            "bytes cannot be <f4 of shape": _lying(good),
            "trailing characters": bytes(10 * 1024 * 1024),
        }
        with cluster.bus() as bus:
            for value in poison.values():
                bus.publish(topic(SAMPLES), value)
            bus.flush(10.0)
        for part in (shadow_processes.judge, shadow_processes.worker):
            cluster.start(part)
        gateway.ask(traffic(10, harm=False, seed=1))
        wait_until(lambda: cluster.judged() == 20)
        wait_until(lambda: len(cluster.dead()) == len(poison))
        reasons = cluster.dead()
        assert {text: any(text in line for line in reasons) for text in poison} == dict.fromkeys(poison, True), reasons
        assert len(cluster.compared()) == 20


def _lying(good: bytes) -> bytes:
    """Return the record with inputs whose shape has twice as many rows as the data."""
    from msgspec import msgpack

    box = msgpack.decode(good)
    box["body"]["inputs"]["input"]["shape"][0] *= 2
    return msgpack.encode(box)


def test_replayed_samples_are_not_counted_again(kafka: Broker, tmp_path: Path) -> None:
    """After a reset of the group's offsets two workers compare all samples again with bit-identical results, and the
    judge counts no row again.
    """
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        judge = cluster.start(shadow_processes.judge)
        alone = cluster.start(shadow_processes.worker)
        wait_until(lambda: gateway.has_modes)
        for seed in range(8):
            gateway.ask(traffic(60, harm=False, seed=seed))
            time.sleep(0.12)
        wait_until(lambda: cluster.judged() == 480)
        cluster.stop(alone)
        before, state = cluster.batches(), cluster.state()
        _set_back(kafka.address, cluster.prefix)
        for _ in range(2):
            cluster.start(shadow_processes.worker)
        wait_until(lambda: _ids(cluster.batches()[len(before) :]) == {*gateway.ids})
        _equal(before, cluster.batches()[len(before) :])
        counted = 'tightrope_comparisons_repeated_total{{model="m"}} {}.0'
        wait_until(
            lambda: counted.format(sum(map(len, cluster.batches())) - 480) in get_page(judge.app, "/metrics").text
        )
        after = cluster.state()
        assert cluster.judged() == 480
        assert state is not None
        assert after is not None
        assert record_codec.encode_state(after) == record_codec.encode_state(state)
        assert MODEL_SCOPE in after.scopes


def _set_back(address: str, prefix: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=address)
    name = prefix + topic(SAMPLES)
    places = {TopicPartition(name, partition): OffsetAndMetadata(0, "", -1) for partition in range(2)}
    admin.alter_group_offsets(prefix + WORKERS_GROUP, places)
    admin.close()


def _ids(batches: list[Comparisons]) -> set[str]:
    return {name for batch in batches for name in batch.request_id}


def _equal(before: list[Comparisons], again: list[Comparisons]) -> None:
    """Check that each row of ``again`` equals the first; rows may appear twice where a partition moved
    between workers.
    """
    first, second = (batches[0].join(*batches[1:]) for batches in (before, again))
    place = {name: number for number, name in enumerate(first.request_id)}
    places = [place[name] for name in second.request_id]
    for name in ROW_ARRAYS:
        np.testing.assert_array_equal(getattr(first, name)[places], getattr(second, name), err_msg=name)
