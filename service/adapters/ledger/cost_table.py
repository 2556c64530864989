"""The cost of each model by UTC day and part, in a file of its own, so that it never delays the judge's state.

Amounts are added to what is there, so several processes of one machine may share the file. It is opened when it is
first used. A damaged file is moved aside; what cannot be read or written now raises, and can be tried again.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import NamedTuple

from tightrope.monitors.cost.amounts import CostAmounts
from tightrope.service.adapters.sqlite.state_file import StoreError, move_aside
from tightrope.service.errors import UnavailableError

log = logging.getLogger(__name__)

COSTS_FILE = "costs.db"
"""Name of the file in the state folder."""

KEPT_DAYS = 400
"""The days that are kept, the latest ones. They are counted and not compared with the clock: one that jumps ahead
would delete all others.
"""

LOCK_SECONDS = 2.0
"""Time for which the lock of another process on the file is waited for."""

LEDGER_VERSION = 1
AMOUNT_COLUMNS = CostAmounts._fields


class CostKey(NamedTuple):
    """A day, a model, and the part of Tightrope that counted."""

    day: date
    model: str
    part: str


LEDGER_TABLE = f"""
CREATE TABLE IF NOT EXISTS costs (
    day TEXT NOT NULL, model TEXT NOT NULL, part TEXT NOT NULL,
    {", ".join(f"{name} REAL NOT NULL" for name in AMOUNT_COLUMNS)},
    PRIMARY KEY (day, model, part)
) WITHOUT ROWID;
PRAGMA user_version={LEDGER_VERSION};
"""

_SUMS = ", ".join(f"{name} = {name} + excluded.{name}" for name in AMOUNT_COLUMNS)
_ADD = f"""INSERT INTO costs (day, model, part, {", ".join(AMOUNT_COLUMNS)})
    VALUES (?, ?, ?, {", ".join("?" * len(AMOUNT_COLUMNS))})
    ON CONFLICT (day, model, part) DO UPDATE SET {_SUMS}
"""  # noqa: S608 - no input
_FORGET = "DELETE FROM costs WHERE day NOT IN (SELECT DISTINCT day FROM costs ORDER BY day DESC LIMIT ?)"
_SELECT = f"SELECT day, part, {', '.join(AMOUNT_COLUMNS)} FROM costs WHERE model = ? AND day >= ?"  # noqa: S608 - no input


class CostTable:
    """The file at ``path``. Safe to share between threads and processes; not on the path of a request.

    Raises:
        UnavailableError: from every method while the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._latest: date | None = None

    def add(self, amounts: Mapping[CostKey, CostAmounts]) -> None:
        """Add amounts, all of them or none, and forget the oldest days."""
        rows = [(key.day.isoformat(), key.model, key.part, *each) for key, each in amounts.items()]
        with self._transaction() as db:
            db.executemany(_ADD, rows)
            if (latest := max(key.day for key in amounts)) != self._latest:
                db.execute(_FORGET, (KEPT_DAYS,))
                self._latest = latest

    def since(self, model: str, first: date) -> Mapping[CostKey, CostAmounts]:
        """The amounts of a model from a day on."""
        if self._db is None and not self._path.exists():
            return {}
        with self._transaction() as db:
            found = db.execute(_SELECT, (model, first.isoformat())).fetchall()
        return {CostKey(date.fromisoformat(day), model, part): CostAmounts(*amounts) for day, part, *amounts in found}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._forget_connection()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db = self._db or self._opened()
                with self._db as db:
                    db.execute("BEGIN IMMEDIATE")
                    yield db
            except (OSError, StoreError, sqlite3.Error, ValueError) as error:
                self._forget_connection()  # the next use opens it anew, and moves a damaged file aside
                raise UnavailableError(f"{self._path}: the costs cannot be read or written now: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._connected()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            kept = move_aside(self._path, time.time()).name
            log.warning("%s cannot be read and is moved to %s, the costs begin anew: %s", self._path, kept, error)
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=LOCK_SECONDS)
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > LEDGER_VERSION:
                raise sqlite3.DatabaseError(f"it is of version {version}, and this Tightrope reads {LEDGER_VERSION}")
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("it is damaged")
            for pragma in ("journal_mode=TRUNCATE", "synchronous=NORMAL"):
                db.execute(f"PRAGMA {pragma}")
            db.executescript(LEDGER_TABLE)
            if {name for _, name, *_ in db.execute("PRAGMA table_info(costs)")} != {*CostKey._fields, *AMOUNT_COLUMNS}:
                raise sqlite3.DatabaseError("it holds other columns")
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _forget_connection(self) -> None:
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None
