"""Errors of SQLite: of the file, or of a value."""

import sqlite3
from pathlib import Path

import pytest

from tightrope.service.adapters.sqlite.faults import is_file_error


def test_locked_file_is_an_error_of_the_file(tmp_path: Path) -> None:
    """A statement that fails now works later."""
    one, two = (sqlite3.connect(tmp_path / "db", isolation_level=None, timeout=0) for _ in range(2))
    one.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.Error) as caught:
        two.execute("CREATE TABLE t (x)")
    one.close()
    two.close()
    assert is_file_error(caught.value)


def test_value_that_no_file_takes_is_none(tmp_path: Path) -> None:
    """An integer beyond 64 bits, or nothing where there must be something."""
    db = sqlite3.connect(tmp_path / "db")
    db.execute("CREATE TABLE t (x REAL NOT NULL)")
    for value in (2**63, float("nan")):
        with pytest.raises((sqlite3.Error, OverflowError)) as caught:
            db.execute("INSERT INTO t VALUES (?)", (value,))
        assert not is_file_error(caught.value)
    db.close()
