"""The audit trail in the state file: it grows for years, so the oldest events go, if the configuration says so.

How it works. `kept_events` has the number of the newest event of each kind in each scope, and of the newest event that
moved a scope's mode: they explain what stands now, and never go.
"""

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.chain import LinkedEvent
from tightrope.service.adapters.sqlite.event_chain import EventChain
from tightrope.service.adapters.sqlite.transactions import transaction

log = logging.getLogger(__name__)

EVENT_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_model ON events (model, seq);
CREATE TABLE IF NOT EXISTS kept_events (
    model TEXT, scope TEXT, kind TEXT, seq INTEGER NOT NULL, PRIMARY KEY (model, scope, kind)
) WITHOUT ROWID;
"""
MOVED = ""
"""In place of a kind: the newest event that moved the mode."""

EARLIER = """
INSERT INTO kept_events SELECT model, json_extract(body, '$.scope'), {kind}, max(seq)
    FROM events WHERE seq > ? AND json_valid(body) AND {moved} GROUP BY 1, 2, 3
    ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)
"""
KEEP_EARLIER = (
    EARLIER.format(kind="json_extract(body, '$.kind')", moved="true"),
    EARLIER.format(kind=f"'{MOVED}'", moved="json_extract(body, '$.detail.moved')"),
)
"""For the events that an older Tightrope wrote after a number."""

KEEP = """
INSERT INTO kept_events SELECT model, ?, ?, seq FROM events WHERE id = ?
    ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)
"""

ADD = """
INSERT INTO events (id, model, body) SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM events WHERE id = ?)
"""
"""An ignored conflict would use up a number, and the next event would seem to follow one that is missing."""

PRUNE_SECONDS = 60.0
"""Time between two looks for events that are too old or too many."""

PORTION_EVENTS = 500
"""Events that go in one transaction: some milliseconds."""

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class EventRetention:
    """How long events are kept: at most ``seconds``, and at most ``most`` of them (infinite: no limit). Those that go
    are written to a dated file in ``folder``, if there is one.
    """

    seconds: float = float("inf")
    most: float = float("inf")
    folder: Path | None = None


NO_RETENTION = EventRetention()


class EventPruning:
    """Deletes the oldest events, a portion at a time; ``clock`` is monotonic, ``now`` the wall clock."""

    def __init__(
        self,
        retention: EventRetention,
        chain: EventChain,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._retention = retention
        self._chain = chain
        self._clock = clock
        self._now = now
        self._next = float("-inf")

    def step(self, db: sqlite3.Connection) -> int:
        """Delete one portion, if it is time; returns the number of events. The caller has the database to itself.

        What cannot be deleted, or not be written to the file first, stays, and is tried again.
        """
        if self._clock() < self._next:
            return 0
        self._next = self._clock() + PRUNE_SECONDS
        try:
            gone = self._chain.sound(db, self._find(db))
            if gone:
                self._write(gone)
                with transaction(db) as cursor:
                    self._chain.delete(cursor, gone)
        except (OSError, sqlite3.Error) as error:
            log.warning("old events stay in the audit trail: %s", error)
            return 0
        if len(gone) >= PORTION_EVENTS:
            self._next = float("-inf")
        return len(gone)

    def _find(self, db: sqlite3.Connection) -> list[int]:
        """The oldest events that are too old or too many, but for those that are kept."""
        before, excess = self._now() - self._retention.seconds, 0
        if self._retention.most < float("inf"):
            excess = db.execute("SELECT count(*) FROM events").fetchone()[0] - int(self._retention.most)
        oldest = db.execute(
            "SELECT seq, body FROM events WHERE seq NOT IN (SELECT seq FROM kept_events) ORDER BY seq LIMIT ?",
            (PORTION_EVENTS,),
        ).fetchall()
        return [seq for index, (seq, body) in enumerate(oldest) if index < excess or json.loads(body)["time"] < before]

    def _write(self, gone: Sequence[LinkedEvent]) -> None:
        """Append events with their links to the file of the day, and wait until they are on the disk."""
        if self._retention.folder is None:
            return
        path = self._retention.folder / f"events-{datetime.fromtimestamp(self._now(), UTC):%Y%m%d}.jsonl"
        lines = [json.dumps(_exported(event)) + "\n" for event in gone]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())


def _exported(event: LinkedEvent) -> dict[str, object]:
    links = {"previous": event.previous, "link": event.link}
    return {"seq": event.number, **json.loads(event.parts[-1]), **links}


def add(cursor: sqlite3.Cursor, events: Sequence[Event]) -> None:
    """Add events, each once, inside the caller's transaction."""
    rows = [(event.id, event.model, json.dumps(asdict(event)), event.id) for event in events]
    cursor.executemany(ADD, rows)
    kept = [(event.scope, event.kind, event.id) for event in events]
    kept += [(event.scope, MOVED, event.id) for event in events if event.detail.get("moved")]
    cursor.executemany(KEEP, kept)


def keep_earlier(cursor: sqlite3.Cursor) -> None:
    """Note which events of an older Tightrope are kept, inside the caller's transaction: this one notes each as it is
    added.
    """
    known, last = (cursor.execute(f"SELECT max(seq) FROM {name}").fetchone()[0] for name in ("kept_events", "events"))  # noqa: S608 - our names
    if (last or 0) > (known or 0):
        for statement in KEEP_EARLIER:
            cursor.execute(statement, (known or 0,))


AFTER = "SELECT seq, body FROM events WHERE seq > ? AND (? IS NULL OR model = ?) ORDER BY seq LIMIT ?"
LATEST = "SELECT seq, body FROM events WHERE seq < ? AND (? IS NULL OR model = ?) ORDER BY seq DESC LIMIT ?"


def read(db: sqlite3.Connection, query: str, bound: int, model: str | None, limit: int) -> list[tuple[int, Event]]:
    """The events that ``query``, `AFTER` or `LATEST`, finds beyond or below a number."""
    rows = db.execute(query, (bound, model, model, limit)).fetchall()
    return [(seq, Event(**json.loads(body))) for seq, body in rows]
