"""An id is replaced wherever it stands as a text of its own, and nothing else is."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.service.adapters.sqlite import given_up_rows
from tightrope.service.adapters.sqlite.erasure import erase_from_alerts, renamed, renaming
from tightrope.service.adapters.sqlite.state_file import UNREADABLE_MARK, StoreError
from tightrope.service.adapters.sqlite.store import SqliteStore

RENAME = renaming("r-7", "gone")
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.binary() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(document=DOCUMENTS)
def test_documents_without_the_id_stay(document: object) -> None:
    """As they come from msgpack and go to it."""
    packed = msgspec.msgpack.encode(document)
    if b"r-7" not in packed:
        assert msgspec.msgpack.encode(renamed(msgspec.msgpack.decode(packed), RENAME)) == packed


def test_id_is_replaced_at_any_depth() -> None:
    """As a key too; a text that only contains it is another id."""
    document = {"ids": ["r-7", "r-7#3", "r-78", "xr-7"], "r-7": {"a": [["r-7"]]}, "n": 7}
    after = {"ids": ["gone", "gone#3", "r-78", "xr-7"], "gone": {"a": [["gone"]]}, "n": 7}
    assert renamed(document, RENAME) == after


def test_snapshot_that_was_set_aside_goes(tmp_path: Path) -> None:
    """It is kept for people, cannot be read, and may have the id."""
    store = SqliteStore(tmp_path / "tightrope.db")
    store.save("l", {}, {"m": msgspec.msgpack.encode(["r-7"]), f"m{UNREADABLE_MARK}1": b"\xc1r-7"}, [])
    assert store.erase("r-7", "gone") == {}
    assert store._all("SELECT model, body FROM snapshots") == [("m", msgspec.msgpack.encode(["gone"]))]
    store.close()


def test_rows_that_were_given_up_are_forgotten(tmp_path: Path) -> None:
    """Their digests are not keyed, so that an id could be tried against them."""
    store = SqliteStore(tmp_path / "tightrope.db")
    keys = {("r-7", 0): 1, ("r-7", 5): 1, ("r-8", 0): 1}
    rows = [("m", given_up_rows._digest(key), 1e12) for key in keys]
    store._db.executemany("INSERT INTO given_up VALUES (?, ?, ?)", rows)
    store.erase("r-7", "gone")
    assert store.given_up("m", keys) == {("r-8", 0)}
    store.close()


def test_alerts_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    """The id may be in them."""
    path = tmp_path / "alerts.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE alerts (key TEXT PRIMARY KEY, annotations TEXT NOT NULL)")
        db.execute("INSERT INTO alerts VALUES ('k', 'no JSON')")
    with pytest.raises(StoreError, match=r"alerts\.db: cannot be read, so the id may be in it"):
        erase_from_alerts(path, "r-7", "gone")
