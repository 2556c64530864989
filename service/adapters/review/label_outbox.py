"""Publishes the labels of reviewers, and deletes each once the bus has stored it.

They are on disk until then, so that neither an unreachable broker nor the end of the process loses one. A process that
ends between the acknowledgement and the deletion publishes a label again: judges count the first label of a row.
"""

import logging
import threading
from collections.abc import Sequence

from tightrope.monitors.label_records import Label
from tightrope.service.adapters.ports import Bus, BusFullError, BusUnavailableError, NotPermittedError, UndeliveredError
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import encode_labels

log = logging.getLogger(__name__)

LABELS_AT_ONCE = 500
"""Labels that are published before their acknowledgement is waited for."""

SOURCE_PREFIX = "review:"
"""Before the reviewer's digest, in the source of a label."""


class LabelOutbox:
    """Publishes the outgoing labels of a table. ``patience`` is the time (s) to wait for the bus to store them; 0 for a
    bus in this process, which stores at once.
    """

    def __init__(self, table: ReviewTable, bus: Bus, patience: float = 0.0) -> None:
        self._table, self._bus, self._patience = table, bus, patience
        self._lock = threading.Lock()
        self._published: Sequence[int] = ()
        self._is_held_up = False

    @property
    def is_immediate(self) -> bool:
        """Whether a delivery waits for nothing, so that a request may make it."""
        return not self._patience

    def deliver(self) -> None:
        """Publish what waits. What cannot be published or stored now waits for the next call; the log says so once.

        Raises:
            UnavailableError: when the disk fails.
        """
        if not self._lock.acquire(blocking=False):  # another thread delivers
            return
        try:
            self._settle()
            while labels := self._waiting():
                self._publish(labels)
                self._settle()
        except (BusFullError, BusUnavailableError, NotPermittedError, TimeoutError, UndeliveredError) as error:
            if not self._is_held_up:
                log.warning("labels of reviewers wait on disk until they can be published: %s", error)
            self._is_held_up = True
        else:
            if self._is_held_up:
                log.warning("the labels of reviewers that waited are published")
            self._is_held_up = False
        finally:
            self._lock.release()

    def _publish(self, labels: Sequence[tuple[int, Label]]) -> None:
        """Publish labels, with a record for each model."""
        self._published = [number for number, _ in labels]
        try:
            for model in dict.fromkeys(label.model for _, label in labels):
                own = [label for _, label in labels if label.model == model]
                self._bus.publish(topic(LABELS), encode_labels(own), model)
        except BaseException:
            self._published = ()
            raise

    def _settle(self) -> None:
        """Wait until what was published is stored, and delete it here. After a timeout it may still be stored, so it is
        waited for again rather than published again.
        """
        if not self._published:
            return
        try:
            self._bus.flush(self._patience)
        except TimeoutError:
            raise
        except BaseException:
            self._published = ()
            raise
        with self._table.transaction() as db:
            db.executemany("DELETE FROM outgoing WHERE number = ?", [(number,) for number in self._published])
        self._published = ()

    def _waiting(self) -> list[tuple[int, Label]]:
        query = "SELECT number, model, request_id, row, label, at, reviewer, probability FROM outgoing"
        with self._table.transaction() as db:
            found = db.execute(f"{query} ORDER BY number LIMIT ?", (LABELS_AT_ONCE,)).fetchall()
        return [
            (number, Label(model, name, row, label, at, f"{SOURCE_PREFIX}{reviewer}", probability))
            for number, model, name, row, label, at, reviewer, probability in found
        ]
