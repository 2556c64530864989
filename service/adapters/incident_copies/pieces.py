"""The pieces in which a judge publishes the file of an incident, one record each.

The key is MODEL/INCIDENT/DIGEST/NUMBER: the digest has the first characters of the SHA-256 of the file, so that pieces
of two files never mix, also those of two judges. A record with an empty value deletes the piece of its key. The last
piece says how many there are and how many bytes, and has the incident itself. A file that is not published, because the
incident is open or its record too large, has no bytes: its only piece is the last one, and says 0.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from tightrope.service.adapters.journal.incident import Incident, IncidentError, read_incident
from tightrope.service.adapters.wire.envelope import WireError, check_fields, mapping, pack, unpack

PIECE_SCHEMA = "tightrope.incident-piece"

INCIDENT_PIECE_BYTES = 500_000
"""Most bytes of a file in one piece; its record has at most 512 kB, unless the incident has very many moves."""

MOST_PIECES = 2_048
"""Pieces of one file that a reader takes."""

DIGEST_CHARS = 16

_NUMBERS = frozenset(map(str, range(MOST_PIECES)))


class CopyName(NamedTuple):
    """One version of the file of an incident: after an erasure an incident has another ``digest``."""

    model: str
    incident: str
    digest: str


class PieceKey(NamedTuple):
    """The key of a piece."""

    copy: CopyName
    number: int

    def __str__(self) -> str:
        """As it stands in a record."""
        return f"{'/'.join(self.copy)}/{self.number}"


@dataclass(frozen=True, slots=True)
class LastPiece:
    """The whole file as its last piece tells: its pieces, its bytes, and the incident."""

    count: int
    size: int
    incident: Incident


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file with this ``sha256`` (hexadecimal)."""

    sha256: str
    data: bytes
    last: LastPiece | None = None


def copy_name(incident: Incident, digest: str) -> CopyName:
    """The name of a version of a file by its SHA-256."""
    return CopyName(incident.model, incident.id, digest[:DIGEST_CHARS])


def keys_of(copy: CopyName, count: int) -> list[PieceKey]:
    """The keys of all pieces of a file, or of the only one of a file that is not published."""
    return [PieceKey(copy, number) for number in range(max(count, 1))]


def split_file(incident: Incident, content: bytes, digest: str) -> Iterator[tuple[PieceKey, Piece]]:
    """The pieces of a file with this SHA-256, the last one at the end; of no bytes if the file is not published."""
    parts: Sequence[bytes] = [
        content[at : at + INCIDENT_PIECE_BYTES] for at in range(0, len(content), INCIDENT_PIECE_BYTES)
    ] or [b""]
    last = LastPiece(len(parts) if content else 0, len(content), incident)
    keys = keys_of(copy_name(incident, digest), last.count)
    for key, data in zip(keys, parts, strict=True):
        yield key, Piece(digest, data, last if key == keys[-1] else None)


def file_digest(incident: Incident, content: bytes) -> str:
    """The SHA-256 of a file; that of the incident where the file is not published."""
    return sha256(content or json.dumps(incident.document()).encode()).hexdigest()


def encode_piece(key: PieceKey, piece: Piece) -> bytes:
    """A piece as the value of its record."""
    body: dict[str, object] = {"sha256": piece.sha256, "number": key.number, "data": piece.data}
    if piece.last is not None:
        body |= {"count": piece.last.count, "size": piece.last.size, "incident": piece.last.incident.document()}
    return pack(PIECE_SCHEMA, body)


def decode_key(key: str | None) -> PieceKey:
    """The key of a record.

    Raises:
        WireError: when it is not one of a piece.
    """
    parts = (key or "").rsplit("/", 3)
    if len(parts) != len(PieceKey._fields) + len(CopyName._fields) - 1 or not all(parts):
        raise WireError(f"key: {str(key)[:80]!r} where MODEL/INCIDENT/DIGEST/NUMBER should be")
    number = parts.pop()
    if number not in _NUMBERS:
        raise WireError(f"key: {number[:20]!r} where a number below {MOST_PIECES} should be")
    return PieceKey(CopyName(*parts), int(number))


def decode_piece(key: PieceKey, value: bytes) -> Piece:
    """The piece of a record.

    Raises:
        WireError: when it is not one of this version, or does not belong under this key.
    """
    body = mapping(unpack(value, PIECE_SCHEMA), "piece")
    digest, data = body.get("sha256"), body.get("data")
    if type(digest) is not str or type(data) is not bytes or len(data) > INCIDENT_PIECE_BYTES:
        raise WireError(f"piece: must have sha256, a text, and data, at most {INCIDENT_PIECE_BYTES} bytes")
    if (digest[:DIGEST_CHARS], body.get("number")) != (key.copy.digest, key.number):
        raise WireError("piece: sha256 and number are not those of its key")
    return Piece(digest, data, _last_piece(key, body) if "count" in body else None)


def _last_piece(key: PieceKey, body: object) -> LastPiece:
    fields = mapping(body, "piece")
    count, size = fields["count"], fields.get("size")
    if type(count) is not int or type(size) is not int or not 0 <= size <= count * INCIDENT_PIECE_BYTES:
        raise WireError("piece: count and size must be whole numbers that fit each other")
    if max(count, 1) - 1 != key.number:
        raise WireError(f"piece: says that there are {count}, and is number {key.number}")
    incident = _checked_incident(fields.get("incident"))
    if (incident.model, incident.id) != key.copy[:2]:
        raise WireError("piece: its incident is not that of its key")
    return LastPiece(count, size, incident)


def _checked_incident(document: object) -> Incident:
    try:
        incident = read_incident(mapping(document, "piece.incident"))
    except IncidentError as error:
        raise WireError(f"piece.incident: {error}") from error
    check_fields(incident, "piece.incident")
    if incident.closed is not None and type(incident.closed) not in {int, float}:
        raise WireError("piece.incident.closed: must be a number")
    if not all(type(reason) is str for reason in incident.missing):
        raise WireError("piece.incident.missing: must be texts")
    for move in incident.moves:
        check_fields(move, "piece.incident.moves")
    return incident
