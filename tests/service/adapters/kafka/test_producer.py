import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.partitioner.default import murmur2

from tests.support.cluster.bus_topics import SOON
from tests.support.cluster.kafka_buses import bus_on, every_topic, options
from tightrope.demo.broker import Broker, why_not
from tightrope.service.adapters.kafka.options import MEGABYTE, KafkaOptions
from tightrope.service.adapters.kafka.producer import OVERHEAD, Publisher, partition_of
from tightrope.service.adapters.ports import BusFullError, RecordTooLargeError, UndeliveredError

SAMPLES = "tightrope.samples"


class Told:
    """Remembers what was lost."""

    def __init__(self) -> None:
        self.lost: list[tuple[str, bytes, str]] = []

    def __call__(self, topic: str, value: bytes, reason: str) -> None:
        """Note one."""
        self.lost.append((topic, value, reason))


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The address of a port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def test_publishing_waits_for_nobody(nowhere: str) -> None:
    """With Kafka away a record is taken at once, until the bound; then it is refused at once."""
    publisher = Publisher(KafkaOptions((nowhere,), buffer_records=100), Told(), strict=False)
    slowest = 0.0
    for number in range(100):
        began = time.monotonic()
        publisher.publish(SAMPLES, b"%d" % number, None)
        slowest = max(slowest, time.monotonic() - began)
    with pytest.raises(BusFullError, match=r"100 records of .* bytes wait for Kafka already"):
        publisher.publish(SAMPLES, b"one more", None)
    assert slowest < 0.5
    with pytest.raises(TimeoutError, match="100 records are not acknowledged"):
        publisher.flush(0.05)
    publisher.close(0.1)


def test_buffer_is_bounded_in_bytes_too(nowhere: str) -> None:
    """Images fill the memory long before their number is large; a record larger than all goes into an empty buffer."""
    publisher = Publisher(KafkaOptions((nowhere,), buffer_bytes=3 * MEGABYTE), Told(), strict=False)
    publisher.publish(SAMPLES, bytes(3 * MEGABYTE), None)
    with pytest.raises(BusFullError):
        publisher.publish(SAMPLES, b"x", None)
    publisher.close(0.1)
    publisher = Publisher(KafkaOptions((nowhere,), buffer_bytes=3 * MEGABYTE), Told(), strict=False)
    publisher.publish(SAMPLES, bytes(2 * MEGABYTE), None)
    with pytest.raises(BusFullError):
        publisher.publish(SAMPLES, bytes(MEGABYTE - OVERHEAD), None)
    publisher.close(0.1)


def test_record_that_is_too_large_is_refused_for_good(nowhere: str) -> None:
    """Not as one for which there is no room just now."""
    publisher = Publisher(KafkaOptions((nowhere,), record_bytes=MEGABYTE), Told(), strict=False)
    with pytest.raises(RecordTooLargeError, match="a record of 1048577 bytes; at most 1048576 are taken"):
        publisher.publish(SAMPLES, bytes(MEGABYTE + 1), None)


def test_what_was_not_delivered_in_the_end_is_told(nowhere: str) -> None:
    """Each record with the reason; nothing is lost in silence."""
    told = Told()
    publisher = Publisher(KafkaOptions((nowhere,)), told, strict=False)
    for number in range(3):
        publisher.publish(SAMPLES, b"%d" % number, None)
    began = time.monotonic()
    publisher.close(0.2)
    assert time.monotonic() - began < 10.0
    assert told.lost == [(SAMPLES, b"%d" % number, "shutdown") for number in range(3)]
    assert publisher.waiting == 0


def test_loss_is_told_to_whoever_flushes(kafka: Broker) -> None:
    """And nothing overtakes the record that is missing: what comes after it fails too, until its writer was told."""
    own = options(kafka.address)
    every_topic(own)
    told = Told()
    publisher = Publisher(own, told, strict=True)
    publisher.publish(SAMPLES, b"first", None)
    publisher.flush(SOON)
    publisher._failed(_counted(publisher, b"missing"), RuntimeError("refused"))
    with pytest.raises(UndeliveredError, match="a record could not be delivered: RuntimeError"):
        publisher.publish(SAMPLES, b"second", None)
    publisher.publish(SAMPLES, b"third", None)
    publisher.flush(SOON)
    publisher.close(SOON)
    assert told.lost == [(SAMPLES, b"missing", "RuntimeError")]
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES)
        found: list[bytes] = []
        while len(found) < 2 and (records := reader.poll(10, SOON)):
            found += [record.value for record in records]
    assert sorted(found) == [b"first", b"third"]


def _counted(publisher: Publisher, value: bytes) -> object:
    """A record that is on its way, as far as the publisher knows."""
    from tightrope.service.adapters.kafka.producer import Outgoing

    item = Outgoing(SAMPLES, None, value)
    publisher._records += 1
    publisher._bytes += item.size
    return item


def test_topic_that_comes_late_gets_its_records_in_order(kafka: Broker) -> None:
    """Kafka was there, its topics were not yet: nothing is lost, nothing is doubled."""
    own = options(kafka.address)
    told = Told()
    publisher = Publisher(own, told, strict=False)
    for number in range(20):
        publisher.publish(SAMPLES, b"%d" % number, "m")
    threading.Timer(1.0, every_topic, [own]).start()
    publisher.flush(30.0)
    publisher.close(SOON)
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES)
        found: list[int] = []
        while len(found) < 20 and (records := reader.poll(100, SOON)):
            found += [int(record.value) for record in records]
    assert found == list(range(20))
    assert told.lost == []


def test_all_that_concerns_a_model_stands_in_one_partition() -> None:
    """Where every Kafka client puts its name: orders for its scopes too, so that its judge gets them."""
    for partitions in (1, 3, 7):
        for model in ("m", "employment", "a.b-c"):
            assert partition_of(model, partitions) == (murmur2(model.encode()) & 0x7FFFFFFF) % partitions
            assert partition_of(f"{model}/sex=female", partitions) == partition_of(model, partitions)


def test_broker_that_does_not_answer_costs_no_processor(tmp_path: Path) -> None:
    """The client looks now and then whether it may send, where it would look without a pause; then all is delivered."""
    missing = why_not()
    if missing:
        pytest.skip(missing)
    broker = Broker(tmp_path)
    broker.start()
    own = options(broker.address, client={"request_timeout_ms": 1000})
    every_topic(own)
    publisher = Publisher(own, Told(), strict=True)
    try:
        publisher.publish(SAMPLES, b"first", "m")
        publisher.flush(SOON)
        sender, rounds = publisher._producer._sender, []
        once = sender.run_once
        sender.run_once = lambda: (rounds.append(None), once())
        broker.signal(signal.SIGSTOP)
        for number in range(80):
            publisher.publish(SAMPLES, b"%d" % number, "m")
            time.sleep(0.05)
        assert publisher.waiting == 80
        assert len(rounds) < 1000
        broker.signal(signal.SIGCONT)
        publisher.flush(60.0)
    finally:
        publisher.close(SOON)
        broker.stop(signal.SIGKILL)
