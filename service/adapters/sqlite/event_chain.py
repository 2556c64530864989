"""The hash chain of the events in the state file: each event has a link, the newest has the head.

How it works. Links and seals are written in the transaction of the events. The program compares what it finds with the
head at each start, and with what it wrote last before each event, so that events which something else changed are never
taken over in silence: a seal `break` says so. Retention deletes only events whose links hold, and leaves a seal.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from tightrope.service.adapters.audit.chain import ORIGIN, LinkedEvent, StoredChain, link_of
from tightrope.service.adapters.audit.redaction import redacted_body
from tightrope.service.adapters.audit.seals import AuditKeys, Seal, SealError, SealKind, decode_seal, encode_seal
from tightrope.service.adapters.sqlite.state_file import StoreError

log = logging.getLogger(__name__)

CHAIN_TABLES = """
CREATE TABLE IF NOT EXISTS event_chain (seq INTEGER PRIMARY KEY, previous TEXT NOT NULL, link TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chain_seals (
    kind TEXT, first INTEGER, body TEXT NOT NULL, PRIMARY KEY (kind, first)
) WITHOUT ROWID;
"""
CHAINED = """
SELECT seq, CAST(id AS BLOB), CAST(model AS BLOB), CAST(body AS BLOB), coalesce(previous, ''), coalesce(link, '')
    FROM events LEFT JOIN event_chain USING (seq) {where} ORDER BY seq {limit}
"""
NEWEST_LINK = "SELECT seq, link FROM event_chain ORDER BY seq DESC LIMIT 1"

BUSY_SECONDS = 5.0
"""Time for which a reader waits for a writer."""


class EventChain:
    """Links the events of one state file; the caller has the database to itself. ``now`` is the wall clock."""

    def __init__(self, keys: AuditKeys, now: Callable[[], float] = time.time) -> None:
        self.keys = keys
        self._now = now
        self._known: set[tuple[int, str]] | None = None

    def adopt(self, cursor: sqlite3.Cursor) -> None:
        """Compare the chain with its head, and link the events that have no link, as those of an older Tightrope. To be
        called once, at the start.
        """
        seals = list(_seals(cursor))
        newest, head = _newest(cursor), StoredChain((), seals).head
        self._renew_signatures(cursor, seals)
        is_first = not seals and newest == (0, ORIGIN)
        if not is_first and not self._is_at_head(head, newest):
            self._note_break(cursor, head.last if head else 0, head.link if head else ORIGIN, newest)
        if found := self._link(cursor, redact=True):
            self._write(cursor, Seal(SealKind.FOUND, found[0], found[-1], newest[1], _newest(cursor)[1], self._now()))
        if found or not is_first:
            self._write_head(cursor)
        self._known = {_newest(cursor)}

    def _is_at_head(self, head: Seal | None, newest: tuple[int, str]) -> bool:
        if head is None or not (self.keys.has_signed(head) or self.keys.has_authenticated(head)):
            return False
        return (head.last, head.link) == newest

    def extend(self, cursor: sqlite3.Cursor) -> None:
        """Link the events that were just added, and sign the head, inside the caller's transaction."""
        before = _newest(cursor)
        if self._known is not None and before not in self._known:
            number, link = max(self._known)
            self._note_break(cursor, number, link, before)
        if self._link(cursor, redact=False):
            self._write_head(cursor)
        self._known = {before, _newest(cursor)}  # the transaction may be rolled back

    def sign_head(self, cursor: sqlite3.Cursor) -> None:
        """Sign the head anew, so that its time tells that the chain is still kept, inside the caller's transaction."""
        newest = _newest(cursor)
        if self._known is not None and newest not in self._known:
            number, link = max(self._known)
            self._note_break(cursor, number, link, newest)
        if newest != (0, ORIGIN):
            self._write_head(cursor)
        self._known = {newest}

    def _link(self, cursor: sqlite3.Cursor, *, redact: bool) -> list[int]:
        """Link the events after the newest that is linked; returns their numbers."""
        newest, link = _newest(cursor)
        found = list(_events(cursor, "WHERE seq > ?", newest))
        for event in found:
            if event.number > newest + 1:  # deleted by an older Tightrope
                self._write(cursor, Seal(SealKind.GONE, newest + 1, event.number - 1, link, link, self._now()))
            parts = self._redact(cursor, event) if redact else event.parts
            before, link, newest = link, link_of(link, event.number, parts), event.number
            cursor.execute("INSERT INTO event_chain VALUES (?, ?, ?)", (event.number, before, link))
        return [event.number for event in found]

    def _redact(self, cursor: sqlite3.Cursor, event: LinkedEvent) -> Sequence[bytes]:
        """Replace the request id that an older Tightrope wrote into an event by its digest."""
        body = redacted_body(event.parts[-1], self.keys)
        if body != event.parts[-1]:
            cursor.execute("UPDATE events SET body = ? WHERE seq = ?", (body.decode(), event.number))
        return [*event.parts[:-1], body]

    def sound(self, db: sqlite3.Connection, numbers: Sequence[int]) -> list[LinkedEvent]:
        """Those of the events whose links are those of their contents. The others must stay, to be found."""
        if not numbers:
            return []
        wanted = set(numbers)
        with closing(db.cursor()) as cursor:
            events = _events(cursor, "WHERE seq BETWEEN ? AND ?", min(numbers), max(numbers))
            return [event for event in events if event.number in wanted and event.is_sound]

    def delete(self, cursor: sqlite3.Cursor, events: Sequence[LinkedEvent]) -> None:
        """Delete events, and leave a signed seal in the place of each run of them."""
        numbers = [(event.number,) for event in events]
        cursor.executemany("DELETE FROM events WHERE seq = ?", numbers)
        cursor.executemany("DELETE FROM event_chain WHERE seq = ?", numbers)
        before = [seal for seal in _seals(cursor) if seal.kind is SealKind.GONE and self.keys.has_signed(seal)]
        after = _joined([*before, *(_gone(event, self._now()) for event in events)])
        cursor.executemany("DELETE FROM chain_seals WHERE kind = 'gone' AND first = ?", [(s.first,) for s in before])
        for seal in after:
            self._write(cursor, seal)

    def _renew_signatures(self, cursor: sqlite3.Cursor, seals: Iterable[Seal]) -> None:
        """Sign with the Ed25519 key what was signed by HMAC, before one was configured."""
        for seal in seals:
            if not self.keys.has_signed(seal) and self.keys.has_authenticated(seal):
                self._write(cursor, seal)

    def _note_break(self, cursor: sqlite3.Cursor, number: int, link: str, found: tuple[int, str]) -> None:
        log.error(
            "the audit trail was changed by something else: event %d was the newest, and now %d is, or it differs; "
            "`tightrope audit verify` tells more",
            number,
            found[0],
        )
        self._write(cursor, Seal(SealKind.BREAK, number, found[0], link, found[1], self._now()))

    def _write_head(self, cursor: sqlite3.Cursor) -> None:
        number, link = _newest(cursor)
        cursor.execute("DELETE FROM chain_seals WHERE kind = 'head'")
        self._write(cursor, Seal(SealKind.HEAD, 1, number, ORIGIN, link, self._now()))

    def _write(self, cursor: sqlite3.Cursor, seal: Seal) -> None:
        row = (str(seal.kind), seal.first, encode_seal(self.keys.sign(seal)))
        cursor.execute("INSERT OR REPLACE INTO chain_seals VALUES (?, ?, ?)", row)


def _gone(event: LinkedEvent, now: float) -> Seal:
    return Seal(SealKind.GONE, event.number, event.number, event.previous, event.link, now)


def _joined(seals: Iterable[Seal]) -> list[Seal]:
    """Seals of adjacent events as one, where the links agree."""
    joined: list[Seal] = []
    for seal in sorted(seals, key=lambda seal: seal.first):
        if joined and joined[-1].last + 1 == seal.first and joined[-1].link == seal.previous:
            joined[-1] = replace(joined[-1], last=seal.last, link=seal.link, time=max(joined[-1].time, seal.time))
        else:
            joined.append(seal)
    return joined


def _newest(cursor: sqlite3.Cursor) -> tuple[int, str]:
    """The number and link of the newest linked event; without one those before the first event."""
    number, link = cursor.execute(NEWEST_LINK).fetchone() or (0, ORIGIN)
    try:
        bytes.fromhex(link)
    except (TypeError, ValueError):  # changed by something else, and told as a break
        link = ORIGIN
    return number, link


def _events(cursor: sqlite3.Cursor, where: str = "", *values: object, limit: str = "") -> Iterator[LinkedEvent]:
    query = CHAINED.format(where=where, limit=limit)
    for number, id_, model, body, previous, link in cursor.execute(query, values):
        yield LinkedEvent(number, (id_, model, body), str(previous), str(link))


def _seals(cursor: sqlite3.Cursor) -> Iterator[Seal]:
    """All seals that can be read; one that cannot is missed where it stood."""
    for (body,) in cursor.execute("SELECT CAST(body AS BLOB) FROM chain_seals ORDER BY kind, first").fetchall():
        try:
            yield decode_seal(json.loads(body))
        except (SealError, ValueError) as error:
            log.warning("a seal of the audit trail cannot be read: %s", error)


def chain_portion(cursor: sqlite3.Cursor, after: int, most: int) -> StoredChain:
    """At most ``most`` events beyond a number, and all seals; the caller has the database to itself."""
    events = list(_events(cursor, "WHERE seq > ?", after, most, limit="LIMIT ?"))
    return StoredChain(events, list(_seals(cursor)))


def read_chain(path: Path) -> StoredChain:
    """The chain in a state file, which another process may write meanwhile.

    Raises:
        StoreError: when the file cannot be read.
    """
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        db = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        with closing(db), closing(db.cursor()) as cursor:
            cursor.execute("BEGIN")  # events and seals of one moment
            return StoredChain(list(_events(cursor)), list(_seals(cursor)))
    except sqlite3.Error as error:
        raise StoreError(f"{path}: the audit trail cannot be read: {error}") from error
