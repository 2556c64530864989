"""The records of each round follow the snapshot and each other; where they do not, what was judged is unknown."""

from pathlib import Path

import pytest

from tests.support.judgement.journal_rounds import EVENT, again, judge, on_disk
from tightrope.service.adapters.sqlite.state_file import StoreError
from tightrope.service.adapters.sqlite.store import SqliteStore


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshots SET body = x'00' WHERE model = 'm'",
        "DELETE FROM snapshots WHERE model = 'm'",
        "DELETE FROM journal WHERE seq = 1",
        "DELETE FROM journal WHERE seq = 3",
        "INSERT INTO journal (model, base, body) SELECT model, base, body FROM journal WHERE seq = 3",
        "UPDATE journal SET base = x'00' WHERE seq = 3",
        "UPDATE journal SET model = 'M' WHERE seq = 3",
    ],
)
def test_entries_that_do_not_follow_each_other_are_an_error(path: Path, store: SqliteStore, damage: str) -> None:
    """One is missing, twice or damaged, or something else wrote the snapshot; the other model is not concerned."""
    judge(store, 1, models="mn")
    judge(store, 2)
    judge(store, 3)
    store._db.execute(damage)
    other = again(path, store)
    with pytest.raises(StoreError, match="of m does not follow"):
        list(other.judged_inputs("m"))
    assert len(list(other.judged_inputs("n"))) == 1


def test_entries_after_a_start_follow_those_before(path: Path, store: SqliteStore) -> None:
    """A second crash is as the first."""
    judge(store, 1)
    other = again(path, store)
    for inputs in other.judged_inputs("m"):
        other.take_over("m", {"m": b"m1"}, {})
        assert inputs.now == 1.0
    judge(other, 2)
    assert [inputs.now for inputs in again(path, other).judged_inputs("m")] == [1.0, 2.0]


def test_close_leaves_entries_that_are_not_judged_again_yet(path: Path, store: SqliteStore) -> None:
    """As when a signal comes in the middle of a start, or one cannot be judged: they are unknown, not judged."""
    judge(store, 1)
    judge(store, 2)
    other = again(path, store)
    assert len(list(other.judged_inputs("m"))) == 2
    other.take_over("m", {"m": b"m1"}, {})
    other.close()
    last = SqliteStore(path)
    last.positions("log", ["m"])
    assert (on_disk(last)["m"], len(list(last.judged_inputs("m")))) == (b"m0", 2)


def test_entries_stay_unknown_where_no_judge_has_begun(path: Path, store: SqliteStore) -> None:
    """As when a mode is moved or dropped after a crash: the snapshot that it writes lacks what they led to."""
    judge(store, 1)
    store._db.close()
    SqliteStore(path).save("", {}, {"m": b"moved"}, [EVENT])
    other = SqliteStore(path)
    other.positions("log", ["m"])
    assert on_disk(other)["m"] == b"moved"
    with pytest.raises(StoreError, match="does not follow"):
        list(other.judged_inputs("m"))
