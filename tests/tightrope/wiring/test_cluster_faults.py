"""What fails in a cluster, on a real broker: every sample is counted by its id from one end to the other."""

import gc
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kafka import KafkaAdminClient, OffsetAndMetadata, TopicPartition

from tests.support.cluster.cluster import asked_of, cluster_on, until
from tests.support.cluster.sample_ledger import Load
from tests.support.harmful_pair import traffic
from tightrope.demo.broker import Broker, why_not
from tightrope.monitors import watch
from tightrope.monitors.plan import start
from tightrope.monitors.records import MODEL_SCOPE, ROW_ARRAYS, Comparisons
from tightrope.service.adapters.topics import SAMPLES, WORKERS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.app import load_pairs
from tightrope.wiring import shadow_processes

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""Where a broker dies while a client is being made, the client library leaves the sockets to the garbage collector."""


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this file's own, not started yet."""
    missing = why_not()
    if missing:
        pytest.skip(missing)
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop(signal.SIGKILL)


def test_kafka_absent_at_the_start_then_killed_under_load(mortal: Broker, tmp_path: Path) -> None:
    """Without Kafka a gateway answers by the baseline, and keeps what it samples; when Kafka appears the modes are read
    and all of it is delivered. Then the broker is killed and comes back: no request fails, none waits, no sample is
    lost, none is counted twice.
    """
    with cluster_on(tmp_path, mortal.address) as made:
        asked = made.gateway()
        assert {a.parameters["served_by"] for a in asked.ask(traffic(50, harm=False))} == {"baseline"}
        mortal.start()
        made.make_topics()
        for part in (shadow_processes.judge, shadow_processes.worker):
            made.start(part)
        until(lambda: asked.knows)
        assert {a.parameters["served_by"] for a in asked.ask(traffic(50, harm=False))} == {"compressed"}
        with Load(asked, 100.0):
            time.sleep(1.0)
            mortal.stop(signal.SIGKILL)
            time.sleep(2.0)
            mortal.start()
            time.sleep(1.0)
        sent = len(asked.ids)
        assert made.ledger(asked) == {"kept": sent, "written": sent, "written_twice": 0, "lost": 0, "judged": sent}
        assert asked.slowest < 1.0
    gc.collect()


def test_worker_killed_in_the_middle_of_its_work(kafka: Broker, tmp_path: Path) -> None:
    """Another takes over when the session of the dead one has run out: what was compared twice is judged once."""
    with cluster_on(tmp_path, kafka.address) as made:
        made.make_topics()
        asked = made.gateway()
        made.start(shadow_processes.judge)
        with made.process("worker") as worker:
            until(lambda: asked.gateway.router.routes("m").epoch >= 0)
            with Load(asked, 200.0):
                until(lambda: len(made.compared()) > 100)
                worker.kill()
                made.start(shadow_processes.worker)
                time.sleep(1.0)
        sent = len(asked.ids)
        assert made.ledger(asked) == {"kept": sent, "written": sent, "written_twice": 0, "lost": 0, "judged": sent}


def test_judge_killed_and_another_takes_over(kafka: Broker, tmp_path: Path) -> None:
    """The second goes on from the first one's snapshot; a subgroup that is harmed afterwards is still saved, and the
    state is, to the bit, that of one judge who saw all rows in the same order.
    """
    with cluster_on(tmp_path, kafka.address) as made:
        made.make_topics()
        asked = made.gateway()
        made.start(shadow_processes.worker)
        with made.process("judge") as first:
            until(lambda: asked.knows)
            asked.ask(traffic(300, harm=False))
            until(lambda: made.judged() > 0)
            asked.ask(traffic(100, harm=False, seed=1))
            first.kill()
        second = made.start(shadow_processes.judge)
        asked.ask(traffic(600, harm=True))
        sent = len(asked.ids)
        assert made.ledger(asked) == {"kept": sent, "written": sent, "written_twice": 0, "lost": 0, "judged": sent}
        until(lambda: "group=minority" in asked.gateway.router.routes("m").safe)
        made.stop(second)
        state = made.state()
        assert state is not None
        plan = load_pairs(made.settings)["m"].plan
        expected = start(plan)
        for batch in made.batches():
            expected, _ = watch.step(plan, expected, batch)
        assert [m.state for m in state.modes] == [m.state for m in expected.modes]
        assert state.seen == expected.seen
        for ours, theirs in zip(state.cells, expected.cells, strict=True):
            for name in ours.__dataclass_fields__:
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_poison_is_parked_with_its_reason_and_the_rest_goes_on(kafka: Broker, tmp_path: Path) -> None:
    """Garbage, another version, a tensor that lies about its size, ten megabytes of nothing."""
    with cluster_on(tmp_path, kafka.address) as made:
        made.make_topics()
        asked = made.gateway()
        asked.ask(traffic(10, harm=False))
        until(lambda: len(made.samples()) == 10)
        good = made.records(SAMPLES)[0].value
        poison = {
            "not a record": b"\xff\x00garbage",
            "version: '99'; this reader knows 1": good.replace(b"\xa7version\x01", b"\xa7version\x63"),
            "bytes cannot be <f4 of shape": _lying(good),
            "extra data": bytes(10 * 1024 * 1024),
        }
        with made.bus() as bus:
            for value in poison.values():
                bus.publish(topic(SAMPLES), value)
            bus.flush(10.0)
        for part in (shadow_processes.judge, shadow_processes.worker):
            made.start(part)
        asked.ask(traffic(10, harm=False, seed=1))
        until(lambda: made.judged() == 20)
        until(lambda: len(made.dead()) == len(poison))
        told = made.dead()
        assert {text: any(text in line for line in told) for text in poison} == dict.fromkeys(poison, True), told
        assert len(made.compared()) == 20


def _lying(good: bytes) -> bytes:
    """The same record with inputs that claim to be twice as many rows as they are."""
    import msgpack

    box = msgpack.unpackb(good)
    box["body"]["inputs"]["input"]["shape"][0] *= 2
    return bytes(msgpack.packb(box))


def test_replayed_partitions_count_nothing_and_two_workers_equal_one(kafka: Broker, tmp_path: Path) -> None:
    """The group's offsets are set back to the start: two workers compare all of it again, to the bit what the one
    compared before, and the judge counts none of it.
    """
    with cluster_on(tmp_path, kafka.address) as made:
        made.make_topics()
        asked = made.gateway()
        judge = made.start(shadow_processes.judge)
        alone = made.start(shadow_processes.worker)
        until(lambda: asked.knows)
        for seed in range(8):
            asked.ask(traffic(60, harm=False, seed=seed))
            time.sleep(0.12)
        until(lambda: made.judged() == 480)
        made.stop(alone)
        before, state = made.batches(), made.state()
        _set_back(kafka.address, made.prefix)
        for _ in range(2):
            made.start(shadow_processes.worker)
        until(lambda: _ids(made.batches()[len(before) :]) == {*asked.ids})
        _equal(before, made.batches()[len(before) :])
        counted = 'tightrope_comparisons_repeated_total{{model="m"}} {}.0'
        until(lambda: counted.format(sum(map(len, made.batches())) - 480) in asked_of(judge.app, "/metrics").text)
        after = made.state()
        assert made.judged() == 480
        assert state is not None
        assert after is not None
        assert record_codec.encode_state(after) == record_codec.encode_state(state)
        assert MODEL_SCOPE in after.scopes


def _set_back(address: str, prefix: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=address)
    name = prefix + topic(SAMPLES)
    places = {TopicPartition(name, partition): OffsetAndMetadata(0, "", -1) for partition in range(2)}
    admin.alter_group_offsets(prefix + WORKERS, places)
    admin.close()


def _ids(batches: list[Comparisons]) -> set[str]:
    return {name for batch in batches for name in batch.request_id}


def _equal(before: list[Comparisons], again: list[Comparisons]) -> None:
    """Each row of ``again`` is what it was before; some are there twice where a partition went to another worker."""
    first, second = (batches[0].join(*batches[1:]) for batches in (before, again))
    place = {name: number for number, name in enumerate(first.request_id)}
    places = [place[name] for name in second.request_id]
    for name in ROW_ARRAYS:
        np.testing.assert_array_equal(getattr(first, name)[places], getattr(second, name), err_msg=name)
