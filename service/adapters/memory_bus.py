"""The embedded bus: logs in this process's memory with one partition each, under the same contract as Kafka's."""

import threading
import time
import uuid
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import islice

from tightrope.service.adapters.ports import BusFullError, LogPartition, Record, StartOffsets
from tightrope.service.adapters.topics import COMPACTED

DEFAULT_TOPIC_BYTES = 256 * 1024 * 1024
"""Bytes that one topic may hold before publishers are refused: minutes of samples, a fraction of a machine."""

COMPACTION_LAG_RECORDS = 1_000
"""Newest records of a compacted topic that are never compacted: a reader without a group that is a moment behind misses
no confirmation that a caller waits for.
"""

MAX_UNREAD_RECORDS = 10_000
"""Records kept in a topic that no group reads; fewer when they exceed the topic's bytes."""


class _TopicLog:
    """One topic: the records from offset ``start`` on, and the committed offset of each group.

    A compacted topic also keeps the latest trimmed record of every key, so that a late reader gets the present state.
    """

    def __init__(self, capacity: int, *, compacted: bool) -> None:
        self.records: deque[Record] = deque()
        self.latest: dict[str | None, Record] = {}
        self.capacity = capacity
        self.compacted = compacted
        self.start = 0
        self.size = 0
        self.committed: dict[str, int] = {}

    @property
    def end(self) -> int:
        return self.start + len(self.records)

    def is_full(self, size: int) -> bool:
        """Whether a group is too far behind for ``size`` more bytes; an empty log takes a record of any size."""
        return bool(self.committed and self.records) and self.size + size > self.capacity

    def append(self, record: Record) -> None:
        self.records.append(record)
        self.size += len(record.value)

    def trim(self, uncompacted: int = COMPACTION_LAG_RECORDS) -> None:
        """Drop the records that every group has committed; without groups, the oldest beyond the limits."""
        keep_from = min(self.committed.values()) if self.committed else self.end - MAX_UNREAD_RECORDS
        if self.compacted:
            keep_from = min(keep_from, self.end - uncompacted)
        while self.records and (self.start < keep_from or self._unread_and_too_large):
            record = self.records.popleft()
            self.size -= len(record.value)
            self.start += 1
            if self.compacted:
                self.latest[record.key] = record

    @property
    def _unread_and_too_large(self) -> bool:
        return not self.committed and self.size > self.capacity and len(self.records) > 1

    def read(self, position: int, limit: int) -> list[Record]:
        """At most ``limit`` of the kept records from ``position`` on."""
        old = sorted(r for r in self.latest.values() if position <= r.offset < self.start) if self.compacted else []
        first = max(position - self.start, 0)
        return [*old, *islice(self.records, first, first + limit)][:limit]

    def count_from(self, position: int) -> int:
        """The number of kept records from ``position`` on."""
        return max(self.end - max(position, self.start), 0) + sum(r.offset >= position for r in self.latest.values())


class MemoryBus:
    """Implements `ports.Bus`. Safe to share between threads."""

    def __init__(self, capacity: int = DEFAULT_TOPIC_BYTES, compacted: Container[str] = COMPACTED) -> None:
        self.log = uuid.uuid4().hex
        self._capacity = capacity
        self._compacted = compacted
        self._logs: dict[str, _TopicLog] = {}
        self._changed = threading.Condition()

    def generation(self, *topics: str) -> int:
        """Always 0: no topic ends before this bus."""
        del topics
        return 0

    def identities(self, topics: Sequence[str]) -> dict[str, str]:
        """The id of this bus, for all topics."""
        return dict.fromkeys(topics, self.log)

    def ends(self, topics: Sequence[str]) -> dict[LogPartition, int]:
        """The offset after the last record of each topic."""
        with self._changed:
            return {(name, 0): self._log(name).end for name in topics}

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Append a record, and wake the readers."""
        with self._changed:
            log = self._log(topic)
            if log.is_full(len(value)):
                log.trim(uncompacted=0)
            if log.is_full(len(value)):
                raise BusFullError(
                    f"topic {topic} holds {log.size} bytes of at most {self._capacity}: its readers are behind"
                )
            log.append(Record(topic, 0, log.end, key, value))
            log.trim()
            self._changed.notify_all()

    def flush(self, timeout: float) -> None:
        """Return at once: published records are in memory already."""

    def subscribe(
        self, *topics: str, group: str | None = None, start_offsets: StartOffsets | None = None
    ) -> "MemorySubscription":
        """Read topics. A new group starts at the oldest record; its unread records stay in memory."""
        with self._changed:
            for topic in topics:
                log = self._log(topic)
                if group is not None:
                    log.committed.setdefault(group, log.start)
            logs = {topic: self._logs[topic] for topic in topics}
        subscription = MemorySubscription(logs, self._changed, group)
        offsets = start_offsets([(topic, 0) for topic in topics]) if start_offsets else {}
        for (topic, partition), offset in offsets.items():
            subscription.seek(topic, partition, offset)
        return subscription

    def replay(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """All kept records before ``until``: this log has no clock."""
        del partition, since
        with self._changed:
            kept = [record for record in self._log(topic).records if record.offset < until]
        return iter([kept] if kept else [])

    def partition(self, topic: str, key: str) -> int:  # noqa: ARG002 - there is only one
        """The only partition, 0."""
        return 0

    def _log(self, topic: str) -> _TopicLog:
        return self._logs.setdefault(topic, _TopicLog(self._capacity, compacted=topic in self._compacted))


class MemorySubscription:
    """Implements `ports.Subscription`."""

    def __init__(self, logs: dict[str, _TopicLog], changed: threading.Condition, group: str | None) -> None:
        self._logs = logs
        self._changed = changed
        self._group = group
        self._next = {t: log.committed[group] if group is not None else 0 for t, log in logs.items()}

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records of all topics, topic by topic, each in order."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self.lag():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            return list(self._read(limit))

    def _read(self, limit: int) -> Iterable[Record]:
        for topic, log in self._logs.items():
            records = log.read(self._next[topic], limit)
            if records:
                self._next[topic] = records[-1].offset + 1
            limit -= len(records)
            yield from records

    def commit(self) -> None:
        """Commit the polled records, and drop those that no other group needs."""
        if self._group is None:
            return
        with self._changed:
            for topic, log in self._logs.items():
                log.committed[self._group] = self._next[topic]
                log.trim()

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue from ``offset`` of partition 0."""
        if partition:
            raise ValueError(f"topic {topic} has only partition 0, not {partition}")
        self._next[topic] = offset

    def lag(self) -> int:
        """Records not polled yet, over all topics."""
        return sum(log.count_from(self._next[topic]) for topic, log in self._logs.items())

    def owns_partitions(self) -> bool:
        """Always: no other process reads these logs."""
        return True

    def close(self) -> None:
        """Do nothing: the group keeps its offsets."""
