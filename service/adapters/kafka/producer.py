"""Publishing to Kafka without waiting for it: a bounded buffer, one thread that connects when it can.

The client's own buffer knows no bound, so ours counts a record until the broker has acknowledged it. Delivery is tried
for as long as it takes, in order and without doubles; what the broker refuses for good is told, never silent.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.partitioner.default import murmur2

from tightrope.service.adapters.kafka.client import connected
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.ports import BusFullError, RecordTooLargeError, UndeliveredError

log = logging.getLogger(__name__)

OVERHEAD = 200
"""Bytes that a record holds beside its own, near enough."""

PAUSES = (0.1, 0.5, 2.0)
"""Seconds before the next try to connect."""

CALM_MS = 10.0
"""The least that the client waits before it looks again whether a broker takes more."""

COMPLAIN_EVERY = 60.0
"""Seconds between two lines in the log about the same trouble."""

Lost = Callable[[str, bytes, str], None]
"""Told of a record that will never be delivered: topic, bytes, reason."""


class Outgoing(NamedTuple):
    """A record on its way."""

    topic: str
    key: str | None
    value: bytes

    @property
    def size(self) -> int:
        """What it holds of the buffer."""
        return len(self.value) + OVERHEAD


def partition_of(key: str, partitions: int) -> int:
    """Where a key's records stand: as every Kafka client puts it, by what comes before a slash (model/scope)."""
    return int((murmur2(key.partition("/")[0].encode()) & 0x7FFFFFFF) % partitions)


def _calm(producer: Any) -> None:  # noqa: ANN401 - the client ships no types
    """While a broker does not answer the client spins (3.0.12), and takes the processor from whoever serves: asked how
    long to wait for it, it says no time at all while it connects, and seconds for milliseconds after that.
    """
    client = producer._sender._client  # noqa: SLF001 - there is no public way
    seconds = client.connection_delay
    client.connection_delay = lambda node: max(seconds(node) * 1000, CALM_MS)


class Publisher:
    """`publish` never waits for the broker. ``strict`` is for those who `flush`: after a loss nothing more goes out
    until they have been told, so that no later record overtakes the one that is missing.
    """

    def __init__(self, options: KafkaOptions, lost: Lost, *, strict: bool) -> None:
        self._options = options
        self._lost = lost
        self._strict = strict
        self._queue: deque[Outgoing] = deque()
        self._records = self._bytes = 0
        self._failure = ""
        self._changed = threading.Condition()
        self._closing = False
        self._producer: Any = None
        self._spoilt = False
        self._complained = 0.0
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Records that are not acknowledged yet."""
        return self._records

    def publish(self, topic: str, value: bytes, key: str | None) -> None:
        """Take a record, if there is room."""
        item = Outgoing(topic, key, value)
        if len(value) > self._options.record_bytes:
            raise RecordTooLargeError(
                f"{topic}: a record of {len(value)} bytes; at most {self._options.record_bytes} are taken"
            )
        with self._changed:
            self._tell_of_failure()
            if self._records >= self._options.buffer_records or (
                self._records and self._bytes + item.size > self._options.buffer_bytes
            ):
                raise BusFullError(f"{self._records} records of {self._bytes} bytes wait for Kafka already")
            self._records += 1
            self._bytes += item.size
            self._queue.append(item)
            self._begin()
            self._changed.notify_all()

    def flush(self, timeout: float) -> None:
        """Wait until everything is acknowledged."""
        with self._changed:
            done = self._changed.wait_for(lambda: not self._records, timeout)
            self._tell_of_failure()
            if not done:
                raise TimeoutError(f"{self._records} records are not acknowledged after {timeout:g} s")

    def close(self, timeout: float) -> None:
        """Deliver what waits, then end; what has not been delivered in time is lost, and told."""
        deadline = time.monotonic() + timeout
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._records, timeout)
        if self._thread is not None:
            self._thread.join(max(deadline - time.monotonic(), 0.0) + PAUSES[-1])
        self._drop_producer()
        while self._queue:
            self._lose(self._queue.popleft(), "shutdown")

    def _tell_of_failure(self) -> None:
        if self._strict and self._failure:
            self._changed.wait_for(lambda: not self._records, PAUSES[-1])
            failure, self._failure = self._failure, ""
            raise UndeliveredError(failure)

    def _begin(self) -> None:
        """In a process that forked after it was made, the thread is still the right one."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kafka-publisher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        tries = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closing or self._spoilt)
                if self._closing and (not self._queue or tries):
                    return
            try:
                self._connect()
                while self._queue and not self._spoilt:
                    self._send(self._queue.popleft())
                tries = 0
            except (KafkaError, OSError) as error:
                self._complain(error)
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, PAUSES[min(tries, len(PAUSES) - 1)])
                tries += 1

    def _connect(self) -> None:
        if self._spoilt:
            self._drop_producer()
            self._spoilt = False
        if self._producer is None:
            self._producer = connected(self._options, KafkaProducer, self._options.producer)
            _calm(self._producer)

    def _send(self, item: Outgoing) -> None:
        """Hand it to the client; where the topic is not known yet the record waits at its place."""
        if self._strict and self._failure:
            self._lose(item, "after_a_loss")
            return
        try:
            future = self._hand_over(self._options.prefix + item.topic, item)
        except KafkaTimeoutError:
            self._queue.appendleft(item)
            raise
        except (MessageSizeTooLargeError, ValueError) as error:
            self._lose(item, type(error).__name__)
            return
        if future.failed() and future.exception.retriable:
            self._queue.appendleft(item)
            raise future.exception
        future.add_callback(lambda _: self._done(item))
        future.add_errback(lambda error: self._failed(item, error))

    def _hand_over(self, topic: str, item: Outgoing) -> Any:  # noqa: ANN401 - the client's future
        if item.key is None:
            return self._producer.send(topic, item.value)
        partition = partition_of(item.key, len(self._producer.partitions_for(topic)))
        return self._producer.send(topic, item.value, key=item.key.encode(), partition=partition)

    def _done(self, item: Outgoing) -> None:
        with self._changed:
            self._records -= 1
            self._bytes -= item.size
            if not self._records:
                self._changed.notify_all()

    def _failed(self, item: Outgoing, error: Exception) -> None:
        """In the client's thread. Any failure but of the record itself spoils the client: another one takes over."""
        if not isinstance(error, MessageSizeTooLargeError):
            self._spoilt = True
        self._lose(item, type(error).__name__)

    def _lose(self, item: Outgoing, reason: str) -> None:
        with contextlib.suppress(Exception):  # whoever is told must not stop the rest
            self._lost(item.topic, item.value, reason)
        self._failure = self._failure or f"{item.topic}: a record could not be delivered: {reason}"
        self._done(item)

    def _drop_producer(self) -> None:
        """Its own close() gives up where a broker is away, and leaves its thread behind."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=0 if self._records else 2)
        except KafkaError:
            producer._sender.force_close()  # noqa: SLF001 - there is no public way
            producer._sender.join(1)  # noqa: SLF001

    def _complain(self, error: Exception) -> None:
        if time.monotonic() - self._complained > COMPLAIN_EVERY:
            self._complained = time.monotonic()
            log.warning(
                "Kafka does not take records now, %d wait: %s", self._records, str(error) or type(error).__name__
            )
