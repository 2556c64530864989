"""Files of compared rows in a folder: each holds a bounded number of rows, and the oldest file is deleted first.

0000000007.rows    the records
0000000007.inputs  the whole inputs of its rows, written before the records
"""

import logging
from pathlib import Path
from typing import Any

from tightrope.service.adapters.archive.row_format import FileHeader, PackedRows, load_rows

log = logging.getLogger(__name__)

ROWS_SUFFIX, INPUTS_SUFFIX = ".rows", ".inputs"

SEGMENT_ROWS = 5_000
"""Rows in one file, at most this number and a tenth of the kept rows; the disk may hold that many more."""


class SegmentFolder:
    """The files of one folder, written by one process. ``keep`` bounds the rows, except those of the last file."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep
        self._size = max(1, min(SEGMENT_ROWS, keep // 10))
        self._rows = {path: _count(path) for path in segment_files(folder)}
        self._open: tuple[Path, FileHeader] | None = None

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(self._rows.values())

    def append(self, packed: PackedRows) -> list[tuple[Path, int]]:
        """Write rows, to a new file when one is full or the header differs, and delete the oldest beyond ``keep``.
        Returns each row's file and its number there.

        Raises:
            OSError: when the disk refuses; a partly written file is not continued.
        """
        locations: list[tuple[Path, int]] = []
        while len(packed):
            path = self._current_file(packed.header)
            count = self._rows[path]
            part = packed.take(slice(self._size - count))
            self._open = None  # until the write succeeds
            self._write(path, part)
            self._open = path, packed.header
            self._rows[path] += len(part)
            locations += [(path, count + index) for index in range(len(part))]
            packed = packed.take(slice(len(part), None))
        self._trim()
        return locations

    def _write(self, path: Path, part: PackedRows) -> None:
        begin = 0
        if part.contents:
            with path.with_suffix(INPUTS_SUFFIX).open("ab") as file:
                begin = file.tell()
                file.write(part.contents)
        part.records["begin"][part.records["size"] >= 0] += begin
        with path.open("ab") as file:
            file.write(part.records.tobytes())

    def drop_oldest(self) -> int:
        """Delete the oldest file; returns its rows, 0 if there is no file."""
        if not self._rows:
            return 0
        path = min(self._rows)
        _delete(path)
        if self._open is not None and self._open[0] == path:
            self._open = None
        return self._rows.pop(path)

    def _current_file(self, header: FileHeader) -> Path:
        """The file to write to: the open one while it has room; else a new one, or the last one if it is empty: a full
        disk leaves one empty file behind, and not more.
        """
        if self._open is not None and self._open[1] == header and self._rows[self._open[0]] < self._size:
            return self._open[0]
        last = max(self._rows, default=None)
        number = 0 if last is None else int(last.stem) + (self._rows[last] > 0)
        path = self._folder / f"{number:010d}{ROWS_SUFFIX}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.with_suffix(INPUTS_SUFFIX).unlink(missing_ok=True)
        path.write_bytes(header.line())
        self._rows[path] = 0
        return path

    def _trim(self) -> None:
        for path in sorted(self._rows)[:-1]:
            if self.rows - self._rows[path] < self._keep:
                return
            _delete(path)
            del self._rows[path]


def _delete(path: Path) -> None:
    """Delete the records first: inputs without records cannot be found."""
    path.unlink(missing_ok=True)
    path.with_suffix(INPUTS_SUFFIX).unlink(missing_ok=True)


def segment_files(folder: Path) -> list[Path]:
    """The files of a folder, oldest first."""
    return sorted(path for path in folder.glob(f"*{ROWS_SUFFIX}") if path.stem.isdecimal())


def load_segment(path: Path) -> tuple[FileHeader, Any] | None:
    """Return the header and the records of a file, or None when it cannot be read."""
    try:
        return load_rows(path)
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is skipped: %s", path, error)
        return None


def _count(path: Path) -> int:
    content = load_segment(path)
    return 0 if content is None else len(content[1])
