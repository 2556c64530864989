"""The incidents that judges publish, as a gateway has them: pieces come in any order, twice, or not at all.

How it works. Pieces of one version of a file are collected under its name, in slots on disk. Once all that the last
piece counts are there, the digest of the whole is checked. A file that is not whole is never handed out: its incident
is listed all the same, and those who ask for the file are told what is missing. Where room ends, the files that came
first go, and their incidents stay in the list.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from tightrope.service.adapters.incident_copies.piece_file import PieceFile, Slot
from tightrope.service.adapters.incident_copies.pieces import CopyName, LastPiece, Piece, PieceKey
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.prometheus.recording.catalogue import COPY_FAULTS
from tightrope.service.errors import UnavailableError

COPY_INCOMPLETE, COPY_DAMAGED, COPY_NO_ROOM = COPY_FAULTS


TAKEN_OVER = "another judge took over: what followed is in the next incident"


class CopyFaultError(UnavailableError):
    """The file of an incident cannot be handed out here; ``reason`` is one of `COPY_FAULTS`."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(slots=True)
class _Copy:
    """One version of a file: its pieces with their digests, the last piece, and when it first came."""

    order: int
    slots: dict[int, tuple[bytes, Slot]] = field(default_factory=dict)
    last: LastPiece | None = None
    sha256: str = ""
    is_whole: bool = False
    lacks_room: bool = False


class IncidentCopies:
    """Incidents and their files; safe to share between threads. A lock is held while the disk is read: only callers for
    files, and the thread that follows the topic, wait for it.
    """

    def __init__(self, file: PieceFile) -> None:
        self._file = file
        self._copies: dict[CopyName, _Copy] = {}
        self._arrivals = 0
        self._lock = threading.Lock()
        self._listed: Sequence[Incident] = ()

    def incidents(self) -> Sequence[Incident]:
        """The incidents of all models, oldest first; waits for nothing."""
        return self._listed

    def put(self, key: PieceKey, piece: Piece) -> None:
        """Keep a piece; one that is there already changes nothing.

        Raises:
            CopyFaultError: when the file should be whole now and is not, or there is no room for the piece.
        """
        with self._lock:
            copy = self._copies.get(key.copy) or self._begin(key.copy)
            digest = sha256(piece.data).digest()
            known = copy.slots.get(key.number)
            if known is not None and known[0] == digest and (piece.last is None or piece.last == copy.last):
                return
            if piece.last is not None:
                copy.last, copy.sha256 = piece.last, piece.sha256
            was_whole = copy.is_whole
            try:
                self._store(key, copy, digest, piece)
                self._check(key.copy, copy, is_last=piece.last is not None)
            finally:
                if piece.last is not None or copy.is_whole is not was_whole:
                    self._list()

    def remove(self, key: PieceKey) -> None:
        """Delete a piece."""
        with self._lock:
            copy = self._copies.get(key.copy)
            if copy is None:
                return
            if copy.last is not None and key.number == max(copy.last.count, 1) - 1:
                copy.last = None
            copy.is_whole = False
            known = copy.slots.pop(key.number, None)
            if not copy.slots:
                self._copies.pop(key.copy)
            self._list()
            if known is not None:
                self._file.erase(known[1])

    def drop_before(self, time: float) -> None:
        """Delete the incidents that closed before this time (s since the epoch)."""
        with self._lock:
            old = [name for name, copy in self._copies.items() if _closed_before(copy, time)]
            for name in old:
                self._empty(self._copies.pop(name))
            if old:
                self._list()

    def clear(self) -> None:
        """Delete all: the topic was made anew."""
        with self._lock:
            self._copies.clear()
            self._file.close()
            self._list()

    def file(self, name: str) -> bytes | None:
        """The file of an incident; None without an incident of this name.

        Raises:
            CopyFaultError: when it is not whole here.
            UnavailableError: when it is not published.
        """
        with self._lock:
            found = max(self._of_incident(name), key=lambda each: _rank(each[1]), default=None)
            if found is None:
                return None
            if (reason := _reason_without_file(found[1])) is not None:
                raise UnavailableError(f"incident {name}: {reason}")
            return self._joined(*found)

    def _begin(self, name: CopyName) -> _Copy:
        self._arrivals += 1
        self._copies[name] = _Copy(self._arrivals)
        return self._copies[name]

    def _store(self, key: PieceKey, copy: _Copy, digest: bytes, piece: Piece) -> None:
        if known := copy.slots.pop(key.number, None):
            self._file.erase(known[1])
        copy.is_whole = False
        slot = self._written(copy, piece.data)
        if slot is None:
            copy.lacks_room = True
            self._forget_unnamed(key.copy)
            raise self._fault(COPY_NO_ROOM, key.copy, copy)
        copy.slots[key.number] = digest, slot

    def _written(self, own: _Copy, data: bytes) -> Slot | None:
        """The slot of a piece, for which the oldest other files go; None without room."""
        try:
            while (slot := self._file.write(data)) is None:
                others = [(each.order, name) for name, each in self._copies.items() if each.slots and each is not own]
                if not others:
                    return None
                oldest = min(others)[1]
                self._copies[oldest].lacks_room = True
                self._empty(self._copies[oldest])
                self._forget_unnamed(oldest)
                self._list()
        except OSError:
            return None
        return slot

    def _forget_unnamed(self, name: CopyName) -> None:
        """Forget a file without a piece whose incident is not known."""
        if not self._copies[name].slots and self._copies[name].last is None:
            self._copies.pop(name)

    def _empty(self, copy: _Copy) -> None:
        """Give the room of a file back."""
        copy.is_whole = False
        while copy.slots:
            self._file.erase(copy.slots.popitem()[1][1])

    def _check(self, name: CopyName, copy: _Copy, *, is_last: bool) -> None:
        """Check a file that has all its pieces, or whose last piece came."""
        if copy.last is None or not copy.last.count:
            return
        if is_last or len(copy.slots) >= copy.last.count:
            self._joined(name, copy)
            copy.is_whole = True

    def _joined(self, name: CopyName, copy: _Copy) -> bytes:
        """The whole file."""
        assert copy.last is not None  # noqa: S101 - its caller has looked
        if any(number not in copy.slots for number in range(copy.last.count)):
            raise self._fault(COPY_NO_ROOM if copy.lacks_room else COPY_INCOMPLETE, name, copy)
        try:
            content = b"".join(self._file.read(copy.slots[number][1]) for number in range(copy.last.count))
        except OSError as error:
            raise self._fault(COPY_DAMAGED, name, copy) from error
        if len(content) != copy.last.size or sha256(content).hexdigest() != copy.sha256:
            copy.is_whole = False
            raise self._fault(COPY_DAMAGED, name, copy)
        return content

    def _fault(self, reason: str, name: CopyName, copy: _Copy) -> CopyFaultError:
        count = copy.last.count if copy.last else 0
        text = {
            COPY_INCOMPLETE: f"{len(copy.slots)} of its {count} pieces are here; ask again in a moment,"
            " or another gateway",
            COPY_DAMAGED: "its pieces do not match its digest; ask another gateway, or export it from the state folder"
            " of its judge with `tightrope incident CONFIG ID --export`",
            COPY_NO_ROOM: "this gateway has no room for its file (record.most_bytes, record.reserve_bytes); ask another"
            " one",
        }[reason]
        return CopyFaultError(reason, f"incident {name.incident}: {text}")

    def _of_incident(self, name: str) -> Iterator[tuple[CopyName, _Copy]]:
        yield from (each for each in self._copies.items() if each[0].incident == name and each[1].last is not None)

    def _list(self) -> None:
        """List each incident once, by its best file."""
        best: dict[str, _Copy] = {}
        for name, copy in self._copies.items():
            known = best.get(name.incident)
            if copy.last is not None and (known is None or _rank(copy) > _rank(known)):
                best[name.incident] = copy
        found = [copy.last.incident for copy in best.values() if copy.last is not None]
        self._listed = tuple(_with_ends(sorted(found, key=lambda each: each.opened)))


def _reason_without_file(copy: _Copy) -> str | None:
    """The reason for which there is no file; None if there is one."""
    assert copy.last is not None  # noqa: S101 - its caller has looked
    if copy.last.count:
        return None
    if copy.last.incident.closed is None:
        return "it is open, and the gateways of a cluster have its file once it has closed"
    return (
        "its record is too large to be published; `tightrope incident CONFIG ID --export FILE` makes its file on the"
        " machine of its judge"
    )


def _with_ends(incidents: Sequence[Incident]) -> Iterator[Incident]:
    """The incidents, oldest first. A model has one at a time: an open one before the next was left by a judge whose
    model another one has taken over, and ends with the record that goes on.
    """
    ended, following = list[Incident](), dict[str, Incident]()
    for each in reversed(incidents):
        later = following.get(each.model)
        is_left = each.closed is None and later is not None
        ended.append(replace(each, closed=later.opened).without(TAKEN_OVER) if is_left and later else each)
        following[each.model] = each
    return reversed(ended)


def _rank(copy: _Copy) -> tuple[bool, bool, bool, int]:
    """The rank of a version: that of a closed incident, a whole file, a complete record, the newest."""
    assert copy.last is not None  # noqa: S101 - its caller has looked
    return copy.last.incident.closed is not None, copy.is_whole, not copy.last.incident.missing, copy.order


def _closed_before(copy: _Copy, time: float) -> bool:
    closed = None if copy.last is None else copy.last.incident.closed
    return closed is not None and closed < time
