"""The bounded archive of compared rows on disk, for drift reports and for qualifying again: the newest rows, and the
first ones apart.

    STATE/rows/MODEL/0000000007.rows            the newest rows, in segments; the oldest segment goes first
    STATE/rows/MODEL/reference/0000000000.rows  the first rows ever, never deleted

Errors of the disk do not stop the worker: rows without room in memory or on disk are skipped and counted. When the
volume has less than its reserve (`free_space.py`), new rows are skipped and the oldest segments deleted until it has.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tightrope.monitors.label_records import Label
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.archive.row_format import ColumnLayout, PackedRows, RowTable, pack_rows
from tightrope.service.adapters.archive.row_inputs import RowKeeping
from tightrope.service.adapters.archive.row_labels import KeptLabel, RowLabels
from tightrope.service.adapters.archive.segments import SegmentFolder, load_segment, segment_files
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metrics import Metrics

log = logging.getLogger(__name__)

REFERENCE_FOLDER = "reference"

MAX_QUEUED_ROWS = 32_768
"""Rows in memory that wait for the disk."""

MAX_QUEUED_BYTES = 64 * 1024 * 1024
"""Bytes of the whole inputs of those rows."""

MAX_QUEUED_LABELS = 32_768
"""Labels in memory that wait for the disk."""

SKIP_LOG_SECONDS = 60.0
"""Seconds between two log lines about skipped rows; the counter counts all of them."""

ROOM_CHECK_SECONDS = 2.0
"""Seconds between two checks of the volume while no rows arrive, and to wait for a write of rows that hangs."""


class DiskArchive:
    """Implements `ports.Archive` and `ports.LabelKeeper` with a thread that writes, so that nothing waits for it.

    ``layouts`` has the kept input columns of every model, ``keeping`` how its rows are kept whole, ``keep`` is the
    number of newest rows of a model, and ``reference`` the number of first rows of each model.
    """

    def __init__(
        self,
        folder: Path,
        layouts: Mapping[str, ColumnLayout],
        keeping: Mapping[str, RowKeeping],
        *,
        keep: int,
        reference: Mapping[str, int],
        metrics: Metrics,
        space: FreeSpace | None = None,
    ) -> None:
        self._space = space or FreeSpace(folder)
        self._files_lock = threading.Lock()
        self._folder = folder
        self._layouts, self._keeping = layouts, keeping
        self._keep = keep
        self._reference = reference
        self._metrics = metrics
        self._folders: dict[str, tuple[SegmentFolder, SegmentFolder]] = {}
        self._labels: dict[str, RowLabels] = {}
        self._queue: queue.SimpleQueue[tuple[str, PackedRows | list[KeptLabel]] | None] = queue.SimpleQueue()
        self._queued_rows = self._queued_bytes = self._queued_labels = 0
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
        if self._queued_rows + rows > MAX_QUEUED_ROWS:  # packing takes longest
            self._skip(model, rows, "busy", "the disk is slower than the traffic")
            return
        try:
            packed = pack_rows(self._layouts[model], batch, self._keeping[model])
        except Exception as error:  # noqa: BLE001 - no row may stop the worker
            self._skip(model, rows, "unfit", repr(error))
            return
        size = len(packed.contents)
        with self._lock:
            if room := self._queued_bytes + size <= MAX_QUEUED_BYTES:
                self._queued_rows += rows
                self._queued_bytes += size
        if room:
            self._queue.put((model, packed))
        else:
            self._skip(model, rows, "busy", "the inputs are more than memory may hold until the disk has them")

    def keep_labels(self, labels: Sequence[Label]) -> None:
        """Queue these labels of rows; without room they are left out, and the log says so."""
        if not self._keep:
            return
        for model in {label.model for label in labels} & self._keeping.keys():
            digest = self._keeping[model].digest
            own = [
                KeptLabel((digest(label.request_id).encode(), label.row), label.label, label.probability)
                for label in labels
                if label.model == model
            ]
            with self._lock:
                room = self._queued_labels + len(own) <= MAX_QUEUED_LABELS
                self._queued_labels += len(own) if room else 0
            if room:
                self._queue.put((model, own))
            else:
                self._warn(model, "record-lost", f"{len(own)} labels of kept rows are left out: the disk is too slow")

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
            model, content = item
            if isinstance(content, PackedRows):
                self._write(model, content)
            else:
                self._write_labels(model, content)

    def _write(self, model: str, packed: PackedRows) -> None:
        try:
            self._write_rows(model, packed)
        except Exception as error:  # noqa: BLE001 - later rows may succeed
            self._skip(model, len(packed), "disk", getattr(error, "strerror", None) or repr(error))
        with self._lock:
            self._queued_rows -= len(packed)
            self._queued_bytes -= len(packed.contents)

    def _write_rows(self, model: str, packed: PackedRows) -> None:
        if self._space.is_short() and not self.make_room():
            self._skip(model, len(packed), "reserve", "the volume of the state is short of space")
            return
        with self._files_lock:
            first, newest = self._segments(model)
            room = max(self._reference[model] - first.rows, 0)
            head, tail = packed.take(slice(room)), packed.take(slice(room, None))
            locations = [*first.append(head), *newest.append(tail)]
            self._metrics.archived_rows.labels(model).inc(len(packed))
            self._labels[model].add_rows(locations, packed.records)

    def _write_labels(self, model: str, labels: list[KeptLabel]) -> None:
        try:
            with self._files_lock:
                self._segments(model)
                self._labels[model].write(labels)
        except Exception as error:  # noqa: BLE001 - later labels may succeed
            reason = getattr(error, "strerror", None) or repr(error)
            self._warn(model, "record-lost", f"{len(labels)} labels of kept rows could not be written: {reason}")
        with self._lock:
            self._queued_labels -= len(labels)

    def _segments(self, model: str) -> tuple[SegmentFolder, SegmentFolder]:
        """A model's reference and newest rows; opened at the first rows, in the thread that may wait for the disk."""
        if model not in self._folders:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = self._folder / model
            most = 2 * (self._keep + 2 * self._reference[model]) + MAX_QUEUED_ROWS
            self._labels[model] = RowLabels([folder / REFERENCE_FOLDER, folder], most)
            self._folders[model] = (
                SegmentFolder(folder / REFERENCE_FOLDER, 2 * self._reference[model]),
                SegmentFolder(folder, self._keep),
            )
        return self._folders[model]

    def _skip(self, model: str, rows: int, reason: str, text: str) -> None:
        if not rows:
            return
        self._metrics.archive_skipped_rows.labels(model, reason).inc(rows)
        event = "disk-reserve" if reason == "reserve" else "record-lost"
        self._warn(model, event, f"{rows} compared rows could not be kept ({reason}): {text}")

    def _warn(self, model: str, event: str, text: str) -> None:
        now = time.monotonic()
        if now - self._logged_at >= SKIP_LOG_SECONDS:
            self._logged_at = now
            log.warning("%s", text, extra={"fields": {"event": event, "model": model}})


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
