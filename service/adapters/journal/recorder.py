"""Records the judgement with a thread that writes, so that the judge never waits for the disk.

What finds no room in memory or on disk is left out: it is logged, and the record of an open incident says that it is
not complete. Recording stops while the volume has less than its reserve, long before modes and events have no room.
"""

import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tightrope.monitors.folding.inputs import ComparedRows, FoldStep, LabelledRows
from tightrope.monitors.plan import Plan, State
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.journal.model_journal import ModelJournal, Recording
from tightrope.service.adapters.journal.plan_codec import PlanFormatError
from tightrope.service.adapters.journal.redaction import Redaction
from tightrope.service.adapters.sqlite.event_table import DAY_SECONDS

log = logging.getLogger(__name__)

JOURNAL_FOLDER, IDS_FILE, IDS_SECRET_BYTES = "journal", "ids.secret", 32
"""The folder of the record in the state folder, and the file with the key of the digests of ids."""

MOST_WAITING_ROWS = 65_536
"""Rows in memory that wait for the disk."""

SIZE_CHECK_SECONDS = 10.0
"""Seconds between two checks of the size of the record."""

LEFT_OUT_LOG_SECONDS = 60.0
"""Seconds between two log lines about what is left out; each line has the number since the one before."""


@dataclass(frozen=True, slots=True)
class RecordLimits:
    """How long an incident is kept, in days, and the most bytes of the record."""

    keep_days: float
    most_bytes: int


@dataclass(frozen=True, slots=True)
class RecordProgress:
    """The inputs of a model that were recorded so far, those that were left out, and why the latest were."""

    recorded: int = 0
    left_out: int = 0
    reason: str = ""


Note = tuple[Plan, State, Sequence[FoldStep], int]


class JournalRecorder:
    """Implements `ports.StepRecorder`. ``redactions`` has what is left out, of each model that is recorded."""

    def __init__(
        self,
        folder: Path,
        redactions: Mapping[str, Redaction],
        recording: Recording,
        limits: RecordLimits,
        space: FreeSpace,
    ) -> None:
        self.left_out = 0
        self._folder, self._redactions, self._recording = folder, redactions, recording
        self._limits, self._space = limits, space
        self._journals: dict[str, ModelJournal] = {}
        self._queue: queue.SimpleQueue[Note | None] = queue.SimpleQueue()
        self._waiting_rows = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._checked_at = self._logged_at = float("-inf")
        self._logged = 0
        self._reasons: dict[str, str] = {}
        self._progress = dict.fromkeys(redactions, RecordProgress())

    def start(self) -> None:
        """Start to write."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what waits, for at most ``timeout`` seconds."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def progress(self, model: str) -> RecordProgress:
        """How far the record of a model is."""
        return self._progress[model]

    def note(self, plan: Plan, before: State, steps: Sequence[FoldStep]) -> None:
        """Queue the steps, or leave them out."""
        if plan.model not in self._redactions:
            return
        rows = sum(len(step.item.rows) for step in steps if isinstance(step.item, ComparedRows | LabelledRows))
        with self._lock:
            room = self._waiting_rows + rows <= MOST_WAITING_ROWS
            self._waiting_rows += rows if room else 0
        if room:
            self._queue.put((plan, before, steps, rows))
        else:
            self._leave_out(plan.model, len(steps), "the disk is slower than the judge")

    def write_queued(self) -> bool:
        """Write the next note, waiting for it; False after the last one."""
        try:
            note = self._queue.get(timeout=SIZE_CHECK_SECONDS)
        except queue.Empty:
            return True
        if note is None:
            for model, journal in self._journals.items():
                self._end(model, journal)
            return False
        plan, before, steps, rows = note
        with self._lock:
            self._waiting_rows -= rows
        self._write(plan, before, steps)
        return True

    def _run(self) -> None:
        while self.write_queued():
            try:
                self._check_size()
            except OSError as error:
                log.warning("%s: old records cannot be deleted: %s", self._folder, error.strerror)
            except Exception:  # the thread must go on, or nothing is recorded any more
                log.exception("%s: old records cannot be deleted", self._folder)

    def _write(self, plan: Plan, before: State, steps: Sequence[FoldStep]) -> None:
        try:
            journal = self._journal(plan.model)
            if reason := self._reasons.get(plan.model, ""):
                journal.end(reason)
                del self._reasons[plan.model]
            if self._space.is_short() and not self._make_room():
                journal.end("the volume was short of space")
                self._leave_out(plan.model, len(steps), "the volume of the state is short of space")
                return
            journal.write(plan, before, steps)
            with self._lock:
                known = self._progress[plan.model]
                self._progress[plan.model] = replace(known, recorded=known.recorded + len(steps))
        except (OSError, PlanFormatError) as error:
            self._leave_out(plan.model, len(steps), getattr(error, "strerror", None) or str(error))
        except Exception:
            log.exception("%s: the judgement cannot be recorded", plan.model)
            self._leave_out(plan.model, len(steps), "an error, which is in the log")

    def _end(self, model: str, journal: ModelJournal) -> None:
        """End the record of a model with the process; where the disk refuses, the incident still lacks its reason."""
        try:
            journal.end(self._reasons.get(model))
        except OSError as error:
            log.warning("%s: the record cannot be ended: %s", model, error.strerror)

    def _journal(self, model: str) -> ModelJournal:
        """A model's journal, opened in the thread that may wait for the disk."""
        if model not in self._journals:
            redaction = self._redactions[model]
            self._journals[model] = ModelJournal(self._folder / model, model, redaction, self._recording)
        return self._journals[model]

    def _leave_out(self, model: str, steps: int, reason: str) -> None:
        with self._lock:
            self._reasons[model] = reason
            self.left_out += steps
            known = self._progress[model]
            self._progress[model] = replace(known, left_out=known.left_out + steps, reason=reason)
        now = time.monotonic()
        if now - self._logged_at >= LEFT_OUT_LOG_SECONDS:
            log.warning("%s: %d inputs are not recorded: %s", model, self.left_out - self._logged, reason)
            self._logged_at, self._logged = now, self.left_out

    def _check_size(self) -> None:
        """Delete what is too old, and the oldest while the record is too large; incidents that are open stay."""
        if time.monotonic() - self._checked_at < SIZE_CHECK_SECONDS:
            return
        self._checked_at = time.monotonic()
        before = self._recording.clock() - self._limits.keep_days * DAY_SECONDS
        for journal in self._journals.values():
            old = [
                each for each in journal.files.incidents.values() if each.closed is not None and each.closed < before
            ]
            for incident in old:
                journal.files.drop_incident(incident)
        while sum(journal.files.size for journal in self._journals.values()) > self._limits.most_bytes:
            if not self._drop_oldest():
                break

    def _make_room(self) -> bool:
        """Delete what belongs to no incident until the volume has its reserve; returns whether it has."""
        while self._space.is_short():
            if not self._drop_free_segment():
                return False
        return True

    def _drop_oldest(self) -> bool:
        """Delete the oldest segment that belongs to no incident or, without any, the oldest closed incident."""
        if self._drop_free_segment():
            return True
        closed = [
            (each.opened, journal, each)
            for journal in self._journals.values()
            for each in journal.files.incidents.values()
            if each.last is not None
        ]
        if closed:
            _, journal, incident = min(closed, key=lambda each: each[0])
            journal.files.drop_incident(incident)
        return bool(closed)

    def _drop_free_segment(self) -> bool:
        free = [(s.time, journal, s) for journal in self._journals.values() for s in journal.files.free_segments()]
        if free:
            _, journal, segment = min(free, key=lambda each: each[0])
            journal.files.drop_segment(segment)
        return bool(free)
