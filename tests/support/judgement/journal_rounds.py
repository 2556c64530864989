"""Rounds that a judge of two models saves in a store whose snapshots are put off."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tightrope.monitors.records import Event
from tightrope.service.adapters.ports import JudgedInputs, PendingChanges, Record
from tightrope.service.adapters.sqlite.store import SqliteStore

EVENT = Event("e1", 1.0, "m", "breach", "model", "judge", "")


def record(offset: int, model: str = "m", size: int = 10) -> Record:
    """A record of a model that does not shrink much."""
    return Record("t", 0, offset, model, np.random.default_rng(offset).bytes(size))


def begun_store(path: Path) -> SqliteStore:
    """A store with a snapshot of two models, from which a judge has begun."""
    store = SqliteStore(path)
    store.save("log", {("t", 0): 0}, {"m": b"m0", "n": b"n0"}, [])
    store.positions("log", ["m", "n"])
    return store


def judge(
    store: SqliteStore,
    number: int,
    *,
    models: str = "m",
    events: tuple[Event, ...] = (),
    pending: Mapping[str, PendingChanges] | None = None,
    size: int = 10,
) -> None:
    """Save one round with a record of each model."""
    records = [record(number, model, size) for model in models]
    snapshots = {model: f"{model}{number}".encode() for model in models}
    store.save("log", {("t", 0): number + 1}, snapshots, events, pending, JudgedInputs(float(number), records))


def on_disk(store: SqliteStore) -> dict[str, bytes]:
    """The snapshots in the file."""
    return dict(store._all("SELECT model, body FROM snapshots"))


def again(path: Path, store: SqliteStore) -> SqliteStore:
    """The store after a crash, from which a judge begins."""
    store._db.close()
    other = SqliteStore(path)
    other.positions("log", ["m", "n"])
    return other
