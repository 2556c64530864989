"""A bus and a store that raise at a chosen operation, as if the process had been killed there."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import (
    Bus,
    JudgedInputs,
    LogPartition,
    LogReset,
    OverduePortion,
    PendingChanges,
    Record,
    StartOffsets,
    Store,
    Subscription,
)


class KilledError(Exception):
    """The injected crash."""


class Fuse:
    """Counts down with each operation, before and after it; at zero, the next operation raises `KilledError`."""

    def __init__(self, length: float) -> None:
        self.length = length

    def burn(self) -> None:
        """Count down, or raise `KilledError` at zero."""
        if self.length <= 0:
            raise KilledError
        self.length -= 1


class FusedBus:
    """A bus whose publish, flush, poll and commit may crash."""

    def __init__(self, bus: Bus, fuse: Fuse) -> None:
        self._bus = bus
        self._fuse = fuse
        self.log = bus.log

    def generation(self, *topics: str) -> int:
        """Never crash."""
        return self._bus.generation(*topics)

    def identities(self, topics: Sequence[str]) -> Mapping[str, str]:
        """Never crash."""
        return self._bus.identities(topics)

    def ends(self, topics: Sequence[str]) -> Mapping[LogPartition, int]:
        """Never crash."""
        return self._bus.ends(topics)

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Crash before or right after the record is published."""
        self._fuse.burn()
        self._bus.publish(topic, value, key)
        self._fuse.burn()

    def flush(self, timeout: float) -> None:
        """Crash before the flush."""
        self._fuse.burn()
        self._bus.flush(timeout)

    def subscribe(
        self, *topics: str, group: str | None = None, start_offsets: StartOffsets | None = None
    ) -> Subscription:
        """Return a subscription with the same fuse."""
        return FusedSubscription(self._bus.subscribe(*topics, group=group, start_offsets=start_offsets), self._fuse)

    def replay(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """Never crash."""
        return self._bus.replay(topic, partition, since, until)

    def partition(self, topic: str, key: str) -> int:
        """Never crash."""
        return self._bus.partition(topic, key)


class FusedSubscription:
    """A subscription that may crash."""

    def __init__(self, records: Subscription, fuse: Fuse) -> None:
        self._records = records
        self._fuse = fuse

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """Crash after records were polled."""
        found = self._records.poll(limit, timeout)
        if found:
            self._fuse.burn()
        return found

    def commit(self) -> None:
        """Crash before or right after the commit."""
        self._fuse.burn()
        self._records.commit()
        self._fuse.burn()

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Never crash."""
        self._records.seek(topic, partition, offset)

    def lag(self) -> int:
        """Never crash."""
        return self._records.lag()

    def owns_partitions(self) -> bool:
        """Never crash."""
        return self._records.owns_partitions()

    def close(self) -> None:
        """Never crash."""
        self._records.close()


class FusedStore:
    """A store whose `save` may crash."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def save(
        self,
        log: str,
        positions: Mapping[tuple[str, int], int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, PendingChanges] | None = None,
        inputs: JudgedInputs | None = None,
    ) -> None:
        """Crash before or right after the transaction."""
        self._fuse.burn()
        self._store.save(log, positions, snapshots, events, pending, inputs)
        self._fuse.burn()

    def redacted(self, events: Sequence[Event]) -> Sequence[Event]:
        """Never crash."""
        return self._store.redacted(events)

    def snapshot(self, model: str) -> bytes | None:
        """Never crash."""
        return self._store.snapshot(model)

    def lost(self, model: str) -> str:
        """Never crash."""
        return self._store.lost(model)

    def resets(self, model: str) -> Sequence[LogReset]:
        """Never crash."""
        return self._store.resets(model)

    def published_epoch(self, model: str) -> int:
        """Never crash."""
        return self._store.published_epoch(model)

    def set_aside(self, model: str, name: str) -> None:
        """Never crash."""
        self._store.set_aside(model, name)

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[LogPartition, int]]:
        """Never crash."""
        return self._store.positions(log, models)

    def judged_inputs(self, model: str) -> Iterable[JudgedInputs]:
        """Never crash."""
        return self._store.judged_inputs(model)

    def take_over(self, model: str, snapshots: Mapping[str, bytes], pending: Mapping[str, PendingChanges]) -> None:
        """Never crash."""
        self._store.take_over(model, snapshots, pending)

    def flush_deferred(self, still_owned: Callable[[], bool]) -> None:
        """Never crash."""
        self._store.flush_deferred(still_owned)

    def past_records(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """Never crash."""
        return self._store.past_records(model, name, since)

    def pending_rows(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, PendingRow]:
        """Never crash."""
        return self._store.pending_rows(model, keys)

    def pending_labels(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, Label]:
        """Never crash."""
        return self._store.pending_labels(model, keys)

    def given_up(self, model: str, keys: Collection[RowKey]) -> set[RowKey]:
        """Never crash."""
        return self._store.given_up(model, keys)

    def overdue_portion(self, model: str, before: float, latest: float, size: int) -> OverduePortion | None:
        """Never crash."""
        return self._store.overdue_portion(model, before, latest, size)

    def count_overdue(self, model: str, before: float) -> tuple[int, int]:
        """Never crash."""
        return self._store.count_overdue(model, before)
