from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.judgement.published import incident, pieces_of
from tightrope.service.adapters.incident_copies.pieces import (
    INCIDENT_PIECE_BYTES,
    MOST_PIECES,
    PIECE_SCHEMA,
    CopyName,
    PieceKey,
    copy_name,
    decode_key,
    decode_piece,
    encode_piece,
    file_digest,
    keys_of,
)
from tightrope.service.adapters.wire.envelope import WireError, pack

DIGEST = sha256(b"file").hexdigest()
KEY = PieceKey(CopyName("m", "m-1", DIGEST[:16]), 0)
BODY: dict[str, Any] = {"sha256": DIGEST, "number": 0, "data": b"file"}
LAST: dict[str, Any] = {**BODY, "count": 1, "size": 4, "incident": incident().document()}


@pytest.mark.parametrize(
    "size", [1, INCIDENT_PIECE_BYTES - 1, INCIDENT_PIECE_BYTES, INCIDENT_PIECE_BYTES + 1, 3 * INCIDENT_PIECE_BYTES]
)
def test_file_is_split_into_pieces_that_join_to_it(size: int) -> None:
    """Each record has at most 512 kB; the last piece, and no other one, tells of the whole."""
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]
    records = [(str(key), encode_piece(key, piece)) for key, piece in pieces_of(incident(), content)]
    assert max(len(value) for _, value in records) <= 512_000
    pieces = [decode_piece(decode_key(key), value) for key, value in records]
    assert b"".join(piece.data for piece in pieces) == content
    assert {piece.sha256 for piece in pieces} == {sha256(content).hexdigest()}
    (last,) = [piece.last for piece in pieces if piece.last is not None]
    assert pieces[-1].last == last
    assert (last.count, last.size, last.incident) == (len(records), size, incident())


def test_an_incident_without_a_file_has_one_piece() -> None:
    """It says that no file is published; another move gives another version."""
    ((key, piece),) = pieces_of(incident(closed=None), b"")
    assert decode_piece(decode_key(str(key)), encode_piece(key, piece)) == piece
    assert piece.last is not None
    assert (piece.last.count, piece.last.size, piece.data) == (0, 0, b"")
    assert keys_of(key.copy, 0) == [key]
    assert file_digest(incident(closed=None), b"") != file_digest(incident(closed=None).without("x"), b"")


@given(st.text(min_size=1, max_size=9), st.integers(0, MOST_PIECES - 1))
def test_key_is_read_as_it_was_written(model: str, number: int) -> None:
    """A model's name may have slashes."""
    key = PieceKey(copy_name(incident(model=model), DIGEST), number)
    assert decode_key(str(key)) == key
    assert str(key) == f"{model}/m-1/{DIGEST[:16]}/{number}"


@pytest.mark.parametrize(
    "key", [None, "", "m", "m/i/d", "m/i/d/", "m/i//1", "m/i/d/-1", "m/i/d/x", f"m/i/d/{MOST_PIECES}"]
)
def test_other_keys_are_refused(key: str | None) -> None:
    """With what should be there."""
    with pytest.raises(WireError, match="key: "):
        decode_key(key)


WRONG: dict[str, Any] = {
    "no data": {**BODY, "data": None},
    "a text": {**BODY, "data": "file"},
    "too much": {**BODY, "data": bytes(INCIDENT_PIECE_BYTES + 1)},
    "another digest": {**BODY, "sha256": sha256(b"x").hexdigest()},
    "a number as digest": {**BODY, "sha256": 1},
    "another number": {**BODY, "number": 1},
    "more pieces than its number": {**LAST, "count": 2},
    "count is no number": {**LAST, "count": "1"},
    "more bytes than pieces": {**LAST, "size": INCIDENT_PIECE_BYTES + 1},
    "no incident": {**LAST, "incident": None},
    "incident of another format": {**LAST, "incident": incident().document() | {"format": "x"}},
    "another incident": {**LAST, "incident": incident("m-2").document()},
    "another model": {**LAST, "incident": incident(model="n").document()},
    "time is a text": {**LAST, "incident": incident().document() | {"opened": "now"}},
    "end is a text": {**LAST, "incident": incident().document() | {"closed": "now"}},
    "reasons are numbers": {**LAST, "incident": incident().document() | {"missing": [1]}},
    "move without a reason": {**LAST, "incident": incident().document() | {"moves": [{"time": 1.0}]}},
    "time of a move is a text": {
        **LAST,
        "incident": incident().document()
        | {"moves": [{"time": "", "scope": "", "trigger": "", "state": "", "actor": "", "reason": ""}]},
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_record_that_is_no_piece_is_refused(name: str) -> None:
    """No field is guessed, and none is of another type than it should be."""
    with pytest.raises(WireError):
        decode_piece(KEY, pack(PIECE_SCHEMA, WRONG[name]))


def test_piece_as_it_should_be_is_taken() -> None:
    """The records above differ from it in one field each."""
    assert decode_piece(KEY, pack(PIECE_SCHEMA, BODY)).last is None
    assert decode_piece(KEY, pack(PIECE_SCHEMA, LAST)).last is not None
