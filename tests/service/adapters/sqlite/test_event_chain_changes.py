"""Property: any single change of the trail is found and located, also after retention."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.audit_trails import change, deletion, found_at, problems, write_notes
from tightrope.service.adapters.audit.chain import link_of
from tightrope.service.adapters.audit.key_files import KEY_FILE
from tightrope.service.adapters.sqlite.event_chain import read_chain
from tightrope.service.adapters.sqlite.event_table import EventRetention

SECRET = "7f" * 32
COUNT = 12
COLUMNS = (("events", "body"), ("events", "id"), ("event_chain", "link"), ("event_chain", "previous"))


@pytest.fixture(scope="module")
def originals() -> Iterator[dict[bool, bytes]]:
    """The bytes of a state file with all its events, and of one in which retention deleted half of them."""
    with TemporaryDirectory() as folder:
        files = {}
        for pruned in (False, True):
            path = Path(folder) / f"{pruned}" / "tightrope.db"
            path.parent.mkdir()
            (path.parent / KEY_FILE).write_text(SECRET)
            write_notes(path, range(1, COUNT + 1), EventRetention(most=6) if pruned else None)
            files[pruned] = path.read_bytes()
        yield files


@settings(max_examples=80, deadline=None)
@given(data=st.data(), pruned=st.booleans(), action=st.sampled_from(["alter", "remove", "duplicate", "swap"]))
def test_any_single_change_is_found_and_located(
    originals: dict[bool, bytes], data: st.DataObject, action: str, *, pruned: bool
) -> None:
    """An event altered, removed, duplicated or swapped with another: the first line names it, or the gap."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tightrope.db"
        path.with_name(KEY_FILE).write_text(SECRET)
        path.write_bytes(originals[pruned])
        assert problems(path) == []
        numbers = [one.number for one in read_chain(path).events]
        number = data.draw(st.sampled_from(numbers))
        wanted = {number}
        if action == "alter":
            change(path, lambda db: alter(db, number, data))
        elif action == "remove":
            change(path, *deletion(number))
        elif action == "duplicate":
            change(path, lambda db: duplicate(db, number))
            wanted = {COUNT + 1}
        else:
            other = data.draw(st.sampled_from([one for one in numbers if one != number]))
            change(path, lambda db: swap(db, number, other))
            wanted = {number, other}
        assert wanted <= {*found_at(path)}
        assert found_at(path)[0] in wanted


def alter(db: sqlite3.Connection, number: int, data: st.DataObject) -> None:
    """Change one byte of an event or of its link."""
    table, column = data.draw(st.sampled_from(COLUMNS))
    (value,) = db.execute(f"SELECT {column} FROM {table} WHERE seq = ?", (number,)).fetchone()  # noqa: S608 - our names
    place = data.draw(st.integers(0, len(value) - 1))
    new = data.draw(st.sampled_from([each for each in "a}z" if each != value[place]]))
    changed = value[:place] + new + value[place + 1 :]
    db.execute(f"UPDATE {table} SET {column} = ? WHERE seq = ?", (changed, number))  # noqa: S608 - as above


def duplicate(db: sqlite3.Connection, number: int) -> None:
    """Add an event once more at the end, with a link that follows."""
    id_, model, body = db.execute("SELECT id, model, body FROM events WHERE seq = ?", (number,)).fetchone()
    (link,) = db.execute("SELECT link FROM event_chain WHERE seq = ?", (COUNT,)).fetchone()
    new = link_of(link, COUNT + 1, [f"{id_}'".encode(), model.encode(), body.encode()])
    db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (COUNT + 1, f"{id_}'", model, body))
    db.execute("INSERT INTO event_chain VALUES (?, ?, ?)", (COUNT + 1, link, new))


def swap(db: sqlite3.Connection, one: int, other: int) -> None:
    """Give two events each other's number."""
    for before, after in ((one, -1), (other, one), (-1, other)):
        db.execute("UPDATE events SET seq = ? WHERE seq = ?", (after, before))
