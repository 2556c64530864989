"""Keeps the rows that were drawn for a label, with their inputs, so that people can review them.

A thread writes, so that the worker never waits. Rows without room in memory, on disk or among those that wait are left
out and counted: they stay drawn, and can still get their label from elsewhere.
"""

import logging
import queue
import random
import threading
from collections.abc import Iterator, Mapping
from itertools import accumulate

import numpy as np

from tightrope.monitors.veto.drawing import awaits_label, row_numbers
from tightrope.service.adapters.ports import Archive, ComparedBatch
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review.reviewed_model import DrawnRow, ReviewedModel, row_to_review
from tightrope.service.adapters.sqlite.review_table import ReviewRow, ReviewTable
from tightrope.service.errors import UnavailableError

log = logging.getLogger(__name__)

MOST_QUEUED_BATCHES = 256
"""Batches of drawn rows in memory that wait for the disk."""


class ReviewArchive:
    """Implements `ports.Archive` in front of another one: both get every batch."""

    def __init__(
        self,
        inner: Archive,
        table: ReviewTable,
        models: Mapping[str, ReviewedModel],
        metrics: Metrics,
        coins: random.Random | None = None,
    ) -> None:
        self._inner = inner
        self._table = table
        self._models = models
        self._metrics = metrics
        self._coins = coins or random.SystemRandom()
        self._queue: queue.Queue[list[ReviewRow] | None] = queue.Queue(MOST_QUEUED_BATCHES)
        self._thread = threading.Thread(target=self._run, name="review", daemon=True)

    def start(self) -> None:
        """Start to write drawn rows."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write the queued rows, for at most ``timeout`` seconds."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(timeout)

    def append(self, batch: ComparedBatch) -> None:
        """Queue the drawn rows of a batch: never waits, never raises."""
        self._inner.append(batch)
        name = batch.comparisons.model
        if (model := self._models.get(name)) is None:
            return
        try:
            if rows := list(self._drawn(model, batch)):
                self._queue.put_nowait(rows)
        except queue.Full:
            self._skip(name, len(rows), "the disk is slower than the traffic")
        except Exception as error:  # noqa: BLE001 - no row may stop the worker
            self._skip(name, 1, repr(error))

    def _drawn(self, model: ReviewedModel, batch: ComparedBatch) -> Iterator[ReviewRow]:
        rows = batch.comparisons
        draws = model.draw.of_rows(rows)
        drawn, probabilities = draws.drawn & awaits_label(rows), draws.probabilities
        lengths = [len(next(iter(part.values()))) for part in batch.inputs]
        starts = [0, *accumulate(lengths)]
        numbers = row_numbers(rows)
        for index in np.flatnonzero(drawn).tolist():
            part = int(np.searchsorted(starts, index, side="right")) - 1
            row = DrawnRow(
                model=rows.model,
                key=(rows.request_id[index], numbers[index]),
                time=float(rows.time[index]),
                probability=float(probabilities[index]),
                disagree=bool(rows.disagree[index]),
                classes=(int(rows.top_baseline[index]), int(rows.top_compressed[index])),
            )
            document = model.presenter.document(batch.inputs[part], index - starts[part])
            yield row_to_review(row, model.second, document, self._coins)

    def _run(self) -> None:
        while (rows := self._queue.get()) is not None:
            name = rows[0].model
            try:
                added = self._table.add(rows, self._models[name].most_rows)
            except UnavailableError as error:
                self._skip(name, len(rows), str(error))
            else:
                self._skip(name, len(rows) - added, "as many rows wait for a review as `most_rows` allows")

    def _skip(self, model: str, rows: int, reason: str) -> None:
        if rows:
            self._metrics.review_skipped_rows.labels(model).inc(rows)
            log.warning("%s: %d drawn rows are not kept for review: %s", model, rows, reason)
