"""A stretch of one Kafka partition, read by somebody of its own: from a time on, up to an offset."""

from collections.abc import Iterator

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from service.adapters.kafka_client import connected
from service.adapters.kafka_options import KafkaOptions
from service.adapters.kafka_reader import ANSWER_MS, record_of
from service.adapters.ports import BusAwayError, Record

PORTION = 16
"""Most records at once: each may hold hundreds of rows, and the reader has other work."""

PATIENCE_MS = 50
"""How long a portion is waited for; then it is empty."""


def span(options: KafkaOptions, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
    """See `service.adapters.ports.Bus.span`."""
    place = TopicPartition(options.prefix + topic, partition)
    consumer = None
    try:
        consumer = connected(options, KafkaConsumer, options.consumer(None, 1.0))
        consumer.assign([place])
        first = consumer.offsets_for_times({place: max(0, int(since * 1000))}, timeout_ms=ANSWER_MS)[place]
        if first is None:
            return
        at = first.offset
        consumer.seek(place, at)
        while at < until:
            found = consumer.poll(timeout_ms=PATIENCE_MS, max_records=PORTION).get(place, [])
            at = consumer.position(place, timeout_ms=ANSWER_MS) or at
            yield [record_of(message, options) for message in found if message.offset < until]
    except (KafkaError, OSError) as error:
        raise BusAwayError(f"{topic} cannot be read again: {error or type(error).__name__}") from error
    finally:
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=ANSWER_MS)
