"""Reading from Kafka: as a member of a group with manual commits, or all partitions without a group.

An unreachable Kafka is not an error: `poll` returns nothing, and the next poll tries again.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    KafkaError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState

from tightrope.service.adapters.kafka.client import ERROR_LOG_SECONDS, call_with_timeout, connect_client
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.rejoin_patch import RejoinPatch
from tightrope.service.adapters.ports import BusUnavailableError, LogPartition, Record, StartOffsets

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_MS = 5_000
"""Time limit for a request for offsets, and for a commit."""

LOST_OWNERSHIP_ERRORS = (CommitFailedError, FencedInstanceIdError, RebalanceInProgressError, UnknownMemberIdError)
"""Errors of a commit that came too late: another member owns the partitions, and reads the records again."""

Offsets = Mapping[TopicPartition, int]

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
    ) -> None:
        self._options = options
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

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records, in the order of each partition."""
        deadline = time.monotonic() + timeout
        if not self._connected(timeout):
            time.sleep(max(0.0, min(deadline - time.monotonic(), 1.0)))
            return []
        while True:
            left = max(0.0, deadline - time.monotonic())
            fetched = self._fetch(int(left * 1000), limit)
            if self._rejoin is not None:
                self._rejoin.restart_lost_join()
            if not self._rebalance(fetched) or not left:
                break
        self._polled |= {source: messages[-1].offset + 1 for source, messages in fetched.items()}
        return [to_record(m, self._options) for messages in fetched.values() for m in messages]

    def _fetch(self, timeout_ms: int, limit: int) -> dict[TopicPartition, list[Any]]:
        """Fetch messages. An error ends the member of a group, which has to start over; a reader alone keeps trying."""
        try:
            fetched: dict[TopicPartition, list[Any]] = self._consumer.poll(timeout_ms=timeout_ms, max_records=limit)
        except KafkaError as error:
            if self._group is not None:
                raise
            self._log_failure(str(error) or type(error).__name__)
            time.sleep(timeout_ms / 1000)
            return {}
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
        commits = {source: OffsetAndMetadata(offset, "", -1) for source, offset in offsets.items()}
        try:
            self._consumer.commit(commits, timeout_ms=REQUEST_TIMEOUT_MS)
        except LOST_OWNERSHIP_ERRORS as error:
            log.info("%s: a commit came too late: %s", self._group, type(error).__name__)
            return False
        except KafkaError as error:
            self._log_failure(f"a commit failed: {error or type(error).__name__}")
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
        sources = list(self._consumer.assignment())
        starts = _offsets(self._consumer.beginning_offsets, sources)
        for source, end in _offsets(self._consumer.end_offsets, sources).items():
            self._seek_now(source, max(starts[source], end - number))

    def lag(self) -> int:
        """Records not polled yet, of the assigned partitions."""
        if not self._connected(1.0):
            raise BusUnavailableError("Kafka does not answer")
        sources = list(self._consumer.assignment())
        try:
            ends = _offsets(self._consumer.end_offsets, sources) if sources else {}
            return sum(max(0, end - self._position(source)) for source, end in ends.items())
        except KafkaError as error:
            self._renew()
            raise BusUnavailableError(f"Kafka does not return its end offsets: {error}") from error

    def _renew(self) -> None:
        """Replace the client of a reader without a group, at the same offsets. After a change of leader the client
        requests end offsets from the old leader until its metadata are five minutes old (3.0.12); a member of a group
        refreshes them as it polls.
        """
        if self._group is None:
            self._sought = {**self._polled, **self._sought}
            self.close()

    def close(self) -> None:
        """Leave the group at once, so that other members take over."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(KafkaTimeoutError):
                call_with_timeout(
                    2 * REQUEST_TIMEOUT_MS / 1000, consumer.close, autocommit=False, timeout_ms=REQUEST_TIMEOUT_MS
                )

    def _position(self, source: TopicPartition) -> int:
        return int(self._consumer.position(source, timeout_ms=REQUEST_TIMEOUT_MS) or 0)

    def _connected(self, timeout: float) -> bool:
        if self._consumer is not None:
            return True
        consumer = None
        try:
            consumer = connect_client(self._options, KafkaConsumer, self._options.consumer(self._group, timeout))
            self._attach(consumer)
        except (KafkaError, OSError, BusUnavailableError) as error:
            if consumer is not None:
                consumer.close(autocommit=False, timeout_ms=0)
            self._log_failure(str(error) or type(error).__name__)
            return False
        self._consumer = consumer
        self._apply_seeks(consumer.assignment())
        return True

    def _attach(self, consumer: Any) -> None:  # noqa: ANN401 - the client ships no types
        """Join the group; without one, read all partitions from their beginning."""
        sources = [TopicPartition(t, p) for t in self._topics for p in consumer.partitions_for_topic(t) or ()]
        missing = set(self._topics) - {source.topic for source in sources}
        if missing:
            raise BusUnavailableError(
                f"there is no topic {', '.join(sorted(missing))}; create them with `tightrope topics`"
            )
        if self._group is not None:
            consumer.subscribe(self._topics)
            self._rejoin = RejoinPatch(consumer)
            return
        consumer.assign(sources)
        consumer.seek_to_beginning(*sources)
        if not self._polled:
            self._collect_start_offsets(sources)

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
        self._committed = {source: self._position(source) for source in sources}
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
        if self._group is None:
            return None
        member = self._consumer.group_metadata()
        if member.generation_id < 0 or member.state != MemberState.STABLE:
            return None
        return member.generation_id, frozenset(self._consumer.assignment())

    def _logical(self, source: TopicPartition) -> LogPartition:
        return source.topic.removeprefix(self._options.prefix), source.partition

    def _log_failure(self, text: str) -> None:
        if time.monotonic() - self._logged_at > ERROR_LOG_SECONDS:
            self._logged_at = time.monotonic()
            log.warning("Kafka: %s", text)


def _offsets(request: Callable[..., Offsets], sources: list[TopicPartition]) -> Offsets:
    """The offsets that a request of the client returns for these partitions."""
    return call_with_timeout(2 * REQUEST_TIMEOUT_MS / 1000, request, sources, timeout_ms=REQUEST_TIMEOUT_MS)


def to_record(message: Any, options: KafkaOptions) -> Record:  # noqa: ANN401 - the client ships no types
    """A message of the client as a record."""
    key = None if message.key is None else message.key.decode("utf-8", "replace")
    topic = message.topic.removeprefix(options.prefix)
    return Record(topic, message.partition, message.offset, key, message.value or b"", message.timestamp / 1000)
