"""Trails of a state file, and changes of them behind the program's back."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.chain import Problem, find_problems
from tightrope.service.adapters.audit.key_files import keys_beside
from tightrope.service.adapters.audit.seals import Seal
from tightrope.service.adapters.sqlite.event_chain import read_chain
from tightrope.service.adapters.sqlite.event_table import EventRetention
from tightrope.service.adapters.sqlite.store import SqliteStore

Change = Callable[[sqlite3.Connection], object]


def note(number: int, **detail: object) -> Event:
    """An event; all of them are of one kind in one scope."""
    return Event(f"e{number}", float(number), "m", "note", "model", "judge", "because", detail)


def write_notes(path: Path, numbers: Sequence[int], retention: EventRetention | None = None) -> None:
    """Save events one by one, as a process that starts, judges and stops."""
    store = SqliteStore(path, exclusive=True, retention=retention or EventRetention())
    for number in numbers:
        store._pruning._next = float("-inf")
        store.save("l", {}, {}, [note(number)])
    store.close()


def change(path: Path, *statements: str | Change) -> None:
    """Change the file behind the program's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            if isinstance(statement, str):
                db.execute(statement)
            else:
                statement(db)


def deletion(number: int) -> list[str]:
    """The statements that delete an event and its link."""
    return [f"DELETE FROM {table} WHERE seq = {number:d}" for table in ("events", "event_chain")]  # noqa: S608 - ours


def problems(path: Path, heads: Sequence[Seal] = ()) -> list[Problem]:
    """The problems of a walk."""
    return find_problems(read_chain(path), keys_beside(path), heads)


def found_at(path: Path) -> list[int]:
    """The numbers of the problems."""
    return [problem.number for problem in problems(path)]
