"""The embedded bus: logs in this process's memory, one partition each, the same contract as Kafka's."""

import threading
import time
import uuid
from collections import deque
from collections.abc import Container, Iterable, Iterator
from itertools import islice

from tightrope.service.adapters.ports import Begin, BusFullError, Record
from tightrope.service.adapters.topics import COMPACTED

DEFAULT_CAPACITY = 256 * 1024 * 1024
"""Bytes that one topic may hold before publishers are refused: minutes of samples, a fraction of a machine."""

KEPT_WHOLE = 1_000
"""Records of a compacted topic that are kept though every group is beyond them and their keys have newer ones: a reader
without a group that is a moment behind misses none of the confirmations that somebody waits for.
"""

KEPT_UNREAD = 10_000
"""Records kept in a topic that no group reads; fewer when they fill it."""


class _Log:
    """One topic: the records from offset ``start`` on, and how far each group has got.

    A compacted one keeps, beyond what is trimmed, the latest record of every key: so a reader that comes late still
    learns the present state.
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

    def full(self, more: int) -> bool:
        """Whether a group is too far behind for so many bytes more; a record larger than all goes into an empty log."""
        return bool(self.committed and self.records) and self.size + more > self.capacity

    def append(self, record: Record) -> None:
        self.records.append(record)
        self.size += len(record.value)

    def trim(self, whole: int = KEPT_WHOLE) -> None:
        """Forget what every group has dealt with, and of what no group reads the oldest that is too much."""
        keep_from = min(self.committed.values()) if self.committed else self.end - KEPT_UNREAD
        if self.compacted:
            keep_from = min(keep_from, self.end - whole)
        while self.records and (self.start < keep_from or self._crowded):
            record = self.records.popleft()
            self.size -= len(record.value)
            self.start += 1
            if self.compacted:
                self.latest[record.key] = record

    @property
    def _crowded(self) -> bool:
        return not self.committed and self.size > self.capacity and len(self.records) > 1

    def read(self, position: int, limit: int) -> list[Record]:
        """At most ``limit`` records from ``position`` on, as far as they are kept."""
        old = sorted(r for r in self.latest.values() if position <= r.offset < self.start) if self.compacted else []
        begin = max(position - self.start, 0)
        return [*old, *islice(self.records, begin, begin + limit)][:limit]

    def kept(self, position: int) -> int:
        """How many records are kept from ``position`` on."""
        return max(self.end - max(position, self.start), 0) + sum(r.offset >= position for r in self.latest.values())


class MemoryBus:
    """Implements `ports.Bus`. Safe to share between threads."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY, compacted: Container[str] = COMPACTED) -> None:
        self.log = uuid.uuid4().hex
        self._capacity = capacity
        self._compacted = compacted
        self._logs: dict[str, _Log] = {}
        self._changed = threading.Condition()

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Append, and wake the readers."""
        with self._changed:
            log = self._log(topic)
            if log.full(len(value)):
                log.trim(whole=0)
            if log.full(len(value)):
                raise BusFullError(
                    f"topic {topic} holds {log.size} bytes of at most {self._capacity}: its readers are behind"
                )
            log.append(Record(topic, 0, log.end, key, value))
            log.trim()
            self._changed.notify_all()

    def flush(self, timeout: float) -> None:
        """Nothing to wait for: what was published is in memory already."""

    def subscribe(self, *topics: str, group: str | None = None, begin: Begin | None = None) -> "MemorySubscription":
        """Read topics. A group that is new starts at the oldest record, and holds what it has not read in memory."""
        with self._changed:
            for topic in topics:
                log = self._log(topic)
                if group is not None:
                    log.committed.setdefault(group, log.start)
            logs = {topic: self._logs[topic] for topic in topics}
        subscription = MemorySubscription(logs, self._changed, group)
        for (topic, partition), offset in begin([(topic, 0) for topic in topics]).items() if begin else ():
            subscription.seek(topic, partition, offset)
        return subscription

    def span(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """All that is kept: this log has no clock."""
        del partition, since
        with self._changed:
            kept = [record for record in self._log(topic).records if record.offset < until]
        return iter([kept] if kept else [])

    def partition(self, topic: str, key: str) -> int:  # noqa: ARG002 - there is only one
        """The one there is."""
        return 0

    def _log(self, topic: str) -> _Log:
        return self._logs.setdefault(topic, _Log(self._capacity, compacted=topic in self._compacted))


class MemorySubscription:
    """Implements `ports.Subscription`."""

    def __init__(self, logs: dict[str, _Log], changed: threading.Condition, group: str | None) -> None:
        self._logs = logs
        self._changed = changed
        self._group = group
        self._next = {t: log.committed[group] if group is not None else 0 for t, log in logs.items()}

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The next records of all topics, in the order of each."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self.lag():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            return list(self._take(limit))

    def _take(self, limit: int) -> Iterable[Record]:
        for topic, log in self._logs.items():
            taken = log.read(self._next[topic], limit)
            if taken:
                self._next[topic] = taken[-1].offset + 1
            limit -= len(taken)
            yield from taken

    def commit(self) -> None:
        """Let go of what was polled."""
        if self._group is None:
            return
        with self._changed:
            for topic, log in self._logs.items():
                log.committed[self._group] = self._next[topic]
                log.trim()

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on from ``offset``; there is one partition, 0."""
        if partition:
            raise ValueError(f"topic {topic} has only partition 0, not {partition}")
        self._next[topic] = offset

    def lag(self) -> int:
        """Records not polled yet, over all topics."""
        return sum(log.kept(self._next[topic]) for topic, log in self._logs.items())

    def mine(self) -> bool:
        """Nobody else reads for this process."""
        return True

    def close(self) -> None:
        """The group keeps its place."""
