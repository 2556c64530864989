"""Rows that were drawn for a label and have none yet, oldest first."""

import sqlite3
import threading
from collections.abc import Iterator

from tightrope.monitors.label_records import PendingRow
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.sqlite.input_journal import InputJournal
from tightrope.service.adapters.sqlite.pending_labels import row_from_body

MAX_ROWS_READ = 50_000
"""Rows that are read for one list: with few disagreements a list ends before its limit, and the next one goes on once
these rows have their labels.
"""


class RowsToLabel:
    """The part of a store that lists them; see `rows_to_label`."""

    _db: sqlite3.Connection
    _lock: threading.Lock
    _journal: InputJournal

    def rows_to_label(self, model: str, draw: LabelDraw, limit: int) -> list[PendingRow]:
        """At most ``limit`` rows of a model that were drawn and wait for their label, oldest first."""
        with self._lock:
            changes = self._journal.pending(model)
            joined = {key for change in changes for key in change.joined}
            put_off = {key: row for change in changes for key, row in change.held.items()}
            rows = {row.key: row for row in _stored(self._db, model, draw, limit + len(joined))}
        waiting = put_off | rows
        found = [row for key, row in waiting.items() if key not in joined and not row.joined and _is_drawn(row, draw)]
        return sorted(found, key=lambda row: (row.time, row.key))[:limit]


def _stored(db: sqlite3.Connection, model: str, draw: LabelDraw, limit: int) -> Iterator[PendingRow]:
    query = "SELECT id, row, time, joined, body FROM held WHERE model = ? AND joined = 0 ORDER BY time LIMIT ?"
    for name, number, *columns in db.execute(query, (model, MAX_ROWS_READ)):
        row = row_from_body(name, number, *columns)
        if _is_drawn(row, draw):
            yield row
            limit -= 1
        if limit <= 0:
            return


def _is_drawn(row: PendingRow, draw: LabelDraw) -> bool:
    """Whether a label of this row counts with its probability: of a disagreement, the rows before it are known."""
    return bool(draw.of_waiting([row]).drawn[0]) and (bool(row.agreed) or not row.disagree)
