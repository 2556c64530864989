"""Publishing to Kafka without waiting: a bounded buffer, and one thread that connects and sends.

How it works. `publish` puts a record into a queue and returns. The thread connects (with the delays of
`RECONNECT_SECONDS`), hands the records to the client in order, and starts over after an error. A record counts against
the bounds until the broker has acknowledged it, because the client's own buffer is unbounded. The client retries
without a time limit, idempotently, so records arrive in order and once.

A record that the broker refuses for good is reported to ``lost``. After any error but the record's own size the client
is not used again: `_broken` is set, and the thread replaces it. In strict mode a loss also stops delivery until a
caller got `UndeliveredError`, so that no later record overtakes the lost one. After a topic was refused for lack of a
permission, its records are lost for a while without an attempt (`write_denials.py`).

Two private parts of kafka-python are used: `_fix_connection_delay`, and the forced close of `_drop_client`;
tests/service/test_library_internals.py lists them.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.partitioner.default import murmur2

from tightrope.service.adapters.kafka.client import ERROR_LOG_SECONDS, connect_client
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.write_denials import NOT_PERMITTED, WriteDenials
from tightrope.service.adapters.kafka.signature import SIGNED_TOPICS, VOUCHED_TOPICS
from tightrope.service.adapters.ports import BusFullError, NotPermittedError, RecordTooLargeError, UndeliveredError
from tightrope.service.adapters.topics import DELETABLE

log = logging.getLogger(__name__)

RECORD_OVERHEAD_BYTES = 200
"""Approximate memory of a buffered record beside its value."""

RECONNECT_SECONDS = (0.1, 0.5, 2.0)
"""Seconds before the next attempt to connect."""

MIN_BACKOFF_MS = 10.0
"""Least milliseconds between two checks of the client whether a broker accepts data."""

LossCallback = Callable[[str, bytes, str], None]
"""Called with a record that will never be delivered: topic, value, reason."""


class OutgoingRecord(NamedTuple):
    """A buffered record."""

    topic: str
    key: str | None
    value: bytes

    @property
    def size(self) -> int:
        """Its bytes in the buffer."""
        return len(self.value) + RECORD_OVERHEAD_BYTES

    @property
    def sent_value(self) -> bytes | None:
        """Its value on the topic: none where an empty one deletes the record of its key."""
        return None if not self.value and self.topic in DELETABLE else self.value


def partition_of(key: str, partitions: int, configured: int = 0) -> int:
    """The partition of a key: Kafka's default hash of the part before a slash (model/scope). Partitions beyond the
    ``configured`` number get no key: a topic that grows under running processes would move them (0: no such limit).
    """
    usable = min(partitions, configured or partitions)
    return int((murmur2(key.partition("/")[0].encode()) & 0x7FFFFFFF) % usable)


def _fix_connection_delay(producer: Any) -> None:  # noqa: ANN401 - the client ships no types
    """Stop the client from spinning while a broker does not answer (3.0.12): its `connection_delay` is 0 while it
    connects, and returns seconds where milliseconds are expected after that.
    """
    client = producer._sender._client  # noqa: SLF001 - there is no public way
    seconds = client.connection_delay
    client.connection_delay = lambda node: max(seconds(node) * 1000, MIN_BACKOFF_MS)


class BufferedProducer:
    """Publishes records in the background. ``strict`` is for callers that `flush`: after a loss nothing is sent until
    `publish` or `flush` has raised `UndeliveredError`.
    """

    def __init__(self, options: KafkaOptions, lost: LossCallback, *, strict: bool) -> None:
        self._options = options
        self._lost = lost
        self._strict = strict
        self._queue: deque[OutgoingRecord] = deque()
        self._records = self._bytes = 0
        self._failure: NotPermittedError | UndeliveredError | None = None
        self._denials = WriteDenials(options)
        self._changed = threading.Condition()
        self._closing = False
        self._client: Any = None
        self._broken = False
        self._logged_at = 0.0
        self._thread: threading.Thread | None = None

    @property
    def unacknowledged(self) -> int:
        """Records that are not acknowledged yet."""
        return self._records

    def publish(self, topic: str, value: bytes, key: str | None) -> None:
        """Buffer a record.

        Raises:
            BusFullError: when the buffer is full.
            RecordTooLargeError: when the record exceeds ``record_bytes``.
            UndeliveredError: in strict mode, when an earlier record was lost.
        """
        item = OutgoingRecord(topic, key, value)
        if len(value) > self._options.record_bytes:
            raise RecordTooLargeError(
                f"{topic}: a record of {len(value)} bytes; at most {self._options.record_bytes} are taken "
                "(bus.kafka.record_bytes)"
            )
        with self._changed:
            self._raise_failure()
            if self._records >= self._options.buffer_records or (
                self._records and self._bytes + item.size > self._options.buffer_bytes
            ):
                raise BusFullError(f"{self._records} records of {self._bytes} bytes wait for Kafka already")
            self._records += 1
            self._bytes += item.size
            self._queue.append(item)
            self._start_thread()
            self._changed.notify_all()

    def flush(self, timeout: float) -> None:
        """Wait until every record is acknowledged.

        Raises:
            TimeoutError: when it takes longer than ``timeout`` seconds.
            UndeliveredError: in strict mode, when a record was lost.
        """
        with self._changed:
            done = self._changed.wait_for(lambda: not self._records, timeout)
            self._raise_failure()
            if not done:
                raise TimeoutError(f"{self._records} records are not acknowledged after {timeout:g} s")

    def close(self, timeout: float) -> None:
        """Deliver the buffered records, then stop; records that take longer than ``timeout`` seconds are lost."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._records, timeout)
        if self._thread is not None:
            self._thread.join(max(deadline - time.monotonic(), 0.0) + RECONNECT_SECONDS[-1])
        self._drop_client()
        while self._queue:
            self._lose(self._queue.popleft(), "shutdown")

    def _raise_failure(self) -> None:
        if self._strict and self._failure is not None:
            self._changed.wait_for(lambda: not self._records, RECONNECT_SECONDS[-1])
            failure, self._failure = self._failure, None
            raise failure

    def _start_thread(self) -> None:
        """Start at the first record, not in the constructor: a process may fork in between."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kafka-publisher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        attempts = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing or self._broken)
                if self._closing and (not self._queue or attempts):
                    return
            try:
                self._connect()
                while self._queue and not self._broken:
                    self._send(self._queue.popleft())
                attempts = 0
            except (KafkaError, OSError) as error:
                self._log_failure(error)
                with self._changed:
                    delay = RECONNECT_SECONDS[min(attempts, len(RECONNECT_SECONDS) - 1)]
                    self._changed.wait_for(lambda: self._closing, delay)
                attempts += 1

    def _connect(self) -> None:
        if self._broken:
            self._drop_client()
            self._broken = False
        if self._client is None:
            self._client = connect_client(self._options, KafkaProducer, self._options.producer)
            _fix_connection_delay(self._client)

    def _send(self, item: OutgoingRecord) -> None:
        """Hand a record to the client; it returns to the front of the queue while its topic is unknown."""
        if self._strict and self._failure:
            self._lose(item, "after_a_loss")
            return
        if self._denials.holds(item.topic):
            self._lose(item, NOT_PERMITTED)
            return
        try:
            future = self._hand_over(self._options.prefix + item.topic, item)
        except AuthorizationError as error:
            self._lose(item, self._denials.note(item.topic, error))
            return
        except KafkaTimeoutError:
            self._queue.appendleft(item)
            raise
        except (MessageSizeTooLargeError, ValueError) as error:
            self._lose(item, type(error).__name__)
            return
        if future.failed() and future.exception.retriable:
            self._queue.appendleft(item)
            raise future.exception
        future.add_callback(lambda _: self._release(item))
        future.add_errback(lambda error: self._on_error(item, error))

    def _hand_over(self, topic: str, item: OutgoingRecord) -> Any:  # noqa: ANN401 - the client's future
        headers = self._headers(topic, item)
        if item.key is None:
            return self._client.send(topic, item.sent_value, headers=headers)
        partition = partition_of(item.key, len(self._client.partitions_for(topic)), self._options.partitions)
        return self._client.send(topic, item.sent_value, key=item.key.encode(), headers=headers, partition=partition)

    def _headers(self, topic: str, item: OutgoingRecord) -> list[tuple[str, bytes]]:
        """The signature, where the cluster has a secret and the topic's records have one."""
        signing = self._options.signing
        if signing is None or item.topic not in SIGNED_TOPICS | VOUCHED_TOPICS:
            return []
        return signing.headers(topic, None if item.key is None else item.key.encode(), item.sent_value)

    def _release(self, item: OutgoingRecord) -> None:
        with self._changed:
            self._records -= 1
            self._bytes -= item.size
            if not self._records:
                self._changed.notify_all()

    def _on_error(self, item: OutgoingRecord, error: Exception) -> None:
        """Called in the client's thread. Every error but that of the record's size breaks the client."""
        if not isinstance(error, MessageSizeTooLargeError):
            self._broken = True
        denied = isinstance(error, AuthorizationError)
        self._lose(item, self._denials.note(item.topic, error) if denied else type(error).__name__)

    def _lose(self, item: OutgoingRecord, reason: str) -> None:
        with contextlib.suppress(Exception):  # an error in the callback must not stop the other records
            self._lost(item.topic, item.value, reason)
        self._failure = self._failure or self._denials.error(item.topic, reason)
        self._release(item)

    def _drop_client(self) -> None:
        """Close the client; its own close() fails when a broker is unreachable, and leaves its thread running."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            client.close(timeout=0 if self._records else 2)
        except KafkaError:
            client._sender.force_close()  # noqa: SLF001 - there is no public way
            client._sender.join(1)  # noqa: SLF001

    def _log_failure(self, error: Exception) -> None:
        if time.monotonic() - self._logged_at > ERROR_LOG_SECONDS:
            self._logged_at = time.monotonic()
            log.warning(
                "Kafka does not take records now, %d wait: %s", self._records, str(error) or type(error).__name__
            )
