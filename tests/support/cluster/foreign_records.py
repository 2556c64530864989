"""Records of a program that may write the topics and has no secret, or copies of genuine ones."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import NamedTuple

from kafka import KafkaProducer

from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.producer import partition_of
from tightrope.service.adapters.kafka.signature import SIGNATURE_HEADER, Signing

SECRET = b"the secret of this cluster's fleet"
OTHER_SECRET = b"the secret of another cluster's fleet"
SIGNING = Signing(SECRET)
WRONG_HEADERS = [(SIGNATURE_HEADER, bytes(32))]


class ForeignRecord(NamedTuple):
    """A record with its headers; ``topic`` is without the prefix."""

    topic: str
    key: str
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


def write_records(options: KafkaOptions, records: Iterable[ForeignRecord]) -> None:
    """Write records as they are, each in the partition of its key."""
    with closing(KafkaProducer(**options.producer)) as producer:
        for record in records:
            name = options.prefix + record.topic
            producer.send(
                name,
                record.value,
                key=record.key.encode(),
                headers=list(record.headers),
                partition=partition_of(record.key, len(producer.partitions_for(name))),
            )
        producer.flush()


def signed_record(options: KafkaOptions, topic: str, key: str, value: bytes, by: Signing = SIGNING) -> ForeignRecord:
    """A record with the signature that a process of the cluster would make."""
    return ForeignRecord(topic, key, value, by.headers(options.prefix + topic, key.encode(), value))
