"""The audit trail of the embedded store: events are redacted, numbered and linked in the transaction of the state."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.chain import StoredChain
from tightrope.service.adapters.audit.redaction import redacted
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.ports import NO_BOUND
from tightrope.service.adapters.sqlite import event_table
from tightrope.service.adapters.sqlite.erasure import ErasableStore
from tightrope.service.adapters.sqlite.event_chain import EventChain, chain_portion
from tightrope.service.adapters.sqlite.transactions import transaction


class StoredTrail(ErasableStore):
    """The part of a store that holds it; implements `ports.AuditTrail`."""

    _chain: EventChain

    def redacted(self, events: Sequence[Event]) -> Sequence[Event]:
        """The events as they are saved."""
        return redacted(events, self._chain.keys)

    def add_events(self, events: Sequence[Event]) -> None:
        """Add events, in a transaction of their own."""
        with self._lock, transaction(self._db) as cursor:
            self._add_events(cursor, events)

    @property
    def audit_keys(self) -> AuditKeys:
        """The keys that sign the chain of events."""
        return self._chain.keys

    def chain_portion(self, after: int, most: int) -> StoredChain:
        """At most ``most`` events of the chain beyond a number, and all its seals."""
        with self._lock, closing(self._db.cursor()) as cursor:
            return chain_portion(cursor, after, most)

    def sign_head(self) -> None:
        """Sign the head of the chain anew: its time tells that the chain is kept. Where the disk refuses, it stays."""
        with suppress(sqlite3.Error), self._lock, transaction(self._db) as cursor:
            self._chain.sign_head(cursor)

    def _add_events(self, cursor: sqlite3.Cursor, events: Sequence[Event]) -> None:
        """Add events inside the caller's transaction."""
        event_table.add(cursor, self.redacted(events))
        self._chain.extend(cursor)

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Events with a sequence number beyond ``after``, oldest first."""
        with self._lock:
            return event_table.read(self._db, event_table.AFTER, after, model, limit)

    def seq_of(self, event: str) -> int | None:
        """The sequence number of the event with this id; None if it is not here, or cannot be read now."""
        with self._lock, suppress(sqlite3.Error):
            found = self._db.execute("SELECT seq FROM events WHERE id = ?", (event,)).fetchone()
            return found[0] if found else None
        return None

    def latest_events(
        self, model: str | None = None, before: int = NO_BOUND, limit: int = 100
    ) -> list[tuple[int, Event]]:
        """Events with a sequence number below ``before``, newest first."""
        with self._lock:
            return event_table.read(self._db, event_table.LATEST, before, model, limit)
