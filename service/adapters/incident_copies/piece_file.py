"""Room on disk for pieces: an unnamed file of a folder, which is gone with its process, however that ends.

Each piece has a slot of `INCIDENT_PIECE_BYTES`; what it leaves empty is a hole, and takes no room. A slot whose piece
was deleted is overwritten at once and used again. So the file never has more slots than it may have pieces at a time.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from tightrope.service.adapters.incident_copies.pieces import INCIDENT_PIECE_BYTES


class Slot(NamedTuple):
    """The place of a piece, and its bytes."""

    number: int
    size: int


class PieceFile:
    """At most ``most`` pieces in a folder, which need not exist yet. While the volume ``is_short`` of space nothing is
    written. Not to be shared between threads.
    """

    def __init__(self, folder: Path, most: int, is_short: Callable[[], bool] = lambda: False) -> None:
        self._folder, self._most, self._is_short = folder, most, is_short
        self._file: IO[bytes] | None = None
        self._free: list[int] = []
        self._slots = 0

    def write(self, data: bytes) -> Slot | None:
        """Write a piece; None if there is no room.

        Raises:
            OSError: when the disk refuses.
        """
        if self._is_short() or not (self._free or self._slots < self._most):
            return None
        number = self._free[-1] if self._free else self._slots
        file = self._opened()
        file.seek(number * INCIDENT_PIECE_BYTES)
        file.write(data)
        file.flush()
        if self._free:
            self._free.pop()
        else:
            self._slots += 1
        return Slot(number, len(data))

    def read(self, slot: Slot) -> bytes:
        """The piece in a slot, shorter if the disk lost a part of it.

        Raises:
            OSError: when the disk refuses.
        """
        file = self._opened()
        file.seek(slot.number * INCIDENT_PIECE_BYTES)
        return file.read(slot.size)

    def erase(self, slot: Slot) -> None:
        """Overwrite a piece, and free its slot.

        Raises:
            OSError: when the disk refuses; the slot is free all the same.
        """
        self._free.append(slot.number)
        file = self._opened()
        file.seek(slot.number * INCIDENT_PIECE_BYTES)
        file.write(bytes(slot.size))
        file.flush()

    def close(self) -> None:
        """Give the room back."""
        if self._file is not None:
            self._file.close()
        self._file, self._free, self._slots = None, [], 0

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - it lives as long as this object
        return self._file
