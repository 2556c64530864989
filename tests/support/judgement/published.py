"""Incidents with files of few bytes, as records of the topic on which judges publish them."""

from tightrope.service.adapters.incident_copies.pieces import Piece, PieceKey, file_digest, split_file
from tightrope.service.adapters.journal.incident import Incident, Move

MOVE = Move(10.0, "group=minority", "breach", "safe", "judge", "they differ")


def incident(name: str = "m-1", opened: float = 10.0, closed: float | None = 20.0, model: str = "m") -> Incident:
    """An incident with one move."""
    return Incident(name, model, opened, 1, closed, None if closed is None else 1, moves=(MOVE,))


def pieces_of(one: Incident, content: bytes) -> list[tuple[PieceKey, Piece]]:
    """The pieces of its file."""
    return list(split_file(one, content, file_digest(one, content)))
