"""A bus and a store that fail at a chosen moment, as if the process had been killed there."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from tightrope.monitors.records import Event, Held, Label
from tightrope.service.adapters.ports import Begin, Bus, Changes, Key, Place, Record, Store, Subscription


class KilledError(Exception):
    """The process ended here."""


class Fuse:
    """Burns down with every operation, before it and after it; the one that finds it burnt is where the process
    ends.
    """

    def __init__(self, length: float) -> None:
        self.length = length

    def burn(self) -> None:
        """One moment at which the process may end."""
        if self.length <= 0:
            raise KilledError
        self.length -= 1


class FusedBus:
    """A bus whose publishing, polling and committing burn a fuse."""

    def __init__(self, bus: Bus, fuse: Fuse) -> None:
        self._bus = bus
        self._fuse = fuse
        self.log = bus.log

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """The end may come before the record is published, or right after."""
        self._fuse.burn()
        self._bus.publish(topic, value, key)
        self._fuse.burn()

    def flush(self, timeout: float) -> None:
        """The end may come before."""
        self._fuse.burn()
        self._bus.flush(timeout)

    def subscribe(self, *topics: str, group: str | None = None, begin: Begin | None = None) -> Subscription:
        """A subscription on the same fuse."""
        return FusedSubscription(self._bus.subscribe(*topics, group=group, begin=begin), self._fuse)

    def span(self, topic: str, partition: int, since: float, until: int) -> Iterator[list[Record]]:
        """Never fails."""
        return self._bus.span(topic, partition, since, until)

    def partition(self, topic: str, key: str) -> int:
        """Never fails."""
        return self._bus.partition(topic, key)


class FusedSubscription:
    """A reader's place, on a fuse."""

    def __init__(self, records: Subscription, fuse: Fuse) -> None:
        self._records = records
        self._fuse = fuse

    def poll(self, limit: int, timeout: float) -> list[Record]:
        """The end may come with the records in hand."""
        found = self._records.poll(limit, timeout)
        if found:
            self._fuse.burn()
        return found

    def commit(self) -> None:
        """The end may come before, or right after."""
        self._fuse.burn()
        self._records.commit()
        self._fuse.burn()

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Never fails."""
        self._records.seek(topic, partition, offset)

    def lag(self) -> int:
        """Never fails."""
        return self._records.lag()

    def mine(self) -> bool:
        """Never fails."""
        return self._records.mine()

    def close(self) -> None:
        """Never fails."""
        self._records.close()


class FusedStore:
    """A store whose saving burns a fuse."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def save(
        self,
        log: str,
        positions: Mapping[tuple[str, int], int],
        snapshots: Mapping[str, bytes],
        events: Sequence[Event],
        pending: Mapping[str, Changes] | None = None,
    ) -> None:
        """The end may come before anything is saved, or after all of it is."""
        self._fuse.burn()
        self._store.save(log, positions, snapshots, events, pending)
        self._fuse.burn()

    def snapshot(self, model: str) -> bytes | None:
        """Never fails."""
        return self._store.snapshot(model)

    def positions(self, log: str, models: Sequence[str]) -> Mapping[str, Mapping[Place, int]]:
        """Never fails."""
        return self._store.positions(log, models)

    def rest(self, still: Callable[[], bool]) -> None:
        """Never fails."""
        self._store.rest(still)

    def past(self, model: str, name: str, since: float) -> Iterator[Sequence[Record]]:
        """Never fails."""
        return self._store.past(model, name, since)

    def held(self, model: str, keys: Sequence[Key]) -> dict[Key, Held]:
        """Never fails."""
        return self._store.held(model, keys)

    def waiting(self, model: str, keys: Sequence[Key]) -> dict[Key, Label]:
        """Never fails."""
        return self._store.waiting(model, keys)

    def overdue(self, model: str, before: float) -> tuple[int, int]:
        """Never fails."""
        return self._store.overdue(model, before)
