"""Any change of the audit trail by something else than Tightrope is found, and told with the number of the event."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.audit_trails import change, deletion, found_at, note, problems, write_notes
from tightrope.service.adapters.audit.chain import link_of
from tightrope.service.adapters.audit.key_files import KEY_FILE, keys_beside
from tightrope.service.adapters.audit.seals import SealKind
from tightrope.service.adapters.sqlite.event_chain import read_chain
from tightrope.service.adapters.sqlite.event_table import EventRetention
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.sqlite.transactions import transaction

EVENTS = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a state file with events."""
    file = tmp_path / "tightrope.db"
    write_notes(file, range(1, EVENTS + 1))
    return file


def test_untouched_trail_has_no_problem(path: Path) -> None:
    """Over restarts and redelivered events, too; the head is at the newest event."""
    assert problems(path) == []
    write_notes(path, [3, 9])
    assert problems(path) == []
    head = read_chain(path).head
    assert head is not None
    assert (head.last, len(read_chain(path).events)) == (9, 9)


CHANGES: dict[str, tuple[int, Sequence[str]]] = {
    "a byte of an event": (3, ["UPDATE events SET body = replace(body, 'because', 'becausf') WHERE seq = 3"]),
    "the model by which it is found": (3, ["UPDATE events SET model = 'n' WHERE seq = 3"]),
    "a link": (3, ["UPDATE event_chain SET link = hex(zeroblob(32)) WHERE seq = 3"]),
    "the link before": (3, ["UPDATE event_chain SET previous = hex(zeroblob(32)) WHERE seq = 3"]),
    "a link that is no number": (3, ["UPDATE event_chain SET previous = 'x' WHERE seq = 3"]),
    "an event without its link": (3, ["DELETE FROM events WHERE seq = 3"]),
    "an event": (3, deletion(3)),
    "the first event": (1, deletion(1)),
    "the newest event": (8, deletion(8)),
    "the head": (8, ["DELETE FROM chain_seals WHERE kind = 'head'"]),
    "a byte of the head": (8, ["UPDATE chain_seals SET body = replace(body, '\"last\": 8', '\"last\": 7')"]),
    "an unlinked event": (9, ["INSERT INTO events (id, model, body) VALUES ('x', 'm', '{}')"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_is_found_at_its_event(path: Path, name: str) -> None:
    """The first line is about the event itself, or the one before it."""
    number, statements = CHANGES[name]
    change(path, *statements)
    assert found_at(path)[0] in {number, number - 1}


@contextmanager
def opened_store(path: Path) -> Iterator[SqliteStore]:
    """An open store of the process that judges."""
    store = SqliteStore(path, exclusive=True)
    yield store
    store.close()


def rewritten(db: sqlite3.Connection, number: int = 3) -> None:
    """Write an event anew with the links of it and of all later ones, as one does who knows the format."""
    db.execute("UPDATE events SET body = replace(body, 'because', 'becausf') WHERE seq = ?", (number,))
    rows = db.execute(
        "SELECT seq, CAST(id AS BLOB), CAST(model AS BLOB), CAST(body AS BLOB), previous FROM events "
        "JOIN event_chain USING (seq) WHERE seq >= ? ORDER BY seq",
        (number,),
    ).fetchall()
    link = str(rows[0][4])
    for seq, *parts, _ in rows:
        before, link = link, link_of(link, seq, parts)
        db.execute("UPDATE event_chain SET previous = ?, link = ? WHERE seq = ?", (before, link, seq))


def test_trail_that_was_written_anew_has_no_signed_head(path: Path) -> None:
    """All links agree, and the head does not."""
    change(path, rewritten)
    assert [str(problem) for problem in problems(path)] == [
        "event 8: is not the event that the signed head is about: it, or some before it, was written anew"
    ]


def test_next_start_does_not_sign_what_something_else_wrote(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It says so in the log and in the trail, and the walk tells it from then on."""
    change(path, rewritten)
    with caplog.at_level(logging.ERROR):
        write_notes(path, [9])
    assert "the audit trail was changed by something else" in caplog.text
    assert [str(problem) for problem in problems(path)] == [
        "event 8: was the newest that Tightrope wrote, and at the next start 8 was, or it differed"
    ]


def test_change_beside_a_running_process_is_noted(path: Path) -> None:
    """The next event does not follow it in silence."""
    store = SqliteStore(path, exclusive=True)
    change(path, *deletion(8))
    store.save("l", {}, {}, [note(9)])
    store.close()
    assert found_at(path)[0] == 8


def test_rolled_back_event_is_no_change(path: Path) -> None:
    """A full disk fails a save, and the next one follows what is there."""
    store = SqliteStore(path, exclusive=True)
    with suppress(RuntimeError), transaction(store._db) as cursor:
        cursor.execute("INSERT INTO events (id, model, body) VALUES ('x', 'm', '{}')")
        store._chain.extend(cursor)
        raise RuntimeError
    store.save("l", {}, {}, [note(9)])
    store.close()
    assert problems(path) == []


def test_truncation_is_found_by_a_head_that_was_taken_out(path: Path, tmp_path: Path) -> None:
    """An old copy of the whole file has a sound head of its own."""
    copy = path.read_bytes()
    write_notes(path, [9, 10])
    head = read_chain(path).head
    assert head is not None
    path.write_bytes(copy)
    assert problems(path) == []
    assert [str(problem) for problem in problems(path, [head])] == [
        "event 9: missing (and all up to 10): the head that was given has 10"
    ]
    write_notes(path, [11, 12])
    assert "the trail was written anew" in str(problems(path, [head])[0])
    (tmp_path / KEY_FILE).write_text("00" * 32)
    assert "signature" in str(problems(path)[0])


def test_retention_leaves_a_signed_checkpoint(path: Path) -> None:
    """Adjacent ones become one; the chain goes on after them, and an event that was changed is not deleted."""
    change(path, "UPDATE events SET body = replace(body, 'because', 'becausf') WHERE seq = 3")
    write_notes(path, range(9, 13), EventRetention(most=2))
    stored = read_chain(path)
    assert [seal.first for seal in stored.of(SealKind.GONE)] == [1, 4]
    assert [one.number for one in stored.events] == [3, 11, 12]
    assert found_at(path) == [3]


def test_forged_checkpoint_is_found(path: Path) -> None:
    """Its signature is over the numbers and links."""
    write_notes(path, [9, 10], EventRetention(most=4))
    assert problems(path) == []
    number = read_chain(path).of(SealKind.GONE)[0].last
    change(
        path,
        "UPDATE chain_seals SET body = json_set(body, '$.last', json_extract(body, '$.last') + 1, '$.link', "
        "(SELECT link FROM event_chain ORDER BY seq LIMIT 1)) WHERE kind = 'gone'",
        *deletion(number + 1),
    )
    assert [str(problem) for problem in problems(path)] == [
        f"event 1: the signature over the deleted events 1 to {number + 1} does not hold"
    ]


def test_events_of_an_older_tightrope_are_chained_at_the_first_start(tmp_path: Path) -> None:
    """They are kept, with digests of their request ids, and the trail says since when they are chained."""
    path = tmp_path / "tightrope.db"
    store = SqliteStore(path)
    store._db.executescript("DROP TABLE event_chain; DROP TABLE chain_seals")
    body = '{"id": "a", "time": 1.0, "model": "m", "kind": "breach", "scope": "model", "actor": "judge", "reason": "", '
    rows = [(2, "a", body + '"detail": {"request_id": "raw-7"}}'), (5, "b", "no JSON")]
    store._db.executemany("INSERT INTO events VALUES (?, ?, 'm', ?)", rows)
    store.close()
    with opened_store(path) as opened:
        assert opened.events("m", 0, 1)[0][1].detail == {"request_digest": keys_beside(path).request_digest("raw-7")}
    stored = read_chain(path)
    assert [(seal.first, seal.last) for seal in stored.of(SealKind.FOUND)] == [(2, 5)]
    assert [(seal.first, seal.last) for seal in stored.of(SealKind.GONE)] == [(1, 1), (3, 4)]
    assert [one.number for one in stored.events] == [2, 5]
    change(path, "UPDATE events SET body = 'else' WHERE seq = 5")
    assert found_at(path)[0] == 5


def test_no_raw_id_is_saved(path: Path) -> None:
    """The store replaces it, wherever the event comes from."""
    with opened_store(path) as store:
        store.save("l", {}, {}, [note(9, request_id="raw-7", samples=3)])
        assert store.events(after=8)[0][1].detail.keys() == {"samples", "request_digest"}
    assert b"raw-7" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
