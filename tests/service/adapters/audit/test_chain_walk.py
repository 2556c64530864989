"""A chain is walked in portions, with the same result as at once."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.chain import LinkedEvent, StoredChain, find_problems
from tightrope.service.adapters.audit.chain_walk import ChainWalk
from tightrope.service.adapters.audit.seals import AuditKeys, SealKind
from tightrope.service.adapters.sqlite.event_chain import read_chain
from tightrope.service.adapters.sqlite.store import SqliteStore

KEYS = AuditKeys(b"k" * 32)
EVENTS = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StoredChain:
    """A chain of twelve events; retention has deleted the third to the fifth and the eighth."""
    path = tmp_path_factory.mktemp("chain") / "tightrope.db"
    store = SqliteStore(path, keys=KEYS)
    store.add_events([Event(str(each), 1.0, "m", "kind", "model", "judge", "why") for each in range(EVENTS)])
    with store._lock:
        cursor = store._db.cursor()
        store._chain.delete(cursor, store._chain.sound(store._db, [3, 4, 5, 8]))
    store.close()
    return read_chain(path)


class Reader:
    """Reads portions of a chain, which a test may replace between two of them."""

    def __init__(self, stored: StoredChain) -> None:
        self.stored = stored

    def __call__(self, after: int, most: int) -> StoredChain:
        """Events after a number, and all seals."""
        return StoredChain([each for each in self.stored.events if each.number > after][:most], self.stored.seals)


def rounds(walk: ChainWalk, number: int) -> None:
    """Walk to the end of this round."""
    for _ in range(100):
        walk.step()
        if walk.rounds >= number:
            return
    raise AssertionError("the walk does not come to the end")


@given(portion=st.integers(1, 20), change=st.sampled_from(["none", "alter", "drop", "unseal", "swap"]), data=st.data())
def test_portions_find_what_the_whole_walk_finds(
    whole: StoredChain, portion: int, change: str, data: st.DataObject
) -> None:
    """For each kind of change, and for portions of each size."""
    events, seals = list(whole.events), list(whole.seals)
    index = data.draw(st.integers(0, len(events) - 1))
    if change == "alter":
        events[index] = replace(events[index], parts=[b"another"])
    elif change == "drop":
        del events[index]
    elif change == "unseal":
        seals = [seal for seal in seals if seal.kind is not SealKind.GONE]
    elif change == "swap":
        other: LinkedEvent = events[index - 1]
        events[index] = replace(events[index], parts=other.parts, link=other.link)
    stored = StoredChain(events, seals)
    walk = ChainWalk(Reader(stored), KEYS, portion)
    rounds(walk, 1)
    assert list(walk.problems) == find_problems(stored, KEYS)
    assert bool(walk.problems) is (change != "none")


def test_change_between_two_rounds_is_found(whole: StoredChain) -> None:
    """Problems of the last round stay until the next one has come to the end."""
    reader = Reader(whole)
    walk = ChainWalk(reader, KEYS, 5)
    rounds(walk, 1)
    assert walk.problems == []
    reader.stored = StoredChain([replace(whole.events[0], parts=[b"another"]), *whole.events[1:]], whole.seals)
    rounds(walk, 2)
    assert [problem.number for problem in walk.problems] == [1]
    reader.stored = whole
    walk.step()
    assert [problem.number for problem in walk.problems] == [1]
    rounds(walk, 3)
    assert walk.problems == []


def test_events_that_retention_deletes_meanwhile_are_no_problem(tmp_path: Path) -> None:
    """One seal stands for events on both sides of the place at which the walk is: the round begins again."""
    store = SqliteStore(tmp_path / "tightrope.db", keys=KEYS)
    store.add_events([Event(str(each), 1.0, "m", "kind", "model", "judge", "why") for each in range(EVENTS)])
    walk = ChainWalk(store.chain_portion, KEYS, 4)
    walk.step()
    store._chain.delete(store._db.cursor(), store._chain.sound(store._db, [3, 4, 5, 6]))
    rounds(walk, 1)
    assert walk.problems == []
    store.close()
