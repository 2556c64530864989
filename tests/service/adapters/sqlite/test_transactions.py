"""A block is one transaction: all of it, or nothing."""

import sqlite3
from collections.abc import Iterator

import pytest

from tightrope.service.adapters.sqlite.transactions import transaction


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """A database with an empty table."""
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("CREATE TABLE t (x)")
    yield opened
    opened.close()


def test_failure_leaves_nothing(db: sqlite3.Connection) -> None:
    """And the next transaction begins."""

    def fails() -> None:
        with transaction(db) as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        fails()
    with transaction(db) as cursor:
        cursor.execute("INSERT INTO t VALUES (2)")
    assert db.execute("SELECT x FROM t").fetchall() == [(2,)]
