"""The bounded archive of compared rows on disk, for the drift report: the newest rows, and the first ones apart.

    STATE/rows/MODEL/0000000007.rows            the newest rows, in segments; the oldest segment goes first
    STATE/rows/MODEL/reference/0000000000.rows  the first rows ever, never deleted

Errors of the disk do not stop the worker: rows without room in memory or on disk are skipped and counted. When the
volume has less than its reserve (`free_space.py`), new rows are skipped and the oldest segments deleted until it has.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.archive.row_format import (
    ColumnLayout,
    FileHeader,
    Records,
    RowTable,
    pack_rows,
)
from tightrope.service.adapters.archive.segments import SegmentFolder, load_segment, segment_files
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metrics import Metrics

log = logging.getLogger(__name__)

REFERENCE_FOLDER = "reference"

MAX_QUEUED_ROWS = 32_768
"""Rows in memory that wait for the disk."""

SKIP_LOG_SECONDS = 60.0
"""Seconds between two log lines about skipped rows; the counter counts all of them."""

ROOM_CHECK_SECONDS = 2.0
"""Seconds between two checks of the volume while no rows arrive, and to wait for a write of rows that hangs."""


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
        space: FreeSpace | None = None,
    ) -> None:
        self._space = space or FreeSpace(folder)
        self._files_lock = threading.Lock()
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

    def make_room(self) -> bool:
        """Delete the oldest segments until the volume has its reserve; returns whether it has.

        Rows for people go before modes and events. The reference rows stay. False while a write of rows hangs.
        """
        if not self._files_lock.acquire(timeout=ROOM_CHECK_SECONDS):
            return False
        try:
            return self._make_room()
        except OSError as error:
            log.warning("%s: old rows cannot be deleted: %s", self._folder, error.strerror)
            return False
        finally:
            self._files_lock.release()

    def _make_room(self) -> bool:
        short = self._space.is_short()
        while short:
            dropped = {m: self._segments(m)[1].drop_oldest() for m in self._layouts if self._folder.is_dir()}
            for model, rows in dropped.items():
                self._skip(model, rows, "reserve", "the volume of the state is short of space")
            short = self._space.is_short()
            if not any(dropped.values()):
                break
        self._metrics.disk_short.set(short)
        return not short

    def _run(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=ROOM_CHECK_SECONDS)
            except queue.Empty:
                self.make_room()
                continue
            if item is None:
                return
            model, header, records = item
            try:
                self._write(model, header, records)
            except Exception as error:  # noqa: BLE001 - later rows may succeed
                self._skip(model, len(records), "disk", getattr(error, "strerror", None) or repr(error))
            with self._lock:
                self._queued_rows -= len(records)

    def _write(self, model: str, header: FileHeader, records: Records) -> None:
        if self._space.is_short() and not self.make_room():
            self._skip(model, len(records), "reserve", "the volume of the state is short of space")
            return
        with self._files_lock:
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
        if not rows:
            return
        now = time.monotonic()
        self._metrics.archive_skipped_rows.labels(model, reason).inc(rows)
        if now - self._logged_at >= SKIP_LOG_SECONDS:
            self._logged_at = now
            fields = {"event": "disk-reserve" if reason == "reserve" else "record-lost", "model": model}
            line = "%d compared rows could not be kept for the drift report (%s): %s"
            log.warning(line, rows, reason, text, extra={"fields": fields})


def read_newest(folder: Path, model: str, rows: int) -> RowTable:
    """At most ``rows`` newest rows of a model, oldest first; none without an archive."""
    return _read(folder / model, rows)


def read_reference(folder: Path, model: str, rows: int) -> RowTable:
    """At most ``rows`` first rows of a model."""
    return _read(folder / model / REFERENCE_FOLDER, None).take(slice(rows))


def _read(folder: Path, rows: int | None) -> RowTable:
    """The last ``rows`` rows of a folder, which may be written to meanwhile; unreadable files are skipped."""
    tables: list[RowTable] = []
    for path in reversed(segment_files(folder)):
        if rows is not None and sum(map(len, tables)) >= rows:
            break
        content = load_segment(path)
        if content is not None:
            tables.append(RowTable.from_records(*content))
    return RowTable.concatenate(tables[::-1]).take(slice(-rows if rows else None, None))
