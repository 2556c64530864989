"""Keeps the days of reviews: gives compared rows the probabilities of their day, and stores what the next one needs.

A row gets its probabilities before its comparison is published, so that the judge, the queue and the label have the
same. The day is that of the comparison, by this machine's clock in UTC: no time in a request chooses it. The rows of
the last seconds before a crash may be missing in the next day's probabilities, which stay fixed before its rows.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from msgspec import MsgspecError, json

from tightrope.monitors.records import Comparisons
from tightrope.monitors.review.daily_cap import SECONDS_PER_DAY, DailyCap, ReviewDays
from tightrope.service.errors import UnavailableError

log = logging.getLogger(__name__)


class DayTable(Protocol):
    """Storage of one document a model."""

    def days(self, model: str) -> bytes | None:
        """The document of a model, None without one."""

    def store_days(self, model: str, document: bytes) -> None:
        """Replace the document of a model."""


@dataclass(frozen=True, slots=True)
class StoredDays:
    """A model's days with the cap that they were made for, as they are stored."""

    cap: DailyCap
    days: ReviewDays


class DailyChances:
    """Thread-safe; ``caps`` are those of the models that have one, ``clock`` gives seconds since the epoch."""

    def __init__(self, table: DayTable, caps: Mapping[str, DailyCap], clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self.caps = caps
        self._clock = clock
        self._lock = threading.Lock()
        self._days = {name: self._restored(name, cap) for name, cap in caps.items()}
        self._saved = dict(self._days)

    def stamp(self, rows: Comparisons) -> Comparisons:
        """Count compared rows, and return them with their probabilities; rows of other models stay as they are."""
        cap = self.caps.get(rows.model)
        if cap is None or not len(rows):
            return rows
        with self._lock:
            days, stamped = self._today(rows.model, cap).after(cap, rows)
            self._days[rows.model] = days
        return stamped

    def today(self, model: str) -> ReviewDays:
        """The days of a model that has a cap."""
        with self._lock:
            return self._today(model, self.caps[model])

    def save(self) -> None:
        """Store what has changed; while the disk fails, it is tried again the next time.

        Raises:
            UnavailableError: when the disk fails.
        """
        with self._lock:
            changed = {name: days for name, days in self._days.items() if days is not self._saved[name]}
        for name, days in changed.items():
            self._table.store_days(name, json.encode(StoredDays(self.caps[name], days)))
            self._saved[name] = days

    def _today(self, model: str, cap: DailyCap) -> ReviewDays:
        before = self._days[model]
        days = before.on_day(cap, self._day())
        if days is not before:
            self._days[model] = days
            _tell_excess(model, cap, days)
        return days

    def _day(self) -> int:
        return int(self._clock() // SECONDS_PER_DAY)

    def _restored(self, model: str, cap: DailyCap) -> ReviewDays:
        """The stored days of a model, with the probabilities of this cap if it is another one."""
        begun = ReviewDays.begin(cap, self._day())
        try:
            document = self._table.days(model)
            if document is None:
                return begun
            stored = json.decode(document, type=StoredDays)
        except (MsgspecError, UnavailableError) as error:
            log.warning(
                "%s: the rows reviewed on earlier days cannot be read, so today has no cap yet: %s", model, error
            )
            return begun
        return stored.days if stored.cap == cap else stored.days.fitted(cap)


def _tell_excess(model: str, cap: DailyCap, days: ReviewDays) -> None:
    """Log the groups for which the least probability asks more of people than the cap says."""
    over: dict[str, float] = {}
    for seen in days.completed.values():
        for scope, rows in seen.items():
            if (expected := cap.expected(rows, scope, days.chances)) > cap.rows + 0.5:
                over[scope] = max(over.get(scope, 0.0), expected)
    for scope, expected in over.items():
        log.warning(
            "%s: about %.0f rows of %s may be drawn for review today, more than per_group_daily, %d: "
            "no disagreement is drawn with less than %g",
            *(model, expected, scope, cap.rows, cap.draw.least),
        )
