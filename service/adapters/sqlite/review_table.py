"""The rows that people review, and their opinions, in a file of its own, so that it never delays the judge's state."""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from tightrope.monitors.review.opinions import Opinion
from tightrope.service.adapters.sqlite.state_file import move_aside
from tightrope.service.errors import UnavailableError

log = logging.getLogger(__name__)

REVIEW_TABLES = """
CREATE TABLE IF NOT EXISTS rows (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, request_id TEXT NOT NULL, row INTEGER NOT NULL, time REAL NOT NULL,
    probability REAL NOT NULL, disagree INTEGER NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL,
    a_is_baseline INTEGER NOT NULL, wanted INTEGER NOT NULL, document BLOB,
    UNIQUE (model, request_id, row)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS opinions (
    id TEXT NOT NULL, reviewer TEXT NOT NULL, opinion TEXT NOT NULL, label INTEGER, seconds REAL NOT NULL,
    at REAL NOT NULL, final INTEGER NOT NULL, PRIMARY KEY (id, reviewer)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS opinions_of_rows ON opinions (id);
CREATE TABLE IF NOT EXISTS days (model TEXT PRIMARY KEY, document BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outgoing (
    number INTEGER PRIMARY KEY, model TEXT NOT NULL, request_id TEXT NOT NULL, row INTEGER NOT NULL,
    label INTEGER NOT NULL, at REAL NOT NULL, reviewer TEXT NOT NULL, probability REAL NOT NULL
);
"""

ASKED_ROWS = """FROM rows WHERE model = ? AND document IS NOT NULL
    AND (SELECT count(*) FROM opinions WHERE opinions.id = rows.id) < wanted
    AND NOT EXISTS (SELECT 1 FROM opinions WHERE opinions.id = rows.id AND reviewer = ?)"""
"""The rows of a model that wait for an answer of a reviewer."""

ROW_COLUMNS = "id, model, request_id, row, time, probability, disagree, a, b, a_is_baseline, wanted, document"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRow:
    """A row to review. ``a`` and ``b`` are the classes of the two answers, in an order that a coin decided; ``wanted``
    is the number of people who are asked; ``document`` is the input for people as JSON, None once it is deleted.
    ``time`` is that of the request in seconds since the epoch, ``probability`` that of the draw.
    """

    id: str
    model: str
    request_id: str
    row: int
    time: float
    probability: float
    disagree: bool
    a: int
    b: int
    a_is_baseline: bool
    wanted: int
    document: bytes | None


@dataclass(frozen=True, slots=True)
class GivenOpinion:
    """The opinion of a reviewer about a row, given after ``seconds``, at ``at`` (seconds since the epoch). ``label`` is
    the true class that follows, or None. It can be taken back until it is ``final``.
    """

    id: str
    reviewer: str
    opinion: Opinion
    label: int | None
    seconds: float
    at: float
    final: bool = False


class ReviewTable:
    """All rows under review, in memory where there is no ``path``. Safe to share between threads, but not between
    processes. A damaged file is moved aside, and without a file that can be used the rows are in memory: they stay
    drawn, and can get their label from elsewhere.

    Raises:
        UnavailableError: from every method while the disk fails.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._db = _in_memory() if path is None else _opened(path)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The file, for statements that apply all or none; one thread at a time."""
        try:
            with self._lock, self._db as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
        except sqlite3.Error as error:
            raise UnavailableError(f"the rows under review cannot be read or written just now: {error}") from error

    def add(self, rows: Sequence[ReviewRow], most: int) -> int:
        """Add rows of one model, as long as fewer than ``most`` of it wait; returns how many were added."""
        with self.transaction() as db:
            query = "SELECT count(*) FROM rows WHERE model = ? AND document IS NOT NULL"
            waiting: int = db.execute(query, (rows[0].model,)).fetchone()[0]
            added = rows[: max(most - waiting, 0)]
            marks = ", ".join("?" * len(fields(ReviewRow)))
            values = [tuple(getattr(row, field.name) for field in fields(ReviewRow)) for row in added]
            db.executemany(f"INSERT OR IGNORE INTO rows ({ROW_COLUMNS}) VALUES ({marks})", values)  # noqa: S608 - no input
        return len(added)

    def next(self, model: str, reviewer: str) -> ReviewRow | None:
        """The oldest row that waits for an answer and that this reviewer has not answered."""
        query = f"SELECT {ROW_COLUMNS} {ASKED_ROWS} ORDER BY time, id LIMIT 1"
        with self.transaction() as db:
            found = db.execute(query, (model, reviewer)).fetchone()
        return _row(found) if found else None

    def row(self, model: str, name: str) -> ReviewRow | None:
        """A row by its id."""
        query = f"SELECT {ROW_COLUMNS} FROM rows WHERE model = ? AND id = ?"  # noqa: S608 - no input
        with self.transaction() as db:
            found = db.execute(query, (model, name)).fetchone()
        return _row(found) if found else None

    def waiting(self, model: str, reviewer: str) -> int:
        """The number of rows that wait for an answer of this reviewer."""
        with self.transaction() as db:
            return int(db.execute(f"SELECT count(*) {ASKED_ROWS}", (model, reviewer)).fetchone()[0])

    def store(self, given: GivenOpinion) -> bool:
        """Store an opinion, or replace one that is not final; returns whether it was stored."""
        with self.transaction() as db:
            changed = db.execute(
                """INSERT INTO opinions (id, reviewer, opinion, label, seconds, at, final) VALUES (?, ?, ?, ?, ?, ?, 0)
                ON CONFLICT (id, reviewer) DO UPDATE SET opinion = excluded.opinion, label = excluded.label,
                seconds = excluded.seconds, at = excluded.at WHERE final = 0""",
                (given.id, given.reviewer, given.opinion, given.label, given.seconds, given.at),
            )
            return changed.rowcount > 0

    def take_back(self, name: str, reviewer: str) -> bool:
        """Delete this reviewer's opinion about a row if it is not final; returns whether it was there."""
        with self.transaction() as db:
            query = "DELETE FROM opinions WHERE id = ? AND reviewer = ? AND final = 0"
            return db.execute(query, (name, reviewer)).rowcount > 0

    def due(self, before: float, reviewer: str | None = None, spare: str = "") -> list[tuple[GivenOpinion, ReviewRow]]:
        """The opinions, not final yet, that were given before a time, or by a reviewer about another row than
        ``spare``, with their rows.
        """
        query = f"""SELECT opinions.*, {", ".join("rows." + name for name in ROW_COLUMNS.split(", "))}
            FROM opinions JOIN rows USING (id) WHERE final = 0
            AND (at < ? OR (reviewer = ? AND opinions.id <> ?)) ORDER BY at"""  # noqa: S608 - no input
        with self.transaction() as db:
            found = db.execute(query, (before, reviewer, spare)).fetchall()
        own = len(fields(GivenOpinion))
        return [(_opinion(values[:own]), _row(values[own:])) for values in found]

    def finish(self, given: GivenOpinion) -> None:
        """Make an opinion final, and delete the row's input if it needs no more answers. Its label goes to the outgoing
        ones, all of it or nothing, unless a final opinion about the row gave one before.
        """
        which = given.id, given.reviewer
        with self.transaction() as db:
            db.execute(
                """INSERT INTO outgoing (model, request_id, row, label, at, reviewer, probability)
                SELECT model, request_id, row, label, at, reviewer, probability FROM opinions JOIN rows USING (id)
                WHERE id = ? AND reviewer = ? AND final = 0 AND label IS NOT NULL AND NOT EXISTS (SELECT 1
                FROM opinions AS earlier WHERE earlier.id = rows.id AND earlier.final = 1 AND earlier.label IS NOT NULL)
                """,
                which,
            )
            db.execute("UPDATE opinions SET final = 1 WHERE id = ? AND reviewer = ?", which)
            db.execute(
                """UPDATE rows SET document = NULL WHERE id = ?
                AND wanted <= (SELECT count(*) FROM opinions WHERE opinions.id = rows.id AND final = 1)""",
                (given.id,),
            )

    def forget(self, model: str, *, waiting_before: float, before: float) -> int:
        """Delete rows older than ``before``, and those without an answer older than ``waiting_before``; returns the
        number of the latter.
        """
        unanswered = "NOT EXISTS (SELECT 1 FROM opinions WHERE opinions.id = rows.id)"
        with self.transaction() as db:
            query = f"DELETE FROM rows WHERE model = ? AND time < ? AND {unanswered}"  # noqa: S608 - no input
            given_up = db.execute(query, (model, waiting_before)).rowcount
            db.execute("DELETE FROM rows WHERE model = ? AND time < ?", (model, before))
            db.execute("DELETE FROM opinions WHERE id NOT IN (SELECT id FROM rows)")
        return given_up

    def erase(self, request_id: str) -> Counter[str]:
        """Delete the rows of a request, and the opinions about them; returns their number by model."""
        with self.transaction() as db:
            query = "SELECT model, count(*) FROM rows WHERE request_id = ? GROUP BY model"
            gone = Counter(dict(db.execute(query, (request_id,)).fetchall()))
            db.execute("DELETE FROM rows WHERE request_id = ?", (request_id,))
            db.execute("DELETE FROM outgoing WHERE request_id = ?", (request_id,))
            db.execute("DELETE FROM opinions WHERE id NOT IN (SELECT id FROM rows)")
        self._db.execute("VACUUM")
        return gone

    def opinions(self, model: str) -> list[tuple[GivenOpinion, ReviewRow]]:
        """All final opinions about a model's rows, with their rows, in the order in which they were given."""
        query = f"""SELECT opinions.*, {", ".join("rows." + name for name in ROW_COLUMNS.split(", "))}
            FROM opinions JOIN rows USING (id) WHERE final = 1 AND model = ? ORDER BY at, reviewer"""  # noqa: S608
        with self.transaction() as db:
            found = db.execute(query, (model,)).fetchall()
        own = len(fields(GivenOpinion))
        return [(_opinion(values[:own]), _row(values[own:])) for values in found]

    def days(self, model: str) -> bytes | None:
        """The stored counts of a model's days, None without any."""
        with self.transaction() as db:
            found = db.execute("SELECT document FROM days WHERE model = ?", (model,)).fetchone()
        return found[0] if found else None

    def store_days(self, model: str, document: bytes) -> None:
        """Replace the counts of a model's days."""
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO days VALUES (?, ?)", (model, document))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _opened(path: Path) -> sqlite3.Connection:
    """Open a file, or another one where it is damaged; in memory where no file can be used now."""
    try:
        try:
            return _opened_file(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            log.warning("%s cannot be read and is moved to %s: %s", path, move_aside(path, time.time()).name, error)
            return _opened_file(path)
    except (OSError, sqlite3.Error) as error:
        log.warning("%s cannot be used now, so rows to review are kept in memory until the next start: %s", path, error)
        return _in_memory()


def _opened_file(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return _with_tables(sqlite3.connect(path, isolation_level=None, check_same_thread=False))


def _in_memory() -> sqlite3.Connection:
    return _with_tables(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))


def _with_tables(db: sqlite3.Connection) -> sqlite3.Connection:
    try:
        # a deleted input is a caller's: it is overwritten
        for pragma in ("journal_mode=TRUNCATE", "synchronous=NORMAL", "secure_delete=ON"):
            db.execute(f"PRAGMA {pragma}")
        db.executescript(REVIEW_TABLES)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _row(values: Sequence[object]) -> ReviewRow:
    named = dict(zip((field.name for field in fields(ReviewRow)), values, strict=True))
    flags = {name: bool(named[name]) for name in ("disagree", "a_is_baseline")}
    return ReviewRow(**{**named, **flags})  # type: ignore[arg-type]


def _opinion(values: Sequence[object]) -> GivenOpinion:
    named = dict(zip((field.name for field in fields(GivenOpinion)), values, strict=True))
    return GivenOpinion(**{**named, "opinion": Opinion(named["opinion"]), "final": bool(named["final"])})  # type: ignore[arg-type]
