"""Erases the id of a request from a state file: what waits under it goes, elsewhere a placeholder takes its place.

How it works. Snapshots, and the records judged since, are msgpack: each text that is the id, alone or with the number
of a row behind it, is replaced wherever it stands. Equal ids stay equal, so the judgement goes on as before. Then the
file is built anew and its journal emptied, so that no unused page has the id.
"""

import json
import sqlite3
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from tightrope.service.adapters.sqlite.given_up_rows import forget
from tightrope.service.adapters.sqlite.input_journal import chained_digest, packed
from tightrope.service.adapters.sqlite.state_file import UNREADABLE_MARK, StoreError
from tightrope.service.adapters.sqlite.transactions import transaction

Renaming = Callable[[str], str]

ROW_MARK = "#"
"""Between an id and the number of a row, in the rows of labels."""

WAITING_TABLES = ("held", "waiting")
"""The tables of rows and labels that wait for each other."""

VALUE_FIELD = 4
"""The place of the value among the fields of a record."""

UNREADABLE = (msgspec.MsgspecError, zlib.error, ValueError, TypeError, IndexError)


def renaming(request_id: str, placeholder: str) -> Renaming:
    """Replace an id, alone or with the number of a row behind it.

    >>> [renaming("r", "gone")(text) for text in ("r", "r#2", "r2", "ar", "r#x")]
    ['gone', 'gone#2', 'r2', 'ar', 'r#x']
    """

    def rename(text: str) -> str:
        name, mark, row = text.rpartition(ROW_MARK)
        if text == request_id:
            return placeholder
        return f"{placeholder}{mark}{row}" if name == request_id and row.isdecimal() else text

    return rename


def renamed(value: Any, rename: Renaming) -> Any:  # noqa: ANN401 - any document
    """A document of maps, lists and texts with its texts renamed."""
    if isinstance(value, str):
        return rename(value)
    if isinstance(value, dict):
        return {renamed(key, rename): renamed(item, rename) for key, item in value.items()}
    return [renamed(item, rename) for item in value] if isinstance(value, list | tuple) else value


class ErasableStore:
    """The part of a store that erases ids."""

    _db: sqlite3.Connection
    _lock: threading.Lock

    def erase(self, request_id: str, placeholder: str) -> Counter[str]:
        """Erase an id; returns the number of rows and labels that waited under it, by model. No judge may run.

        Raises:
            StoreError: when a snapshot, or what was judged since, cannot be read, so that the id may be in it.
        """
        rename = renaming(request_id, placeholder)
        with self._lock:
            self._db.execute("PRAGMA secure_delete=ON")
            with transaction(self._db) as cursor:
                forget(cursor, request_id)
                gone = _delete_waiting(cursor, request_id)
                digests = dict(_rewrite_snapshots(cursor, rename))
                _rewrite_journal(cursor, rename, digests)
            rebuild(self._db)
        return gone


def _delete_waiting(cursor: sqlite3.Cursor, request_id: str) -> Counter[str]:
    gone: Counter[str] = Counter()
    for table in WAITING_TABLES:
        query = f"SELECT model, count(*) FROM {table} WHERE id = ? GROUP BY model"  # noqa: S608 - our names
        gone.update(dict(cursor.execute(query, (request_id,)).fetchall()))
        cursor.execute(f"DELETE FROM {table} WHERE id = ?", (request_id,))  # noqa: S608 - our names
    return gone


def _rewrite_snapshots(cursor: sqlite3.Cursor, rename: Renaming) -> Iterator[tuple[str, bytes]]:
    """Rewrite all snapshots, but for those that could not be read and were set aside: these go. Yields each model and
    the digest that its journal follows.
    """
    for model, body in cursor.execute("SELECT model, CAST(body AS BLOB) FROM snapshots").fetchall():
        if UNREADABLE_MARK in model:  # kept for people, and judged by nothing
            cursor.execute("DELETE FROM snapshots WHERE model = ?", (model,))
            continue
        new = _recoded(body, rename, f"the snapshot of {model}")
        cursor.execute("UPDATE snapshots SET body = ? WHERE model = ?", (new, model))
        yield model, chained_digest(new)


def _rewrite_journal(cursor: sqlite3.Cursor, rename: Renaming, digests: dict[str, bytes]) -> None:
    """Rewrite the records judged since the snapshots, each with the digest of what it follows."""
    rows = cursor.execute("SELECT seq, model, CAST(body AS BLOB) FROM journal ORDER BY seq").fetchall()
    for seq, model, body in rows:
        new = _recoded_entry(body, rename, f"round {seq} of {model}")
        base = digests.get(model, b"")
        cursor.execute("UPDATE journal SET base = ?, body = ? WHERE seq = ?", (base, new, seq))
        digests[model] = chained_digest(base + new)


def _recoded_entry(entry: bytes, rename: Renaming, where: str) -> bytes:
    try:
        head, body = msgspec.msgpack.decode(entry)
        now, records = msgspec.msgpack.decode(zlib.decompress(body))
        for record in records:
            record[VALUE_FIELD] = _recoded(record[VALUE_FIELD], rename, where)
    except UNREADABLE as error:
        raise StoreError(f"{where}: cannot be read, so the id may be in it: {error}") from error
    return msgspec.msgpack.encode([head, packed(now, records)])


def _recoded(body: bytes, rename: Renaming, where: str) -> bytes:
    try:
        return msgspec.msgpack.encode(renamed(msgspec.msgpack.decode(body), rename))
    except UNREADABLE as error:
        raise StoreError(f"{where}: cannot be read, so the id may be in it: {error}") from error


def rebuild(db: sqlite3.Connection) -> None:
    """Build a file anew and empty its journal, so that nothing deleted is left in unused pages."""
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def erase_from_alerts(path: Path, request_id: str, placeholder: str) -> None:
    """Erase an id from the texts of a file of alerts, as an older Tightrope wrote it.

    Raises:
        StoreError: when the file cannot be read.
    """
    rename = renaming(request_id, placeholder)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA secure_delete=ON")
            with transaction(db) as cursor:
                for key, texts in cursor.execute("SELECT key, annotations FROM alerts").fetchall():
                    new = json.dumps(renamed(json.loads(texts), rename))
                    cursor.execute("UPDATE alerts SET annotations = ? WHERE key = ?", (new, key))
            rebuild(db)
    except (sqlite3.Error, ValueError) as error:
        raise StoreError(f"{path}: cannot be read, so the id may be in it: {error}") from error
