"""Reading from Kafka: as a member of a group with manual commits, or all partitions without a group.

An unreachable Kafka is not an error: `poll` returns nothing, and the next poll tries again.
"""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from kafka import TopicPartition
from kafka.errors import CorruptRecordError, KafkaError

from tightrope.service.adapters.kafka import consumer_calls
from tightrope.service.adapters.kafka.client import ERROR_LOG_SECONDS
from tightrope.service.adapters.kafka.consumer_calls import LOST_OWNERSHIP_ERRORS, REQUEST_TIMEOUT_MS, Offsets
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import read_denial
from tightrope.service.adapters.kafka.record_filter import RecordFilter
from tightrope.service.adapters.kafka.rejoin_patch import RejoinPatch
from tightrope.service.adapters.ports import BusUnavailableError, LogPartition, NotPermittedError, Record, StartOffsets

log = logging.getLogger(__name__)

PARTITIONS_CHECK_SECONDS = 1.0
"""Seconds between two looks of a reader without a group whether its topics have grown."""

RebalanceCallback = Callable[[str], None]
"""Called with the name of a group after a rebalance."""


class KafkaSubscription:
    """Implements `ports.Subscription`. Connects at the first poll."""

    def __init__(
        self,
        options: KafkaOptions,
        topics: tuple[str, ...],
        group: str | None,
        start_offsets: StartOffsets | None,
        rebalanced: RebalanceCallback,
        record_filter: RecordFilter | None = None,
    ) -> None:
        self._options = options
        self._filter = record_filter or RecordFilter(options)
        self._topics = [options.prefix + topic for topic in topics]
        self._group = group
        self._start_offsets = start_offsets
        self._rebalanced = rebalanced
        self._consumer: Any = None
        self._rejoin: RejoinPatch | None = None
        self._generation: object = None
        self._polled: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._sought: dict[TopicPartition, int] = {}
        self._logged_at = 0.0
        self._denial: NotPermittedError | None = None
        self._partitions_checked = 0.0

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records, in the order of each partition."""
        deadline = time.monotonic() + timeout
        if not self._ready_to_poll(timeout):
            time.sleep(max(0.0, min(deadline - time.monotonic(), 1.0)))
            return []
        self._add_partitions()
        while True:
            left = max(0.0, deadline - time.monotonic())
            fetched = self._fetch(int(left * 1000), limit)
            if self._rejoin is not None:
                self._rejoin.restart_lost_join()
            if not self._rebalance(fetched) or not left:
                break
        self._polled |= {source: messages[-1].offset + 1 for source, messages in fetched.items()}
        return self._filter.records(m for messages in fetched.values() for m in messages)

    def _ready_to_poll(self, timeout: float) -> bool:
        """Whether the client is connected. A missing permission ends the member of a group only."""
        try:
            return self._connected(timeout)
        except NotPermittedError as error:
            if self._group is not None:
                raise
            self._log_failure(str(error))
            return False

    def _fetch(self, timeout_ms: int, limit: int) -> dict[TopicPartition, list[Any]]:
        """Fetch messages. An error ends the member of a group, which has to start over; a reader alone keeps trying."""
        try:
            fetched: dict[TopicPartition, list[Any]] = self._consumer.poll(timeout_ms=timeout_ms, max_records=limit)
        except KafkaError as error:
            self._denial = read_denial(self._options, error, self._topics, self._group)
            if self._group is not None:
                raise self._denial or error from error
            self._log_failure(str(self._denial or error) or type(error).__name__)
            if isinstance(error, CorruptRecordError):
                self._renew()  # the next poll of this client would spin without end (3.0.12)
            time.sleep(timeout_ms / 1000)
            return {}
        self._denial = None
        return fetched

    def commit(self) -> None:
        """Commit the polled records. When it comes too late, they will be delivered again."""
        if self._group is not None and self._consumer is not None:
            assigned = self._consumer.assignment()
            self._commit({source: offset for source, offset in self._polled.items() if source in assigned})

    def owns_partitions(self) -> bool:
        """Commit the committed offsets again: the coordinator refuses a member that it has removed."""
        if self._group is None or self._consumer is None:
            return True
        return self._current_generation() == self._generation and self._commit(dict(self._committed))

    def _commit(self, offsets: Offsets) -> bool:
        try:
            consumer_calls.commit(self._consumer, offsets)
        except LOST_OWNERSHIP_ERRORS as error:
            log.info("%s: a commit came too late: %s", self._group, type(error).__name__)
            return False
        except KafkaError as error:
            denied = read_denial(self._options, error, self._topics, self._group)
            self._log_failure(f"a commit failed: {denied or error or type(error).__name__}")
            return False
        self._committed |= offsets
        return True

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue from ``offset``: now, or once the partition is assigned to this reader."""
        self._sought[TopicPartition(self._options.prefix + topic, partition)] = offset
        if self._consumer is not None:
            self._apply_seeks(self._consumer.assignment())

    def seek_back(self, number: int) -> None:
        """Continue from ``number`` records before the end of every partition.

        Raises:
            BusUnavailableError: when Kafka cannot be reached.
        """
        if not self._connected(REQUEST_TIMEOUT_MS / 1000):
            raise BusUnavailableError(
                f"Kafka at {', '.join(self._options.servers)}: does not answer, or has no such topic"
            )
        for source, offset in consumer_calls.before_the_end(self._consumer, number).items():
            self._seek_now(source, offset)

    def lag(self) -> int:
        """Records not polled yet, of the assigned partitions."""
        if self._denial is not None:
            raise NotPermittedError(str(self._denial))
        if not self._connected(1.0):
            raise BusUnavailableError("Kafka does not answer")
        try:
            return consumer_calls.unread(self._consumer)
        except KafkaError as error:
            self._renew()
            raise BusUnavailableError(f"Kafka does not return its end offsets: {error}") from error

    def _renew(self) -> None:
        """Replace the client, which keeps its offsets, if it is in no group.

        After a change of leader a client (3.0.12) requests end offsets from the old leader until its metadata are five
        minutes old; members of a group refresh theirs by polling.
        """
        if self._group is None:
            self._sought = {**self._polled, **self._sought}
            self.close()

    def close(self) -> None:
        """Leave the group at once, so that other members take over."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer_calls.close(consumer)

    def _connected(self, timeout: float) -> bool:
        if self._consumer is not None:
            return True
        consumer = None
        try:
            consumer = consumer_calls.connect(self._options, self._topics, self._group, timeout)
            if self._group is not None:
                self._rejoin = RejoinPatch(consumer)
            elif not self._polled:
                self._collect_start_offsets(consumer.assignment())
        except (KafkaError, OSError, BusUnavailableError) as error:
            if consumer is not None:
                consumer.close(autocommit=False, timeout_ms=0)
            if isinstance(error, NotPermittedError):
                raise
            self._log_failure(str(error) or type(error).__name__)
            return False
        self._consumer = consumer
        self._apply_seeks(consumer.assignment())
        return True

    def _add_partitions(self) -> None:
        """Read the partitions that the topics got meanwhile, too, from their beginning. A group assigns them itself."""
        now = time.monotonic()
        if self._group is not None or now - self._partitions_checked < PARTITIONS_CHECK_SECONDS:
            return
        self._partitions_checked = now
        assigned, found = self._consumer.assignment(), list[TopicPartition]()
        with suppress(KafkaError):  # a topic that is gone
            found = consumer_calls.partitions_of(self._consumer, self._topics)
        if added := set(found) - assigned:
            self._consumer.assign([*assigned, *added])
            self._consumer.seek_to_beginning(*added)
            names = ", ".join(sorted({source.topic for source in added}))
            log.warning("Kafka: %d partitions were added to %s", len(added), names)

    def _rebalance(self, fetched: dict[TopicPartition, list[Any]]) -> bool:
        """Whether the group was rebalanced since the last poll. Then ``fetched`` is put back, because the start offsets
        of the new partitions come first.
        """
        generation = self._current_generation()
        if generation is None or generation == self._generation:
            return False
        self._generation = generation
        self._rebalanced(str(self._group))
        sources = self._consumer.assignment()
        for source, messages in fetched.items():
            self._consumer.seek(source, messages[0].offset)
        fetched.clear()
        self._polled.clear()
        self._collect_start_offsets(sources)
        self._apply_seeks(sources)
        self._committed = {source: consumer_calls.position(self._consumer, source) for source in sources}
        return True

    def _collect_start_offsets(self, sources: Iterable[TopicPartition]) -> None:
        if self._start_offsets is not None:
            offsets = self._start_offsets(sorted(self._logical(source) for source in sources))
            self._sought |= {TopicPartition(self._options.prefix + t, p): offset for (t, p), offset in offsets.items()}

    def _apply_seeks(self, sources: Iterable[TopicPartition]) -> None:
        for source in set(self._sought) & set(sources):
            self._seek_now(source, self._sought.pop(source))

    def _seek_now(self, source: TopicPartition, offset: int) -> None:
        self._consumer.seek(source, offset)
        if self._group is None:
            self._polled[source] = offset

    def _current_generation(self) -> object:
        """A value that changes with every rebalance; None without a group, or during a rebalance."""
        return None if self._group is None else consumer_calls.generation(self._consumer)

    def _logical(self, source: TopicPartition) -> LogPartition:
        return source.topic.removeprefix(self._options.prefix), source.partition

    def _log_failure(self, text: str) -> None:
        if time.monotonic() - self._logged_at > ERROR_LOG_SECONDS:
            self._logged_at = time.monotonic()
            log.warning("Kafka: %s", text)
