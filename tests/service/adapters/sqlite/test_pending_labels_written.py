"""Rows whose ids come in no order are written once: each page of the table once, not once for each of its rows."""

from pathlib import Path
from uuid import UUID

import numpy as np

from tightrope.monitors.label_records import PendingRow
from tightrope.service.adapters.ports import PendingChanges
from tightrope.service.adapters.sqlite.store import SqliteStore

ROWS = 12_000


def random_rows() -> PendingChanges:
    """Rows with random ids, and their labels."""
    draws, member = np.random.default_rng(5), np.zeros(22, dtype=bool)
    names = [str(UUID(bytes=draws.bytes(16))) for _ in range(ROWS)]
    rows = [
        PendingRow(
            name,
            0,
            1.0,
            "d" * 64,
            member,
            0.5,
            disagree=False,
            confidence_baseline=0.9,
            confidence_compressed=0.8,
            top_baseline=1,
            top_compressed=1,
        )
        for name in names
    ]
    return PendingChanges(held={row.key: row for row in rows}, joined={row.key for row in rows})


def written() -> int:
    """The bytes that this thread has written."""
    return int(dict(line.split(": ") for line in Path("/proc/thread-self/io").read_text().splitlines())["wchar"])


def test_random_ids_are_written_once(path: Path) -> None:
    """To SQLite's journal and to the file: little more than twice the file."""
    store, change, before = SqliteStore(path), random_rows(), written()
    store.save("log", {}, {"m": b"s"}, [], {"m": change})
    assert all(row.joined for row in store.pending_rows("m", list(change.held)).values())
    store.close()
    assert written() - before < 3 * path.stat().st_size
