"""The alerts that stand, on disk, and the thread that tells of them: what has not been told outlives a restart.

A file of its own for everybody who is told, so that telling people never holds up the judge's state.
"""

import json
import logging
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.service.adapters.ports import Alert
from tightrope.service.adapters.sqlite.store import guarded

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL,
    since REAL NOT NULL, ends REAL, told INTEGER NOT NULL
) WITHOUT ROWID
"""


NOTHING, STANDS, ENDS = range(3)
"""What somebody has taken of an alert: nothing yet, that it stands, when it ends."""


@dataclass(frozen=True, slots=True)
class Row:
    """One alert: it stands while it has no end. ``told``: `NOTHING`, `STANDS` or `ENDS`. Times in seconds."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    since: float
    ends: float | None = None
    told: int = 0

    @property
    def key(self) -> str:
        """What makes it the same alert."""
        return json.dumps(self.labels, sort_keys=True)


class StandingAlerts:
    """All of them in one small table. Safe to share between threads, but not between processes: each would end what
    the other tells of.

    Raises:
        StoreError: when another process tells of alerts from this file.
    """

    def __init__(self, path: Path) -> None:
        self._guard = guarded(path)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(SCHEMA)

    def all(self) -> list[Row]:
        """Every alert, standing or over."""
        with self._lock:
            found = self._db.execute("SELECT labels, annotations, since, ends, told FROM alerts").fetchall()
        return [
            Row(json.loads(labels), json.loads(annotations), since, ends, told)
            for labels, annotations, since, ends, told in found
        ]

    def models(self) -> set[str]:
        """Every model that has one."""
        with self._lock:
            return {model for (model,) in self._db.execute("SELECT DISTINCT model FROM alerts")}

    def replace(self, model: str, rows: Sequence[Row], ends: float) -> bool:
        """These are the model's from now on, and the others end; whether anything is new. One that stood already
        keeps its words and its beginning.
        """
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            standing = db.execute("SELECT key FROM alerts WHERE model = ? AND ends IS NULL", (model,)).fetchall()
            before, after = {key for (key,) in standing}, {row.key: row for row in rows}
            db.executemany("UPDATE alerts SET ends = ? WHERE key = ?", [(ends, key) for key in before - set(after)])
            db.executemany(
                "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, NULL, 0)",
                [
                    (key, model, json.dumps(row.labels), json.dumps(row.annotations), row.since)
                    for key, row in after.items()
                    if key not in before
                ],
            )
        return before != set(after)

    def forget(self, kept: Collection[str]) -> None:
        """What stands for other models than these; what is over is still to be told."""
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            others = {model for (model,) in db.execute("SELECT DISTINCT model FROM alerts")} - set(kept)
            db.executemany("DELETE FROM alerts WHERE model = ? AND ends IS NULL", [(model,) for model in others])

    def told(self, rows: Sequence[Row], now: float) -> None:
        """These were taken as they are; what is over by ``now`` is forgotten. What changed meanwhile is told again."""
        over = [(row.key, row.since) for row in rows if row.ends is not None and row.ends <= now]
        others = [
            (STANDS if row.ends is None else ENDS, row.ends, row.key, row.since, row.ends is None)
            for row in rows
            if (row.key, row.since) not in over
        ]
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("DELETE FROM alerts WHERE key = ? AND since = ? AND ends IS NOT NULL", over)
            db.executemany(
                "UPDATE alerts SET told = ?, ends = ? WHERE key = ? AND since = ? AND (ends IS NULL) = ?", others
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
        self._guard.close()


AGAIN = 1.0
"""Seconds until news is told again, and again, for as long as somebody else may not have heard it yet."""

PAUSES = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before the next attempt, after the first failure in a row, the second, and so on."""


class Teller(ABC):
    """Implements `ports.Pager` for these models: what still stands for others is over.

    A thread tells when something changed, again every ``keep`` seconds (sooner for the first ``grace`` seconds), and
    with backoff while nobody listens. An alert that stands no more ends ``grace`` seconds later; ``clock`` gives
    seconds since the epoch.
    """

    def __init__(
        self, path: Path, models: Collection[str], keep: float, grace: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.rows = StandingAlerts(path)
        self.clock = clock
        self._keep = keep
        self._grace = grace
        self._changed = float("-inf")
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=path.stem, daemon=True)
        for gone in self.rows.models() - set(models):
            self.stand(gone, ())

    @abstractmethod
    def row(self, alert: Alert, now: float) -> Row | None:
        """An alert as it is kept; None where it is not told of here."""

    @abstractmethod
    def tell(self) -> bool:
        """Tell of everything that there is to tell; whether all of it was taken."""

    def stand(self, model: str, alerts: Sequence[Alert]) -> None:
        """These stand from now on."""
        now = self.clock()
        rows = [row for alert in alerts if (row := self.row(alert, now)) is not None]
        try:
            if self.rows.replace(model, rows, now + self._grace):
                self._changed = now
                self._wake.set()
        except sqlite3.Error:  # the judge goes on, and Prometheus' rule tells the same
            log.exception("%s: its alerts cannot be kept, and are not told from here", model)

    def mind(self, models: Collection[str]) -> None:
        """Another judge took the other models, and tells of them; what it does not tell any more ends by itself."""
        try:
            self.rows.forget(models)
        except sqlite3.Error:
            log.exception("alerts of models that are judged elsewhere cannot be forgotten")

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End; what has not been told yet is told after the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self.rows.close()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                taken = self.tell()
            except Exception:
                taken = False
                log.exception("alerts could not be told")
            failures = 0 if taken else failures + 1
            if not self._stopping.is_set():
                self._wake.wait(self._rest() if taken else PAUSES[min(failures, len(PAUSES)) - 1])

    def _rest(self) -> float:
        """Seconds until it is told again."""
        return min(self._keep, AGAIN) if self.clock() - self._changed < self._grace else self._keep
