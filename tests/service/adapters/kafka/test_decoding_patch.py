"""A record that the client cannot decode is passed on as bytes; a damaged batch stays an error."""

import pytest
from kafka import KafkaProducer
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from tests.support.cluster.bus_topics import POLL_SECONDS
from tests.support.cluster.foreign_records import SIGNING
from tests.support.cluster.kafka_buses import bus_on, create_all_topics, unique_options
from tightrope.demo.broker import Broker
from tightrope.service.adapters.kafka.decoding_patch import correct_decoding
from tightrope.service.adapters.kafka.options import KafkaOptions

CONTROL, SAMPLES = "tightrope.control", "tightrope.samples"
UNDECODABLE = b"\xff\xfe"


class ForeignName(str):
    """The name of a header in another encoding."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        """Bytes that are no UTF-8."""
        return UNDECODABLE


def batch(*names: str) -> bytearray:
    """A batch of records of one header each, with these names."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 10_000)  # noqa: FBT003 - the library's order
    for offset, name in enumerate(names):
        builder.append(offset, 1000 + offset, b"key", b"value %d" % offset, [(name, b"v")])
    return bytearray(builder.build())


def test_undecodable_record_is_its_bytes() -> None:
    """The records around it are as they were; it keeps offset and time."""
    correct_decoding()
    one, bad, last = DefaultRecordBatch(batch("a", ForeignName("x"), "c"))
    assert [(r.offset, r.timestamp, r.key, r.value) for r in (one, last)] == [
        (0, 1000, b"key", b"value 0"),
        (2, 1002, b"key", b"value 2"),
    ]
    assert (bad.offset, bad.timestamp, bad.key, bad.headers) == (1, 1001, None, [])
    assert b"value 1" in bad.value
    assert UNDECODABLE in bad.value


def test_damaged_batch_is_an_error() -> None:
    """Where lengths do not fit there is no next record."""
    correct_decoding()
    whole = batch("a", "b")
    with pytest.raises(CorruptRecordError):
        list(DefaultRecordBatch(whole[:-3]))
    with pytest.raises(CorruptRecordError):
        list(DefaultRecordBatch(whole + b"\x02\x00"))


def _publish_foreign(options: KafkaOptions, topic: str) -> None:
    """Three records in one batch; the second has an undecodable header."""
    key, producer = b"m", KafkaProducer(**options.producer)
    for value, name in ((b"one", "a"), (b"two", ForeignName("x")), (b"three", "a")):
        producer.send(options.prefix + topic, value, key=key, headers=[(name, b"v")], partition=0)
    producer.flush()
    producer.close()


def test_readers_go_on_behind_an_undecodable_record(kafka: Broker) -> None:
    """Without a group, as a member of one, and in a replay; on a signed topic it is refused like any unsigned one."""
    own = unique_options(kafka.address)
    create_all_topics(own)
    _publish_foreign(own, SAMPLES)
    with bus_on(own) as bus:
        for group in (None, "g"):
            records = bus.subscribe(SAMPLES, group=group).poll(10, POLL_SECONDS)
            assert [r.value for r in records][::2] == [b"one", b"three"]
            assert UNDECODABLE in records[1].value
        assert len([r for found in bus.replay(SAMPLES, 0, 0.0, 3) for r in found]) == 3
    signed = unique_options(kafka.address, signing=SIGNING)
    create_all_topics(signed)
    _publish_foreign(signed, CONTROL)
    with bus_on(signed) as bus:
        reader = bus.subscribe(CONTROL)
        bus.publish(CONTROL, b"genuine", "m")
        bus.flush(POLL_SECONDS)
        found = reader.poll(10, POLL_SECONDS)
        while reader.lag():
            found += reader.poll(10, POLL_SECONDS)
        assert [r.value for r in found] == [b"genuine"]
