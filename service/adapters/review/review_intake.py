"""Takes the rows to review at a judge of a cluster, whose workers have the inputs and other disks.

How it works. The judge tells which rows wait for a label from now on. Those that were drawn are looked up among the
samples on the bus by the offset that each row has, so inputs travel on no further topic, and those of rows that were
not drawn are never read. A thread does it: the judge never waits.

- A row that is left out is counted, and the log says why: no room, or the samples' retention has ended it.
- After a start, or a take-over from another judge, the judge restores the rows that wait. Disagreements among them are
  not asked: their label would not count, because only the judge before knew the rows between them.
- A row whose label came from elsewhere needs no answer, so it is deleted with its input.
"""

import logging
import queue
import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.label_records import PendingRow, RowKey
from tightrope.service.adapters.ports import BusUnavailableError, PendingChanges
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review.review_archive import MOST_QUEUED_BATCHES
from tightrope.service.adapters.review.reviewed_model import DrawnRow, ReviewedModel, row_to_review
from tightrope.service.adapters.review.sample_inputs import inputs_of_row
from tightrope.service.adapters.review.unanswered_rows import drop_rows, has_room, is_known
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.errors import UnavailableError

log = logging.getLogger(__name__)

LOOKUP_RETRY_SECONDS = 5.0
"""Seconds before the next attempt to read a sample while the bus does not answer."""

NO_ROOM = "as many rows wait for a review as `most_rows` allows"
GONE = "the samples topic does not have them any more"
UNCOUNTED = "they were compared before this judge began, so their labels would not count"

ReadSample = Callable[[int, int], bytes | None]
"""The record of samples at a partition and an offset; None where the log does not have it any more. Raises
BusUnavailableError while the bus does not answer.
"""


@dataclass(frozen=True, slots=True)
class ReviewChanges:
    """Changes of one round to the rows of a model that wait for a label: ``drawn`` ones to ask about, and the keys of
    those that need no answer: ``labelled`` ones, and ``uncounted`` ones.
    """

    model: str
    drawn: Sequence[PendingRow]
    labelled: Collection[RowKey]
    uncounted: Collection[RowKey]

    def __bool__(self) -> bool:
        return bool(self.drawn or self.labelled or self.uncounted)


class ReviewIntake:
    """Fills a table with the drawn rows that a judge notes; ``read`` reads their samples."""

    def __init__(
        self,
        table: ReviewTable,
        models: Mapping[str, ReviewedModel],
        read: ReadSample,
        metrics: Metrics,
        coins: random.Random | None = None,
    ) -> None:
        self._table, self._models, self._read, self._metrics = table, models, read, metrics
        self._coins = coins or random.SystemRandom()
        self._queue: queue.Queue[ReviewChanges | None] = queue.Queue(MOST_QUEUED_BATCHES)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="review", daemon=True)

    def start(self) -> None:
        """Start to take rows."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Take the queued rows while the bus answers, for at most ``timeout`` seconds."""
        if self._thread.is_alive():
            self._stopping.set()
            self._queue.put(None)
            self._thread.join(timeout)

    def note(self, pending: Mapping[str, PendingChanges]) -> None:
        """Queue the drawn ones of the rows that wait from now on: never waits, never raises."""
        for name in pending.keys() & self._models.keys():
            try:
                changes = _changes(name, self._models[name], pending[name])
                if changes:
                    self._queue.put_nowait(changes)
            except queue.Full:
                self._skip(name, len(changes.drawn), "rows are drawn faster than their samples can be read")
            except Exception as error:  # noqa: BLE001 - no row may stop the judge
                self._skip(name, 1, repr(error))

    def _run(self) -> None:
        while (changes := self._queue.get()) is not None:
            try:
                self._take(changes)
            except Exception as error:  # noqa: BLE001 - the thread outlives every row
                self._skip(changes.model, len(changes.drawn) or 1, repr(error))

    def _take(self, changes: ReviewChanges) -> None:
        drop_rows(self._table, changes.model, changes.labelled)
        drop_rows(self._table, changes.model, changes.uncounted)
        self._skip(changes.model, len(changes.uncounted), UNCOUNTED)
        left_out: dict[str, int] = {}
        for row in changes.drawn:
            if reason := self._add(changes.model, row):
                left_out[reason] = left_out.get(reason, 0) + 1
        for reason, rows in left_out.items():
            self._skip(changes.model, rows, reason)

    def _add(self, name: str, row: PendingRow) -> str:
        """Add a row; returns the reason for which it was left out, if it was."""
        model = self._models[name]
        try:
            if is_known(self._table, name, row.key):
                return ""
            if not has_room(self._table, name, model.most_rows):
                return NO_ROOM
            found = self._input(name, row)
            if found is None:
                return GONE
            probability = float(model.draw.of_waiting([row]).probabilities[0])
            classes = row.top_baseline, row.top_compressed
            drawn = DrawnRow(name, row.key, row.time, probability, row.disagree, classes)
            document = model.presenter.document(*found)
            added = self._table.add([row_to_review(drawn, model.second, document, self._coins)], model.most_rows)
        except UnavailableError as error:
            return str(error)
        return "" if added else NO_ROOM

    def _input(self, model: str, row: PendingRow) -> tuple[Mapping[str, np.ndarray], int] | None:
        """The inputs among which a row is, and its index there; waits while the bus does not answer.

        Raises:
            UnavailableError: when it does not answer before the stop.
        """
        while True:
            try:
                value = self._read(row.partition, row.offset)
            except BusUnavailableError as error:
                if self._stopping.is_set():
                    raise UnavailableError(f"their samples cannot be read: {error}") from error
                log.warning("%s: rows to review wait, because their samples cannot be read now: %s", model, error)
                self._stopping.wait(LOOKUP_RETRY_SECONDS)
            else:
                return None if value is None else inputs_of_row(value, model, row.key)

    def _skip(self, model: str, rows: int, reason: str) -> None:
        if rows:
            self._metrics.review_skipped_rows.labels(model).inc(rows)
            log.warning("%s: %d drawn rows are not kept for review: %s", model, rows, reason)


def _changes(name: str, model: ReviewedModel, changes: PendingChanges) -> ReviewChanges:
    """The changes of a model that its review needs."""
    rows = [row for row in changes.held.values() if not row.joined and row.key not in changes.joined]
    drawn = [rows[index] for index in np.flatnonzero(model.draw.of_waiting(rows).drawn).tolist()]
    counted = [row for row in drawn if row.agreed or not row.disagree]
    uncounted = {row.key for row in drawn if row.disagree and not row.agreed}
    return ReviewChanges(name, counted, frozenset(changes.joined), uncounted)
