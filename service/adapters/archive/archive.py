"""The archive of compared rows on disk, bounded, for the drift report: the newest rows, and the first ones apart.

    STATE/rows/MODEL/0000000007.rows            the newest rows, in segments; the oldest segment goes first
    STATE/rows/MODEL/reference/0000000000.rows  the first rows ever, kept for good

Whatever ails the disk, the worker goes on: rows that find no room in memory or on disk are skipped and counted.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tightrope.service.adapters.archive.row_format import Header, Layout, Records, Table, load, pack
from tightrope.service.adapters.ports import Compared
from tightrope.service.adapters.prometheus.metrics import Metrics

log = logging.getLogger(__name__)

SUFFIX = ".rows"
REFERENCE = "reference"

SEGMENT_ROWS = 5_000
"""Rows in one file at most, and a tenth of what is kept: so much more than asked may lie on disk."""

WAITING_ROWS = 32_768
"""Rows that may wait for the disk, in memory."""

NOTICE_EVERY = 60.0
"""Seconds between two lines in the log about skipped rows; the counter counts every one."""


class Segments:
    """One folder's files, written by one process. ``keep`` bounds the rows, but for the last file's."""

    def __init__(self, folder: Path, keep: int) -> None:
        self._folder = folder
        self._keep = keep
        self._size = max(1, min(SEGMENT_ROWS, keep // 10))
        self._rows = {path: _count(path) for path in _files(folder)}
        self._open: tuple[Path, Header] | None = None

    @property
    def rows(self) -> int:
        """Rows in all files."""
        return sum(self._rows.values())

    def append(self, header: Header, records: Records) -> None:
        """Write, a new file whenever one is full or the rows are of another kind, and drop the oldest beyond ``keep``.

        Raises:
            OSError: when the disk does not take them; what is half written is never added to.
        """
        while len(records):
            path = self._place(header)
            part = records[: self._size - self._rows[path]]
            self._open = None  # until this has gone well
            with path.open("ab") as file:
                file.write(part.tobytes())
            self._open = path, header
            self._rows[path] += len(part)
            records = records[len(part) :]
        self._trim()

    def _place(self, header: Header) -> Path:
        """The file to write to: the last one while it has room and was begun by this process, or a new one, or an
        empty one anew (a full disk leaves one, and should not leave more).
        """
        if self._open is not None and self._open[1] == header and self._rows[self._open[0]] < self._size:
            return self._open[0]
        last = max(self._rows, default=None)
        number = 0 if last is None else int(last.stem) + (self._rows[last] > 0)
        path = self._folder / f"{number:010d}{SUFFIX}"
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
    """Implements `ports.Archive`: a thread of its own writes, so that the worker never waits.

    ``layouts`` says for every model which input columns are kept; of each model the ``keep`` newest rows are, and apart
    from them so many first ones as ``reference`` says.
    """

    def __init__(
        self, folder: Path, layouts: Mapping[str, Layout], *, keep: int, reference: Mapping[str, int], metrics: Metrics
    ) -> None:
        self._folder = folder
        self._layouts = layouts
        self._keep = keep
        self._reference = reference
        self._metrics = metrics
        self._places: dict[str, tuple[Segments, Segments]] = {}
        self._queue: queue.SimpleQueue[tuple[str, Header, Records] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
        self._noticed = -NOTICE_EVERY

    def start(self) -> None:
        """Begin to write what is appended."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what waits, for at most ``timeout`` seconds."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def append(self, batch: Compared) -> None:
        """Keep these rows, or count that it could not be done. Only the columns that are kept wait in memory."""
        model, rows = batch.comparisons.model, len(batch.comparisons)
        if not self._keep:
            return
        try:
            header, records = pack(self._layouts[model], batch)
        except Exception as error:  # noqa: BLE001 - whatever is odd about a row, the worker goes on
            self._skip(model, rows, "unfit", repr(error))
            return
        with self._lock:
            room = self._waiting + rows <= WAITING_ROWS
            self._waiting += rows if room else 0
        if room:
            self._queue.put((model, header, records))
        else:
            self._skip(model, rows, "busy", "the disk is slower than the traffic")

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            model, header, records = item
            try:
                self._write(model, header, records)
            except Exception as error:  # noqa: BLE001 - whatever ails the disk, later rows get their chance
                self._skip(model, len(records), "disk", getattr(error, "strerror", None) or repr(error))
            with self._lock:
                self._waiting -= len(records)

    def _write(self, model: str, header: Header, records: Records) -> None:
        first, newest = self._place(model)
        room = max(self._reference[model] - first.rows, 0)
        first.append(header, records[:room])
        newest.append(header, records[room:])
        self._metrics.archived.labels(model).inc(len(records))

    def _place(self, model: str) -> tuple[Segments, Segments]:
        """A model's files; made when its first rows come, in the thread that may wait for the disk."""
        if model not in self._places:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = self._folder / model
            self._places[model] = Segments(folder / REFERENCE, 2 * self._reference[model]), Segments(folder, self._keep)
        return self._places[model]

    def _skip(self, model: str, rows: int, reason: str, text: str) -> None:
        now = time.monotonic()
        self._metrics.unarchived.labels(model, reason).inc(rows)
        if now - self._noticed >= NOTICE_EVERY:
            self._noticed = now
            log.warning("%d compared rows could not be kept for the drift report (%s): %s", rows, reason, text)


def newest(folder: Path, model: str, rows: int) -> Table:
    """The newest rows of a model, at most so many, oldest first; none where there is no archive yet."""
    return _read(folder / model, rows)


def reference(folder: Path, model: str, rows: int) -> Table:
    """The first rows of a model, at most so many."""
    return _read(folder / model / REFERENCE, None).take(slice(rows))


def _read(folder: Path, rows: int | None) -> Table:
    """The last ``rows`` rows of a folder that somebody may be writing to; what cannot be read is passed over."""
    found: list[Table] = []
    for path in reversed(_files(folder)):
        if rows is not None and sum(map(len, found)) >= rows:
            break
        read = _load(path)
        if read is not None:
            found.append(Table.of(*read))
    return Table.join(found[::-1]).take(slice(-rows if rows else None, None))


def _files(folder: Path) -> list[Path]:
    """Oldest first."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())


def _load(path: Path) -> tuple[Header, Any] | None:
    try:
        return load(path)
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is passed over: %s", path, error)
        return None


def _count(path: Path) -> int:
    read = _load(path)
    return 0 if read is None else len(read[1])
