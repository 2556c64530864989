"""Replay of a range of one Kafka partition by a reader of its own: from a time on, up to an offset. And the look-up of
single records.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from tightrope.service.adapters.kafka.client import connect_client
from tightrope.service.adapters.kafka.consumer_calls import REQUEST_TIMEOUT_MS
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import read_denial
from tightrope.service.adapters.kafka.record_filter import RecordFilter
from tightrope.service.adapters.ports import BusUnavailableError, Record

log = logging.getLogger(__name__)

REPLAY_BATCH_RECORDS = 16
"""Most records in one batch: each may hold hundreds of rows, and the caller has other work."""

REPLAY_POLL_MS = 50
"""Milliseconds to wait for a batch; after that it is empty."""

REPLAY_RETRY_SECONDS = 10.0
"""Seconds before the next attempt when Kafka is unreachable; batches are empty meanwhile."""

LOOKUP_FETCH_BYTES = 65_536
"""Bytes that are read for one record; a larger batch of records comes as a whole."""

LOOKUP_SECONDS = 10.0
"""Longest time to wait for one record."""


def replay(
    options: KafkaOptions, record_filter: RecordFilter, topic: str, partition: int, since: float, until: int
) -> Iterator[list[Record]]:
    """See `ports.Bus.replay`."""
    source = TopicPartition(options.prefix + topic, partition)
    offset: int | None = None
    while offset is None or offset < until:
        try:
            for next_offset, messages in _read_once(options, source, since, offset, until):
                offset = next_offset
                yield record_filter.records(messages)
        except (KafkaError, OSError) as error:
            denied = read_denial(options, error, [source.topic], None)
            log.warning("%s cannot be replayed now: %s", topic, denied or error or type(error).__name__)
            ready = time.monotonic() + REPLAY_RETRY_SECONDS
            while time.monotonic() < ready:
                yield []
        else:
            return


def _read_once(
    options: KafkaOptions, source: TopicPartition, since: float, offset: int | None, until: int
) -> Iterator[tuple[int, list[Any]]]:
    """Batches of messages, each with the offset after it, from ``offset`` on, or else from the time ``since`` on."""
    consumer = connect_client(options, KafkaConsumer, options.consumer(None, 1.0))
    try:
        consumer.assign([source])
        if offset is None:
            times = {source: max(0, int(since * 1000))}
            first = consumer.offsets_for_times(times, timeout_ms=REQUEST_TIMEOUT_MS)[source]
            offset = until if first is None else int(first.offset)
        consumer.seek(source, offset)
        while offset < until:
            messages = consumer.poll(timeout_ms=REPLAY_POLL_MS, max_records=REPLAY_BATCH_RECORDS).get(source, [])
            offset = int(consumer.position(source, timeout_ms=REQUEST_TIMEOUT_MS) or offset)
            yield offset, [message for message in messages if message.offset < until]
    finally:
        if not sys.is_finalizing():  # its thread has ended then, and the client would wait for it for ever (3.0.12)
            consumer.close(autocommit=False, timeout_ms=REQUEST_TIMEOUT_MS)


class RecordLookup:
    """Reads single records of a topic by their place, with one client that stays connected. For one thread."""

    def __init__(self, options: KafkaOptions, topic: str) -> None:
        self._options, self._topic = options, topic
        self._client: Any = None

    def read(self, partition: int, offset: int) -> bytes | None:
        """The value of the record at an offset; None where the log does not have it any more.

        Raises:
            BusUnavailableError: when the log cannot be read now.
        """
        source = TopicPartition(self._options.prefix + self._topic, partition)
        try:
            return self._read(source, offset)
        except (KafkaError, OSError) as error:
            self.close()
            denied = read_denial(self._options, error, [source.topic], None)
            raise denied or BusUnavailableError(f"{self._topic}: {error or type(error).__name__}") from error

    def _read(self, source: TopicPartition, offset: int) -> bytes | None:
        if self._client is None:
            limit = {"max_partition_fetch_bytes": LOOKUP_FETCH_BYTES}
            self._client = connect_client(self._options, KafkaConsumer, self._options.consumer(None, 1.0) | limit)
        self._client.assign([source])
        self._client.seek(source, offset)
        deadline = time.monotonic() + LOOKUP_SECONDS
        while time.monotonic() < deadline:
            for message in self._client.poll(timeout_ms=REPLAY_POLL_MS, max_records=1).get(source, []):
                return message.value or b"" if message.offset == offset else None
            if self._client.position(source, timeout_ms=REQUEST_TIMEOUT_MS) != offset:  # retention has ended it
                return None
        raise KafkaTimeoutError(f"no record within {LOOKUP_SECONDS:g} s")

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._client is not None:
            with suppress(KafkaError, OSError):
                self._client.close(autocommit=False, timeout_ms=REQUEST_TIMEOUT_MS)
            self._client = None
