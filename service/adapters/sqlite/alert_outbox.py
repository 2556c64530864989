"""Active alerts on disk, and the thread that sends them: unsent alerts survive a restart.

Each receiver has a file of its own, so that sending alerts never delays the judge's state.
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
from typing import TextIO

from tightrope.monitors.elapsed import elapsed, not_after
from tightrope.service.adapters.ports import LABEL_ANNOTATION, Alert
from tightrope.service.adapters.sqlite.state_file import NoLocksError, lock_state, move_aside

log = logging.getLogger(__name__)

ALERTS_TABLE = """
CREATE TABLE IF NOT EXISTS alerts (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL,
    since REAL NOT NULL, ends REAL, told INTEGER NOT NULL
) WITHOUT ROWID
"""

CHANGING_LABELS = {"severity", "actor"}
"""Labels that an alert keeps as they were when it began: its share of the requests may change, and after a restart its
actor is not known.
"""

NOT_SENT, START_SENT, END_SENT = range(3)
"""How much of an alert a receiver has accepted; the values of the column ``told``."""


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One alert, active while it has no end. ``sent`` is `NOT_SENT`, `START_SENT` or `END_SENT`. Times in seconds."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    since: float
    ends: float | None = None
    sent: int = NOT_SENT

    @property
    def key(self) -> str:
        """The alert's key in its table: its labels."""
        return json.dumps(self.labels, sort_keys=True)

    @property
    def identity(self) -> frozenset[tuple[str, str]]:
        """The labels that tell it from other alerts."""
        return frozenset((name, value) for name, value in self.labels.items() if name not in CHANGING_LABELS)


class AlertTable:
    """All alerts in one small table. Safe to share between threads, but not between processes: each would end the
    alerts of the other.

    A file that cannot be read is moved aside: the judge sets its alerts anew. Without locks or space on disk the table
    is in memory.

    Raises:
        StoreError: when another process uses this file.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._file_lock: TextIO | None = lock_state(path)
        except NoLocksError as error:
            log.warning("%s; alerts are kept in memory", error)
            self._file_lock, path = None, Path(":memory:")
        try:
            self._db = _opened(path)
        except sqlite3.Error as error:
            log.warning("%s cannot be read and is moved to %s: %s", path, move_aside(path, time.time()).name, error)
            self._db = _opened_or_in_memory(path)

    def all(self) -> list[StoredAlert]:
        """Every alert, active or over."""
        with self._lock:
            rows = self._db.execute("SELECT labels, annotations, since, ends, told FROM alerts").fetchall()
        return [
            StoredAlert(json.loads(labels), json.loads(annotations), since, ends, sent)
            for labels, annotations, since, ends, sent in rows
        ]

    def models(self) -> set[str]:
        """Every model with an alert."""
        with self._lock:
            return {model for (model,) in self._db.execute("SELECT DISTINCT model FROM alerts")}

    def replace(self, model: str, rows: Sequence[StoredAlert], ends: float) -> bool:
        """Make these the active alerts of a model; the others end at ``ends``. Returns whether any is new or gone.

        An alert that is active already keeps its start, its `CHANGING_LABELS` and its texts, but for that about
        labelled rows: the next repeat of it has the new one.
        """
        new = {row.identity: row for row in rows}
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            before = {
                StoredAlert(json.loads(key), {}, 0.0).identity: key
                for (key,) in db.execute("SELECT key FROM alerts WHERE model = ? AND ends IS NULL", (model,)).fetchall()
            }
            over = [(ends, key) for identity, key in before.items() if identity not in new]
            db.executemany("UPDATE alerts SET ends = ? WHERE key = ?", over)
            db.executemany(
                "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, NULL, 0)",
                [
                    (row.key, model, json.dumps(row.labels), json.dumps(row.annotations), row.since)
                    for identity, row in new.items()
                    if identity not in before
                ],
            )
            db.executemany(
                "UPDATE alerts SET annotations = json_set(annotations, ?, ?) WHERE key = ?",
                [
                    (f"$.{LABEL_ANNOTATION}", row.annotations[LABEL_ANNOTATION], before[identity])
                    for identity, row in new.items()
                    if identity in before and LABEL_ANNOTATION in row.annotations
                ],
            )
        return set(before) != set(new)

    def keep_models(self, kept: Collection[str]) -> None:
        """Delete the active alerts of all other models; those that are over are still to be sent."""
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            others = {model for (model,) in db.execute("SELECT DISTINCT model FROM alerts")} - set(kept)
            db.executemany("DELETE FROM alerts WHERE model = ? AND ends IS NULL", [(model,) for model in others])

    def mark_sent(self, rows: Sequence[StoredAlert], now: float) -> None:
        """Note that these were accepted as given, and delete those that are over by ``now``. An alert that changed
        meanwhile is sent again.
        """
        over = [(row.key, row.since) for row in rows if row.ends is not None and row.ends <= now]
        others = [
            (START_SENT if row.ends is None else END_SENT, row.ends, row.key, row.since, row.ends is None)
            for row in rows
            if (row.key, row.since) not in over
        ]
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("DELETE FROM alerts WHERE key = ? AND since = ? AND ends IS NOT NULL", over)
            db.executemany(
                "UPDATE alerts SET told = ?, ends = ? WHERE key = ? AND since = ? AND (ends IS NULL) = ?", others
            )

    def settle_times(self, now: float, grace: float) -> int:
        """Bring starts that lie in the future back to ``now``, and ends to the end of a grace that begins now.

        The clock was ahead when they were stored. Returns the number of alerts.
        """
        with self._lock, self._db as db:
            db.execute("BEGIN IMMEDIATE")
            rows = db.execute("SELECT key, since, ends FROM alerts WHERE since > ? OR ends > ?", (now, now + grace))
            settled = [
                (not_after(since, now), None if ends is None else not_after(ends, now + grace), key)
                for key, since, ends in rows.fetchall()
            ]
            db.executemany("UPDATE alerts SET since = ?, ends = ? WHERE key = ?", settled)
        return len(settled)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
        if self._file_lock is not None:
            self._file_lock.close()


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute(ALERTS_TABLE)
        db.execute("SELECT * FROM alerts").fetchall()
    except sqlite3.Error:
        db.close()
        raise
    return db


def _opened_or_in_memory(path: Path) -> sqlite3.Connection:
    try:
        return _opened(path)
    except sqlite3.Error as error:
        log.warning("%s cannot be written, alerts are kept in memory: %s", path, error)
        return _opened(Path(":memory:"))


NEWS_REPEAT_SECONDS = 1.0
"""Seconds between two sends during the grace after a change."""

SEND_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds before the next attempt, after the first failure in a row, the second, and so on."""


class AlertSender(ABC):
    """Implements `ports.Pager` for these models; alerts left over of other models end.

    A thread sends the alerts when one changes, again every ``repeat`` seconds (sooner during the first ``grace``
    seconds), and with backoff after failures. A resolved alert ends ``grace`` seconds later; ``clock`` gives seconds
    since the epoch.
    """

    def __init__(
        self, path: Path, models: Collection[str], repeat: float, grace: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.table = AlertTable(path)
        self.clock = clock
        self._repeat = repeat
        self._grace = grace
        self._changed_at = float("-inf")
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=path.stem, daemon=True)
        for gone in self.table.models() - set(models):
            self.set_alerts(gone, ())

    @abstractmethod
    def to_stored(self, alert: Alert, now: float) -> StoredAlert | None:
        """An alert as it is stored; None if this receiver does not get it."""

    @abstractmethod
    def send(self) -> bool:
        """Send all alerts; whether all were accepted."""

    def set_alerts(self, model: str, alerts: Sequence[Alert]) -> None:
        """Replace the active alerts of a model."""
        now = self.clock()
        rows = [row for alert in alerts if (row := self.to_stored(alert, now)) is not None]
        try:
            if self.table.replace(model, rows, now + self._grace):
                self._changed_at = now
                self._wake.set()
        except sqlite3.Error:  # the judge continues, and Prometheus' rule raises the same alert
            log.exception("%s: its alerts cannot be stored, and are not sent from here", model)

    def set_models(self, models: Collection[str]) -> None:
        """Forget the alerts of other models: their judge sends them, and those that it does not send expire."""
        try:
            self.table.keep_models(models)
        except sqlite3.Error:
            log.exception("alerts of models that are judged elsewhere cannot be deleted")

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop; unsent alerts are sent after the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self.table.close()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._settle_times()
                accepted = self.send()
            except Exception:
                accepted = False
                log.exception("alerts could not be sent")
            failures = 0 if accepted else failures + 1
            if not self._stopping.is_set():
                retry = SEND_RETRY_SECONDS[min(failures, len(SEND_RETRY_SECONDS)) - 1]
                self._wake.wait(self._pause() if accepted else retry)

    def _settle_times(self) -> None:
        if alerts := self.table.settle_times(self.clock(), self._grace):
            log.warning("%d alerts had times in the future, which count as now: the clock is, or was, ahead", alerts)

    def _pause(self) -> float:
        """Seconds until the next send."""
        self._changed_at = not_after(self._changed_at, self.clock())
        recent = elapsed(self._changed_at, self.clock()) < self._grace
        return min(self._repeat, NEWS_REPEAT_SECONDS) if recent else self._repeat
