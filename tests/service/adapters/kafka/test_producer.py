import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.partitioner.default import murmur2

from tests.support.cluster.bus_topics import POLL_SECONDS
from tests.support.cluster.kafka_buses import bus_on, create_all_topics, unique_options
from tightrope.demo.broker import Broker, why_unavailable
from tightrope.service.adapters.kafka.options import MEGABYTE, KafkaOptions
from tightrope.service.adapters.kafka.producer import RECORD_OVERHEAD_BYTES, BufferedProducer, partition_of
from tightrope.service.adapters.ports import BusFullError, RecordTooLargeError, UndeliveredError

SAMPLES = "tightrope.samples"


class LossLog:
    """A callback that remembers lost records."""

    def __init__(self) -> None:
        self.lost: list[tuple[str, bytes, str]] = []

    def __call__(self, topic: str, value: bytes, reason: str) -> None:
        """Remember one record."""
        self.lost.append((topic, value, reason))


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The address of a port without a listener."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def test_publishing_never_waits(nowhere: str) -> None:
    """With Kafka unreachable records are taken at once up to the bound, and refused at once beyond it."""
    producer = BufferedProducer(KafkaOptions((nowhere,), buffer_records=100), LossLog(), strict=False)
    slowest = 0.0
    for number in range(100):
        began = time.monotonic()
        producer.publish(SAMPLES, b"%d" % number, None)
        slowest = max(slowest, time.monotonic() - began)
    with pytest.raises(BusFullError, match=r"100 records of .* bytes wait for Kafka already"):
        producer.publish(SAMPLES, b"one more", None)
    assert slowest < 0.5
    with pytest.raises(TimeoutError, match="100 records are not acknowledged"):
        producer.flush(0.05)
    producer.close(0.1)


def test_buffer_is_bounded_in_bytes_too(nowhere: str) -> None:
    """Few large records may fill the memory; an empty buffer takes a record of any size."""
    producer = BufferedProducer(KafkaOptions((nowhere,), buffer_bytes=3 * MEGABYTE), LossLog(), strict=False)
    producer.publish(SAMPLES, bytes(3 * MEGABYTE), None)
    with pytest.raises(BusFullError):
        producer.publish(SAMPLES, b"x", None)
    producer.close(0.1)
    producer = BufferedProducer(KafkaOptions((nowhere,), buffer_bytes=3 * MEGABYTE), LossLog(), strict=False)
    producer.publish(SAMPLES, bytes(2 * MEGABYTE), None)
    with pytest.raises(BusFullError):
        producer.publish(SAMPLES, bytes(MEGABYTE - RECORD_OVERHEAD_BYTES), None)
    producer.close(0.1)


def test_too_large_record_is_refused(nowhere: str) -> None:
    """The error differs from that of a full buffer."""
    producer = BufferedProducer(KafkaOptions((nowhere,), record_bytes=MEGABYTE), LossLog(), strict=False)
    with pytest.raises(RecordTooLargeError, match=r"at most 1048576 are taken \(bus.kafka.record_bytes\)"):
        producer.publish(SAMPLES, bytes(MEGABYTE + 1), None)


def test_undelivered_records_are_reported_at_close(nowhere: str) -> None:
    """Each lost record is reported with the reason."""
    losses = LossLog()
    producer = BufferedProducer(KafkaOptions((nowhere,)), losses, strict=False)
    for number in range(3):
        producer.publish(SAMPLES, b"%d" % number, None)
    began = time.monotonic()
    producer.close(0.2)
    assert time.monotonic() - began < 10.0
    assert losses.lost == [(SAMPLES, b"%d" % number, "shutdown") for number in range(3)]
    assert producer.unacknowledged == 0


def test_loss_is_raised_and_stops_later_records(kafka: Broker) -> None:
    """No later record overtakes a lost one: later records fail until the caller got the error."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    losses = LossLog()
    producer = BufferedProducer(own, losses, strict=True)
    producer.publish(SAMPLES, b"first", None)
    producer.flush(POLL_SECONDS)
    producer._on_error(_counted(producer, b"missing"), RuntimeError("refused"))
    with pytest.raises(UndeliveredError, match="a record could not be delivered: RuntimeError"):
        producer.publish(SAMPLES, b"second", None)
    producer.publish(SAMPLES, b"third", None)
    producer.flush(POLL_SECONDS)
    producer.close(POLL_SECONDS)
    assert losses.lost == [(SAMPLES, b"missing", "RuntimeError")]
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES)
        found: list[bytes] = []
        while len(found) < 2 and (records := reader.poll(10, POLL_SECONDS)):
            found += [record.value for record in records]
    assert sorted(found) == [b"first", b"third"]


def _counted(producer: BufferedProducer, value: bytes) -> object:
    """A record that the producer counts as sent."""
    from tightrope.service.adapters.kafka.producer import OutgoingRecord

    item = OutgoingRecord(SAMPLES, None, value)
    producer._records += 1
    producer._bytes += item.size
    return item


def test_late_topic_gets_its_records_in_order(kafka: Broker) -> None:
    """Records published before their topic exists are neither lost nor duplicated."""
    own = unique_options(kafka.address)
    losses = LossLog()
    producer = BufferedProducer(own, losses, strict=False)
    for number in range(20):
        producer.publish(SAMPLES, b"%d" % number, "m")
    threading.Timer(1.0, create_all_topics, [own]).start()
    producer.flush(30.0)
    producer.close(POLL_SECONDS)
    with bus_on(own) as bus:
        reader = bus.subscribe(SAMPLES)
        found: list[int] = []
        while len(found) < 20 and (records := reader.poll(100, POLL_SECONDS)):
            found += [int(record.value) for record in records]
    assert found == list(range(20))
    assert losses.lost == []


def test_all_records_of_a_model_are_in_one_partition() -> None:
    """Kafka's default for the model's name, also for orders about its scopes, so that its judge reads them."""
    for partitions in (1, 3, 7):
        for model in ("m", "employment", "a.b-c"):
            assert partition_of(model, partitions) == (murmur2(model.encode()) & 0x7FFFFFFF) % partitions
            assert partition_of(f"{model}/sex=female", partitions) == partition_of(model, partitions)


def test_silent_broker_does_not_make_the_client_spin(tmp_path: Path) -> None:
    """The client polls at intervals instead of spinning; after the pause all records are delivered."""
    missing = why_unavailable()
    if missing:
        pytest.skip(missing)
    broker = Broker(tmp_path)
    broker.start()
    own = unique_options(broker.address, client={"request_timeout_ms": 1000})
    create_all_topics(own)
    producer = BufferedProducer(own, LossLog(), strict=True)
    try:
        producer.publish(SAMPLES, b"first", "m")
        producer.flush(POLL_SECONDS)
        sender, rounds = producer._client._sender, []
        run_once = sender.run_once
        sender.run_once = lambda: (rounds.append(None), run_once())
        broker.signal(signal.SIGSTOP)
        for number in range(40):
            producer.publish(SAMPLES, b"%d" % number, "m")
            time.sleep(0.05)
        assert producer.unacknowledged == 40
        assert len(rounds) < 500
        broker.signal(signal.SIGCONT)
        producer.flush(60.0)
    finally:
        producer.close(POLL_SECONDS)
        broker.stop(signal.SIGKILL)


def test_keys_stay_where_they_are_when_a_topic_grows() -> None:
    """Partitions beyond the configured number get no key; with fewer than configured, those that exist are used."""
    keys = [f"model{number}" for number in range(50)]
    assert [partition_of(key, 7, 2) for key in keys] == [partition_of(key, 2) for key in keys]
    assert {partition_of(key, 7) for key in keys} == set(range(7))
    assert {partition_of(key, 2, 7) for key in keys} == {0, 1}
