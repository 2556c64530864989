"""The rows and labels that wait for each other at a judge of a cluster: in memory, and in the log."""

from collections.abc import Callable, Collection, Mapping, Sequence

from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.service.adapters.ports import OverduePortion, PendingChanges
from tightrope.service.adapters.sqlite.store import IN_MEMORY, SqliteStore
from tightrope.service.adapters.waiting.counted_rows import CountedRows

PendingCallback = Callable[[Mapping[str, PendingChanges]], None]
"""Called with the changes of each round."""


class WaitingInMemory:
    """The part of `ports.Store` about them. ``labels`` has them, and ``on_pending`` is told of their changes."""

    def __init__(self, on_pending: PendingCallback) -> None:
        self.labels = SqliteStore(IN_MEMORY)
        self._counted, self._on_pending = CountedRows(), on_pending

    def forget_waiting(self) -> None:
        """Begin anew: they are restored from the log."""
        self.labels.close()
        self.labels = SqliteStore(IN_MEMORY)

    def save_waiting(self, log: str, pending: Mapping[str, PendingChanges]) -> None:
        """Apply the changes of a round of this log."""
        self._counted.complete(pending)
        self.labels.save(log, {}, {}, [], pending)
        self._on_pending(pending)

    def pending_rows(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, PendingRow]:
        """Compared rows by key."""
        return self.labels.pending_rows(model, keys)

    def pending_labels(self, model: str, keys: Sequence[RowKey]) -> dict[RowKey, Label]:
        """Labels without a row, by key."""
        return self.labels.pending_labels(model, keys)

    def given_up(self, model: str, keys: Collection[RowKey]) -> set[RowKey]:
        """Those of the keys whose row was given up by this process."""
        return self.labels.given_up(model, keys)

    def overdue_portion(self, model: str, before: float, latest: float, size: int) -> OverduePortion | None:
        """The oldest rows and labels with a time before ``before``, about ``size`` of them; None without any."""
        return self.labels.overdue_portion(model, before, latest, size)

    def count_overdue(self, model: str, before: float) -> tuple[int, int]:
        """The number of rows without a label, and of labels without a row, older than ``before``."""
        return self.labels.count_overdue(model, before)
