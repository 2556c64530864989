"""A stretch of one Kafka partition, read by somebody of its own: from a time on, up to an offset."""

import logging
import time
from collections.abc import Iterator

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from tightrope.service.adapters.kafka.client import connected
from tightrope.service.adapters.kafka.consumer import ANSWER_MS, record_of
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import Record

log = logging.getLogger(__name__)

PORTION = 16
"""Most records at once: each may hold hundreds of rows, and the reader has other work."""

PATIENCE_MS = 50
"""How long a portion is waited for; then it is empty."""

AGAIN = 10.0
"""Seconds before the next try where Kafka is away; portions are empty meanwhile."""


def span(options: KafkaOptions, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
    """See `ports.Bus.span`."""
    place = TopicPartition(options.prefix + topic, partition)
    at: int | None = None
    while at is None or at < until:
        try:
            for reached, portion in _stretch(options, place, since, at, until):
                at = reached
                yield portion
        except (KafkaError, OSError) as error:
            log.warning("%s cannot be read again now: %s", topic, error or type(error).__name__)
            ready = time.monotonic() + AGAIN
            while time.monotonic() < ready:
                yield []
        else:
            return


def _stretch(
    options: KafkaOptions, place: TopicPartition, since: float, at: int | None, until: int
) -> Iterator[tuple[int, list[Record]]]:
    """Portions, each with the offset after it; from ``at`` where that is known."""
    consumer = connected(options, KafkaConsumer, options.consumer(None, 1.0))
    try:
        consumer.assign([place])
        if at is None:
            first = consumer.offsets_for_times({place: max(0, int(since * 1000))}, timeout_ms=ANSWER_MS)[place]
            at = until if first is None else int(first.offset)
        consumer.seek(place, at)
        while at < until:
            found = consumer.poll(timeout_ms=PATIENCE_MS, max_records=PORTION).get(place, [])
            at = int(consumer.position(place, timeout_ms=ANSWER_MS) or at)
            yield at, [record_of(message, options) for message in found if message.offset < until]
    finally:
        consumer.close(autocommit=False, timeout_ms=ANSWER_MS)
