"""The watch over the record of incidents: its metrics, and an event when the disk stops it and when it goes on.

It looks at the record's files and at what the recorder has counted, and has no part in the recording.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.journal.segments import segment_paths
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.api.incidents.library import IncidentLibrary
from tightrope.service.routing.periodic_check import PeriodicCheck

RECORD_CHECK_SECONDS = 10.0
"""Seconds between two looks at the volume."""

STOPPED, RESUMED = "record-stopped", "record-resumed"
"""The kinds of the events."""


class RecordWatch:
    """Shows the record of these models in a folder. ``skipped`` gives the inputs that were left out so far,
    ``add_event`` adds to the audit trail, ``now`` is the wall clock (s).
    """

    def __init__(
        self,
        folder: Path,
        models: Sequence[str],
        library: IncidentLibrary,
        space: FreeSpace,
        skipped: Callable[[], int],
        add_event: Callable[[Event], None],
        metrics: Metrics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._models, self._library, self._space = folder, models, library, space
        self._skipped, self._add_event, self._metrics, self._now = skipped, add_event, metrics, now
        self._counted = self._seen = 0
        self._is_stopped = False
        self._check = PeriodicCheck("record-watch", RECORD_CHECK_SECONDS, self.check)
        for model in models:
            metrics.incidents_open.labels(model)
        metrics.before_scrape(self.show)

    def start(self) -> None:
        """Start to look at the volume."""
        self._check.start()

    def stop(self, timeout: float) -> None:
        """Stop."""
        self._check.stop(timeout)

    def check(self) -> None:
        """Tell whether the disk stops the record: inputs were left out since the last look, and the volume is short."""
        skipped, is_short = self._skipped(), self._space.is_short()
        if not self._is_stopped and is_short and skipped > self._seen:
            self._is_stopped = True
            reason = "the volume of the state has less free space than record.reserve_bytes; judgement goes on"
            self._report(STOPPED, reason)
        elif self._is_stopped and not is_short:
            self._is_stopped = False
            self._report(RESUMED, "the volume of the state has its reserve again")
        self._seen = skipped

    def show(self) -> None:
        """Set the metrics, before a scrape."""
        skipped = self._skipped()
        self._metrics.record_skipped_inputs.inc(skipped - self._counted)
        self._counted = skipped
        self._metrics.record_bytes.set(sum(_size(path) for name in self._models for path in self._paths(name)))
        self._metrics.record_disk_short.set(self._space.is_short())
        is_open = [each.model for each in self._library.incidents() if each.closed is None]
        for model in self._models:
            self._metrics.incidents_open.labels(model).set(is_open.count(model))

    def _paths(self, model: str) -> Sequence[Path]:
        return segment_paths(self._folder / model)

    def _report(self, kind: str, reason: str) -> None:
        for model in self._models:
            self._add_event(Event(uuid.uuid4().hex, self._now(), model, kind, MODEL_SCOPE, "judge", reason))


def _size(path: Path) -> int:
    """The bytes of a file; 0 once it is deleted."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
