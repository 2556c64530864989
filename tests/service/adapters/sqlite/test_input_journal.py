"""Snapshots are put off while the records of each round are written; the store answers as if they had been written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.journal_rounds import EVENT, again, judge, on_disk, record
from tightrope.monitors.label_records import Label, PendingRow
from tightrope.service.adapters.ports import JudgedInputs, PendingChanges
from tightrope.service.adapters.sqlite import input_journal
from tightrope.service.adapters.sqlite.input_journal import InputJournal
from tightrope.service.adapters.sqlite.state_file import StoreError
from tightrope.service.adapters.sqlite.store import SqliteStore


def row(name: str, *, joined: bool = False) -> PendingRow:
    """A row that waits for its label."""
    return PendingRow(
        request_id=name,
        row=0,
        time=1.0,
        digest="d",
        member=np.array([True]),
        draw=0.5,
        disagree=False,
        confidence_baseline=0.1,
        confidence_compressed=0.2,
        top_baseline=0,
        top_compressed=1,
        joined=joined,
    )


def test_records_come_back_in_order_after_a_crash(path: Path, store: SqliteStore) -> None:
    """With their time, of the model that is asked for; and so does the position after them."""
    for number in range(1, 4):
        judge(store, number, models="mn")
    assert on_disk(store) == {"m": b"m0", "n": b"n0"}
    assert (store.snapshot("m"), store.snapshot("n")) == (b"m3", b"n3")
    other = again(path, store)
    assert list(other.judged_inputs("m")) == [JudgedInputs(float(n), [record(n)]) for n in range(1, 4)]
    assert other.positions("log", ["m"])["m"] == {("t", 0): 4}
    assert other.positions("another", ["m"])["m"] == {}


def test_event_writes_the_snapshot_of_its_model_only(path: Path, store: SqliteStore) -> None:
    """With it goes all that was put off; the other model's stays put off."""
    judge(store, 1, models="mn", pending={"m": PendingChanges(held={("a", 0): row("a")})})
    judge(store, 2, models="mn", events=(EVENT,))
    assert on_disk(store) == {"m": b"m2", "n": b"n0"}
    assert store._all("SELECT id FROM held") == [("a",)]
    other = again(path, store)
    assert list(other.judged_inputs("m")) == []
    assert [inputs.now for inputs in other.judged_inputs("n")] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("limit", "value"),
    [("MOST_ROUNDS", 3), ("LEAST_BYTES", 3_000), ("MOST_SECONDS", 3.0)],
    ids=["many", "large", "old"],
)
def test_snapshot_is_put_off_for_a_bounded_time(
    store: SqliteStore, limit: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written when its records are many, large or old."""
    now = [0.0]
    monkeypatch.setattr(input_journal, limit, value)
    store._journal = InputJournal(lambda: now[0])
    store.positions("log", ["m"])
    for number in range(1, 5):
        assert on_disk(store)["m"] == b"m0"
        judge(store, number, size=1_000)
        now[0] += 1.0
    assert on_disk(store)["m"] == b"m4"
    judge(store, 5, size=1_000)
    assert on_disk(store)["m"] == b"m4"


def test_snapshot_is_written_where_it_is_smaller_than_a_round(store: SqliteStore) -> None:
    """On much traffic the records of one round are larger."""
    store.positions("log", ["m"])
    judge(store, 1, size=input_journal.LEAST_ROUND_BYTES)
    assert on_disk(store)["m"] == b"m0"
    judge(store, 2, size=input_journal.LEAST_ROUND_BYTES + 1)
    assert on_disk(store)["m"] == b"m2"


def test_idle_judge_writes_what_is_old(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """If its models are still its own."""
    judge(store, 1)
    monkeypatch.setattr(input_journal, "MOST_SECONDS", 0.0)
    store.flush_deferred(lambda: False)
    assert on_disk(store)["m"] == b"m0"
    store.flush_deferred(lambda: True)
    assert on_disk(store)["m"] == b"m1"


def test_model_without_a_record_of_its_own_is_written(store: SqliteStore) -> None:
    """Its state changed by the clock alone, which its records do not tell."""
    store.save("log", {("t", 0): 2}, {"m": b"m1", "n": b"n1"}, [], None, JudgedInputs(1.0, [record(1)]))
    assert on_disk(store) == {"m": b"m0", "n": b"n1"}


def test_model_without_a_snapshot_is_written(store: SqliteStore) -> None:
    """There is nothing that its records could follow."""
    judge(store, 1, models="x")
    assert on_disk(store)["x"] == b"x1"


def test_round_that_changes_nothing_writes_nothing(store: SqliteStore) -> None:
    """Its position is in memory, for a judge that begins again in this process."""
    changes = store._db.total_changes
    store.save("log", {("t", 0): 9}, {}, [], {}, JudgedInputs(1.0, [record(8)]))
    assert store._db.total_changes == changes
    assert store.positions("log", ["m"])["m"] == {("t", 0): 9}


def test_close_writes_what_was_put_off(path: Path, store: SqliteStore) -> None:
    """A start after it has nothing to judge again."""
    judge(store, 1, pending={"m": PendingChanges(held={("a", 0): row("a")})})
    store.close()
    other = SqliteStore(path)
    assert (other.snapshot("m"), other._all("SELECT count(*) FROM journal")) == (b"m1", [(0,)])
    assert other.pending_rows("m", [("a", 0)]).keys() == {("a", 0)}
    other.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal SET body = x'92C0C0' WHERE model = 'm'",
        "UPDATE journal SET body = CAST(x'92C0FF' AS TEXT) WHERE model = 'm'",
        "UPDATE journal SET body = 7 WHERE model = 'm'",
    ],
    ids=["bytes", "a text that cannot be decoded", "a number"],
)
def test_entry_that_cannot_be_read_is_an_error(path: Path, store: SqliteStore, damage: str) -> None:
    """It names the round; the other model is not concerned."""
    judge(store, 1, models="mn")
    store._db.execute(damage)
    other = again(path, store)
    with pytest.raises(StoreError, match="round 1 of m after its snapshot cannot be read"):
        list(other.judged_inputs("m"))
    assert len(list(other.judged_inputs("n"))) == 1


def test_rows_and_labels_that_are_put_off_are_found(store: SqliteStore) -> None:
    """Those on disk and those in memory, joined and matched in either place."""
    store.save("log", {}, {}, [], {"m": PendingChanges(held={("disk", 0): row("disk")})})
    label = Label("m", "early", 0, 1, 1.0)
    judge(store, 1, pending={"m": PendingChanges(held={("new", 0): row("new")}, waiting={("early", 0): label})})
    judge(store, 2, pending={"m": PendingChanges(joined={("disk", 0)})})
    keys = [("disk", 0), ("new", 0), ("early", 0)]
    rows = store.pending_rows("m", keys)
    assert {key: each.joined for key, each in rows.items()} == {("disk", 0): True, ("new", 0): False}
    assert store.pending_labels("m", keys) == {("early", 0): label}
    judge(store, 3, pending={"m": PendingChanges(matched={("early", 0)})})
    assert store.pending_labels("m", keys) == {}
    later = replace(label, label=0)
    judge(store, 4, pending={"m": PendingChanges(waiting={("early", 0): later})})
    assert store.pending_labels("m", keys) == {("early", 0): later}
    store._write_put_off(["m"])
    assert store.pending_labels("m", keys) == {("early", 0): later}
    assert store.pending_rows("m", keys)["disk", 0].joined


def test_outcome_of_judging_again_is_put_off_too(path: Path, store: SqliteStore) -> None:
    """It is written with the next snapshot of the model."""
    judge(store, 1, pending={"m": PendingChanges(held={("a", 0): row("a")})})
    other = again(path, store)
    other.take_over("m", {"m": b"m1"}, {"m": PendingChanges(held={("a", 0): row("a")})})
    assert (other.snapshot("m"), on_disk(other)["m"]) == (b"m1", b"m0")
    assert other.pending_rows("m", [("a", 0)]).keys() == {("a", 0)}
    other.close()
    assert on_disk(SqliteStore(path))["m"] == b"m1"
