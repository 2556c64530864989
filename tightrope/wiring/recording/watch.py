"""The watch over the record of incidents: its metrics, and an event when something stops it and when it goes on.

It looks at the record's files and at what the recorder has counted, and has no part in the recording.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.journal.recorder import RecordProgress
from tightrope.service.adapters.journal.segments import segment_paths
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.api.incidents.library import IncidentLibrary
from tightrope.service.routing.periodic_check import PeriodicCheck

RECORD_CHECK_SECONDS = 10.0
"""Seconds between two looks at the volume."""

STOPPED, RESUMED = "record-stopped", "record-resumed"
"""The kinds of the events."""

DISK, ERROR = "disk", "error"
"""The causes in the events' details: the volume is short of space, or something else."""

SHORT = "the volume of the state has less free space than record.reserve_bytes; judgement goes on"
ROOM = "the volume of the state has its reserve again"
GOES_ON = "what is judged can be recorded again; what came between is missing"

PROBE_FILE = "probe.part"
"""The file that is made and deleted to see whether the record can be written while there is no incident."""


class RecordWatch:
    """Shows the record of these models in a folder. ``progress`` tells how far that of a model is, ``add_event`` adds
    to the audit trail, ``now`` is the wall clock (s).
    """

    def __init__(
        self,
        folder: Path,
        models: Sequence[str],
        library: IncidentLibrary,
        space: FreeSpace,
        progress: Callable[[str], RecordProgress],
        add_event: Callable[[Event], None],
        metrics: Metrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._models, self._library, self._space = folder, models, library, space
        self._progress, self._add_event, self._metrics, self._now = progress, add_event, metrics.record, now
        self._counted = 0
        self._seen = {model: progress(model) for model in models}
        self._stopped: dict[str, str] = {}
        self._check = PeriodicCheck("record-watch", RECORD_CHECK_SECONDS, self.check)
        for model in models:
            self._metrics.incidents_open.labels(model)
            self._metrics.record_stopped.labels(model).set(0)
        metrics.before_scrape(self.show)

    def start(self) -> None:
        """Start to look at the volume."""
        self._check.start()

    def stop(self, timeout: float) -> None:
        """Stop."""
        self._check.stop(timeout)

    def check(self) -> None:
        """Tell for each model whether something stops its record, and when it goes on."""
        is_short = self._space.is_short()
        for model in self._models:
            self._check_model(model, self._progress(model), is_short=is_short)
            self._metrics.record_stopped.labels(model).set(model in self._stopped)

    def _check_model(self, model: str, progress: RecordProgress, *, is_short: bool) -> None:
        seen, self._seen[model] = self._seen[model], progress
        is_skipping, is_recording = progress.left_out > seen.left_out, progress.recorded > seen.recorded
        fault = "" if is_short else self._fault(model)
        stopped = self._stopped.get(model)
        if stopped is None:
            if is_skipping and is_short:
                self._stop(model, DISK, SHORT)
            elif fault or (is_skipping and not is_recording):
                self._stop(model, ERROR, fault or progress.reason)
        elif stopped == DISK and not is_short:
            self._resume(model, ROOM)
        elif stopped == ERROR and is_recording and not is_skipping and not fault:
            self._resume(model, GOES_ON)

    def _fault(self, model: str) -> str:
        """The reason for which the record of a model could not be written now; empty without one."""
        folder = self._folder / model
        try:
            folder = folder if folder.exists() else self._folder
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = folder / PROBE_FILE
            probe.touch(mode=0o600)
            probe.unlink()
        except OSError as error:
            return f"{folder} cannot be written: {error.strerror}"
        return ""

    def _stop(self, model: str, cause: str, reason: str) -> None:
        self._stopped[model] = cause
        self._report(model, STOPPED, cause, reason)

    def _resume(self, model: str, reason: str) -> None:
        self._report(model, RESUMED, self._stopped.pop(model), reason)

    def show(self) -> None:
        """Set the metrics, before a scrape."""
        skipped = sum(self._progress(model).left_out for model in self._models)
        self._metrics.record_skipped_inputs.inc(skipped - self._counted)
        self._counted = skipped
        self._metrics.record_bytes.set(
            sum(_size(path) for name in self._models for path in segment_paths(self._folder / name))
        )
        self._metrics.record_disk_short.set(self._space.is_short())
        is_open = [each.model for each in self._library.incidents() if each.closed is None]
        for model in self._models:
            self._metrics.incidents_open.labels(model).set(is_open.count(model))

    def _report(self, model: str, kind: str, cause: str, reason: str) -> None:
        fields = model, kind, MODEL_SCOPE, "judge", reason, {"cause": cause}
        self._add_event(Event(uuid.uuid4().hex, self._now(), *fields))


def _size(path: Path) -> int:
    """The bytes of a file; 0 once it is deleted."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
