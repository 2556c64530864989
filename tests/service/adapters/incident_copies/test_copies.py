from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.judgement.published import incident, pieces_of
from tightrope.service.adapters.incident_copies import pieces
from tightrope.service.adapters.incident_copies.copies import (
    COPY_DAMAGED,
    COPY_INCOMPLETE,
    COPY_NO_ROOM,
    TAKEN_OVER,
    CopyFaultError,
    IncidentCopies,
)
from tightrope.service.adapters.incident_copies.piece_file import PieceFile, Slot
from tightrope.service.adapters.incident_copies.pieces import Piece, PieceKey
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.errors import UnavailableError

CONTENT = b"0123456789abcdef"


class PiecesInMemory(PieceFile):
    """Room for pieces without a disk."""

    def __init__(self, most: int = 100) -> None:
        super().__init__(Path(), most)
        self.slots: dict[int, bytes] = {}
        self.refuses = False

    def write(self, data: bytes) -> Slot | None:
        """The next free slot."""
        if self.refuses:
            raise OSError(28, "No space left on device")
        free = next((number for number in range(self._most) if number not in self.slots), None)
        if free is None:
            return None
        self.slots[free] = data
        return Slot(free, len(data))

    def read(self, slot: Slot) -> bytes:
        """The data in a slot."""
        return self.slots[slot.number][: slot.size]

    def erase(self, slot: Slot) -> None:
        """Free a slot."""
        del self.slots[slot.number]

    def close(self) -> None:
        """Free all slots."""
        self.slots.clear()


@contextmanager
def small_pieces(size: int = 5) -> Iterator[None]:
    """Pieces of a few bytes: the content has four."""
    before, pieces.INCIDENT_PIECE_BYTES = pieces.INCIDENT_PIECE_BYTES, size
    try:
        yield
    finally:
        pieces.INCIDENT_PIECE_BYTES = before


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    with small_pieces():
        yield


def put_all(copies: IncidentCopies, records: Sequence[tuple[PieceKey, Piece]]) -> list[str]:
    """Put pieces; returns the reasons of the faults."""
    reasons = []
    for key, piece in records:
        try:
            copies.put(key, piece)
        except CopyFaultError as error:
            reasons.append(error.reason)
    return reasons


def file_of(copies: IncidentCopies, name: str = "m-1") -> bytes | str | None:
    """The file of an incident, or the reason for which it is not handed out."""
    try:
        return copies.file(name)
    except CopyFaultError as error:
        return error.reason


@given(st.data())
def test_pieces_in_any_order_and_twice_are_the_file(data: st.DataObject) -> None:
    """Once all are there, however they came."""
    whole = pieces_of(incident(), CONTENT)
    more = data.draw(st.lists(st.sampled_from(range(len(whole))), max_size=6))
    order = data.draw(st.permutations([*range(len(whole)), *more]))
    file = PiecesInMemory()
    copies = IncidentCopies(file)
    put_all(copies, [whole[number] for number in order])
    assert copies.file("m-1") == CONTENT
    assert list(copies.incidents()) == [incident()]
    assert len(file.slots) == len(whole)


@given(st.data())
def test_without_one_piece_there_is_no_file(data: st.DataObject) -> None:
    """The incident is listed if its last piece came; the file is refused, and never handed out in part."""
    whole = pieces_of(incident(), CONTENT)
    missing = data.draw(st.integers(0, len(whole) - 1))
    others = data.draw(st.permutations([each for number, each in enumerate(whole) if number != missing]))
    copies = IncidentCopies(PiecesInMemory())
    reasons = put_all(copies, others)
    if missing == len(whole) - 1:
        assert (file_of(copies), list(copies.incidents()), reasons) == (None, [], [])
    else:
        assert (file_of(copies), list(copies.incidents())) == (COPY_INCOMPLETE, [incident()])
        assert set(reasons) == {COPY_INCOMPLETE}
    put_all(copies, [whole[missing]])
    assert copies.file("m-1") == CONTENT


@given(st.integers(0, 3), st.binary(max_size=5))
def test_an_altered_piece_is_damage(number: int, other: bytes) -> None:
    """It may have any length; the genuine piece mends it."""
    whole = pieces_of(incident(), CONTENT)
    key, piece = whole[number]
    copies = IncidentCopies(PiecesInMemory())
    altered = [*whole[:number], (key, replace(piece, data=other)), *whole[number + 1 :]]
    expected = CONTENT if other == piece.data else COPY_DAMAGED
    assert put_all(copies, altered) == [COPY_DAMAGED] * (expected == COPY_DAMAGED)
    assert file_of(copies) == expected
    put_all(copies, [whole[number]])
    assert copies.file("m-1") == CONTENT


@given(st.data())
def test_the_latest_record_of_each_key_counts(data: st.DataObject) -> None:
    """Pieces and deletions of two versions of a file in any order: a file is handed out if all of its pieces are among
    the latest records, and never in part; no deleted piece keeps its room.
    """
    versions = pieces_of(incident(), CONTENT), pieces_of(incident(), b"other content here")
    keyed = {key: piece for version in versions for key, piece in version}
    steps = data.draw(st.lists(st.tuples(st.sampled_from([*keyed]), st.booleans()), max_size=40))
    file = PiecesInMemory()
    copies, latest = IncidentCopies(file), dict[PieceKey, bool]()
    for key, is_there in steps:
        latest[key] = is_there
        if is_there:
            with suppress(CopyFaultError):
                copies.put(key, keyed[key])
        else:
            copies.remove(key)
    whole = [b"".join(keyed[key].data for key, _ in v) for v in versions if all(latest.get(key) for key, _ in v)]
    listed = any(latest.get(version[-1][0]) for version in versions)
    assert (file_of(copies) in whole) if whole else (file_of(copies) in {None, COPY_INCOMPLETE})
    assert (file_of(copies) is None) is not listed
    assert list(copies.incidents()) == [incident()] * listed
    assert len(file.slots) == sum(latest.values())


def test_the_oldest_file_goes_where_room_ends() -> None:
    """Its incident stays in the list, and callers are told; a file larger than all room is refused."""
    copies = IncidentCopies(PiecesInMemory(6))
    first, second = incident("m-1"), incident("m-2", 30.0, 40.0)
    put_all(copies, [*pieces_of(first, CONTENT), *pieces_of(second, CONTENT)])
    assert list(copies.incidents()) == [first, second]
    assert (file_of(copies, "m-1"), file_of(copies, "m-2")) == (COPY_NO_ROOM, CONTENT)
    large = incident("m-3", 50.0, 60.0)
    assert set(put_all(copies, pieces_of(large, CONTENT * 3))) == {COPY_NO_ROOM}
    assert file_of(copies, "m-3") == COPY_NO_ROOM
    with pytest.raises(CopyFaultError, match=r"m-3: this gateway has no room .*record.most_bytes"):
        copies.file("m-3")


def test_a_disk_that_refuses_is_no_room() -> None:
    """The incident is listed, without its file."""
    file = PiecesInMemory()
    copies, file.refuses = IncidentCopies(file), True
    assert set(put_all(copies, pieces_of(incident(), CONTENT))) == {COPY_NO_ROOM}
    assert (list(copies.incidents()), file_of(copies)) == ([incident()], COPY_NO_ROOM)


def test_damage_on_disk_is_seen_when_the_file_is_asked_for() -> None:
    """A byte that the disk lost is no part of a file."""
    file = PiecesInMemory()
    copies = IncidentCopies(file)
    put_all(copies, pieces_of(incident(), CONTENT))
    file.slots[2] = b"xxxxx"
    with pytest.raises(CopyFaultError, match="m-1: its pieces do not match its digest"):
        copies.file("m-1")


def test_an_open_incident_has_no_file() -> None:
    """It is listed with its moves; once it is closed, its file counts, also before the record of the open one goes."""
    copies, opened = IncidentCopies(PiecesInMemory()), incident(closed=None)
    put_all(copies, pieces_of(opened, b""))
    assert list(copies.incidents()) == [opened]
    with pytest.raises(UnavailableError, match="m-1: it is open"):
        copies.file("m-1")
    put_all(copies, pieces_of(incident(), CONTENT))
    assert (list(copies.incidents()), copies.file("m-1")) == ([incident()], CONTENT)
    copies.remove(pieces_of(opened, b"")[0][0])
    assert (list(copies.incidents()), copies.file("m-1")) == ([incident()], CONTENT)


def test_an_incident_that_a_judge_left_open_ends_with_the_next_one() -> None:
    """A model has one incident at a time, and its record is told to go on there; that of another model stays open."""
    left, other, later = incident(closed=None), incident("n-1", 5.0, None, "n"), incident("m-2", 30.0, 40.0)
    copies = IncidentCopies(PiecesInMemory())
    put_all(copies, [*pieces_of(left, b""), *pieces_of(other, b"")])
    assert list(copies.incidents()) == [other, left]
    put_all(copies, pieces_of(later, CONTENT))
    ended = replace(left, closed=30.0, missing=(TAKEN_OVER,))
    assert list(copies.incidents()) == [other, ended, later]


def test_the_version_with_a_complete_record_counts() -> None:
    """Two judges may have recorded one incident, and the one that was killed lacks its end."""
    lacking = incident().without("inputs were not recorded")
    for order in (1, -1):
        copies = IncidentCopies(PiecesInMemory())
        for one, content in [(incident(), CONTENT), (lacking, b"part")][::order]:
            put_all(copies, pieces_of(one, content))
        assert (list(copies.incidents()), copies.file("m-1")) == ([incident()], CONTENT)


def test_a_whole_version_counts_before_a_newer_one_that_lost_a_piece() -> None:
    """While a newer version arrives or is deleted, the older one is handed out."""
    newer = pieces_of(incident(), b"another content")
    copies = IncidentCopies(PiecesInMemory())
    put_all(copies, [*pieces_of(incident(), CONTENT), *newer])
    assert copies.file("m-1") == b"another content"
    copies.remove(newer[0][0])
    assert copies.file("m-1") == CONTENT


def test_incidents_go_after_their_time() -> None:
    """With their room; one that is open stays."""
    file = PiecesInMemory()
    copies = IncidentCopies(file)
    kept: list[Incident] = [incident("m-1"), incident("m-2", 30.0, 40.0), incident("m-3", 50.0, None)]
    for one in kept:
        put_all(copies, pieces_of(one, b"" if one.closed is None else CONTENT))
    copies.drop_before(20.0)
    assert list(copies.incidents()) == kept
    copies.drop_before(20.5)
    assert list(copies.incidents()) == kept[1:]
    copies.drop_before(1e9)
    assert (list(copies.incidents()), len(file.slots)) == (kept[2:], 1)


def test_a_topic_made_anew_begins_without_incidents() -> None:
    """Nothing of the other one is handed out."""
    copies = IncidentCopies(PiecesInMemory())
    put_all(copies, pieces_of(incident(), CONTENT))
    copies.clear()
    assert (list(copies.incidents()), copies.file("m-1")) == ([], None)
