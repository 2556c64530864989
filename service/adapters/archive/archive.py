"""The bounded archive of compared rows on disk, for the drift report: the newest rows, and the first ones apart.

    STATE/rows/MODEL/0000000007.rows            the newest rows, in segments; the oldest segment goes first
    STATE/rows/MODEL/reference/0000000000.rows  the first rows ever, never deleted

Errors of the disk do not stop the worker: rows without room in memory or on disk are skipped and counted.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tightrope.service.adapters.archive.row_format import (
    ColumnLayout,
    FileHeader,
    Records,
    RowTable,
    load_rows,
    pack_rows,
)
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metrics import Metrics

log = logging.getLogger(__name__)

ROWS_SUFFIX = ".rows"
REFERENCE_FOLDER = "reference"

SEGMENT_ROWS = 5_000
"""Rows in one file, at most this number and a tenth of the kept rows; the disk may hold that many more."""

MAX_QUEUED_ROWS = 32_768
"""Rows in memory that wait for the disk."""

SKIP_LOG_SECONDS = 60.0
"""Seconds between two log lines about skipped rows; the counter counts all of them."""


class SegmentFolder:
    """The files of one folder, written by one process. ``keep`` bounds the rows, except those of the last file."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep
        self._size = max(1, min(SEGMENT_ROWS, keep // 10))
        self._rows = {path: _count(path) for path in _files(folder)}
        self._open: tuple[Path, FileHeader] | None = None

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(self._rows.values())

    def append(self, header: FileHeader, records: Records) -> None:
        """Write rows, to a new file when one is full or the header differs, and delete the oldest beyond ``keep``.

        Raises:
            OSError: when the disk refuses; a partly written file is not continued.
        """
        while len(records):
            path = self._current_file(header)
            part = records[: self._size - self._rows[path]]
            self._open = None  # until the write succeeds
            with path.open("ab") as file:
                file.write(part.tobytes())
            self._open = path, header
            self._rows[path] += len(part)
            records = records[len(part) :]
        self._trim()

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
        path.write_bytes(header.line())
        self._rows[path] = 0
        return path

    def _trim(self) -> None:
        for path in sorted(self._rows)[:-1]:
            if self.rows - self._rows[path] < self._keep:
                return
            path.unlink(missing_ok=True)
            del self._rows[path]


class DiskArchive:
    """Implements `ports.Archive` with a thread that writes, so that the worker never waits.

    ``layouts`` has the kept input columns of every model, ``keep`` is the number of newest rows of a model, and
    ``reference`` the number of first rows of each model.
    """

    def __init__(
        self,
        folder: Path,
        layouts: Mapping[str, ColumnLayout],
        *,
        keep: int,
        reference: Mapping[str, int],
        metrics: Metrics,
    ) -> None:
        self._folder = folder
        self._layouts = layouts
        self._keep = keep
        self._reference = reference
        self._metrics = metrics
        self._folders: dict[str, tuple[SegmentFolder, SegmentFolder]] = {}
        self._queue: queue.SimpleQueue[tuple[str, FileHeader, Records] | None] = queue.SimpleQueue()
        self._queued_rows = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
        self._logged_at = -SKIP_LOG_SECONDS

    def start(self) -> None:
        """Start to write appended rows."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write the queued rows, for at most ``timeout`` seconds."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def append(self, batch: ComparedBatch) -> None:
        """Queue these rows, or count them as skipped. Only the kept columns are queued."""
        model, rows = batch.comparisons.model, len(batch.comparisons)
        if not self._keep:
            return
        try:
            header, records = pack_rows(self._layouts[model], batch)
        except Exception as error:  # noqa: BLE001 - no row may stop the worker
            self._skip(model, rows, "unfit", repr(error))
            return
        with self._lock:
            room = self._queued_rows + rows <= MAX_QUEUED_ROWS
            self._queued_rows += rows if room else 0
        if room:
            self._queue.put((model, header, records))
        else:
            self._skip(model, rows, "busy", "the disk is slower than the traffic")

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            model, header, records = item
            try:
                self._write(model, header, records)
            except Exception as error:  # noqa: BLE001 - later rows may succeed
                self._skip(model, len(records), "disk", getattr(error, "strerror", None) or repr(error))
            with self._lock:
                self._queued_rows -= len(records)

    def _write(self, model: str, header: FileHeader, records: Records) -> None:
        first, newest = self._segments(model)
        room = max(self._reference[model] - first.rows, 0)
        first.append(header, records[:room])
        newest.append(header, records[room:])
        self._metrics.archived_rows.labels(model).inc(len(records))

    def _segments(self, model: str) -> tuple[SegmentFolder, SegmentFolder]:
        """A model's reference and newest rows; opened at the first rows, in the thread that may wait for the disk."""
        if model not in self._folders:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = self._folder / model
            self._folders[model] = (
                SegmentFolder(folder / REFERENCE_FOLDER, 2 * self._reference[model]),
                SegmentFolder(folder, self._keep),
            )
        return self._folders[model]

    def _skip(self, model: str, rows: int, reason: str, text: str) -> None:
        now = time.monotonic()
        self._metrics.archive_skipped_rows.labels(model, reason).inc(rows)
        if now - self._logged_at >= SKIP_LOG_SECONDS:
            self._logged_at = now
            log.warning("%d compared rows could not be kept for the drift report (%s): %s", rows, reason, text)


def read_newest(folder: Path, model: str, rows: int) -> RowTable:
    """At most ``rows`` newest rows of a model, oldest first; none without an archive."""
    return _read(folder / model, rows)


def read_reference(folder: Path, model: str, rows: int) -> RowTable:
    """At most ``rows`` first rows of a model."""
    return _read(folder / model / REFERENCE_FOLDER, None).take(slice(rows))


def _read(folder: Path, rows: int | None) -> RowTable:
    """The last ``rows`` rows of a folder, which may be written to meanwhile; unreadable files are skipped."""
    tables: list[RowTable] = []
    for path in reversed(_files(folder)):
        if rows is not None and sum(map(len, tables)) >= rows:
            break
        content = _load(path)
        if content is not None:
            tables.append(RowTable.from_records(*content))
    return RowTable.concatenate(tables[::-1]).take(slice(-rows if rows else None, None))


def _files(folder: Path) -> list[Path]:
    """The files of a folder, oldest first."""
    return sorted(path for path in folder.glob(f"*{ROWS_SUFFIX}") if path.stem.isdecimal())


def _load(path: Path) -> tuple[FileHeader, Any] | None:
    try:
        return load_rows(path)
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is skipped: %s", path, error)
        return None


def _count(path: Path) -> int:
    content = _load(path)
    return 0 if content is None else len(content[1])
