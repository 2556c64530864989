"""The ledger of what each model cost by UTC day, over restarts.

How it works. A thread of its own checks once a second whether the gateway is blind, and every few seconds adds what the
counters have grown by to the day that the wall clock shows. A portion that cannot be written stays in memory and is
written with the next one, so a full disk or a locked file loses nothing while the process lives; a process that is
killed loses the last portion. The ledger stops to write while the volume has less than its reserve, long before modes
and events have no room.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from tightrope.monitors.cost.amounts import CostAmounts
from tightrope.monitors.elapsed import not_after
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.ledger.cost_table import COSTS_FILE, CostKey, CostTable
from tightrope.service.adapters.ledger.day_cost import DayCost, day_cost
from tightrope.service.errors import UnavailableError
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.service.sampling.ledger.sources import CostSource

log = logging.getLogger(__name__)

SIGHT_CHECK_SECONDS, CHECKS_PER_WRITE = 1.0, 5
"""Time between two checks of the sight, and how many there are to a write: at most five seconds are lost."""

LEDGER_LOG_SECONDS = 60.0
"""Seconds between two log lines about what cannot be written."""

DISK_SHORT, UNWRITABLE = "disk_short", "unwritable"
"""Reasons for which a portion was not written when it was due."""


def utc_day(seconds: float) -> date:
    """The UTC day of a time in seconds since the epoch.

    >>> utc_day(86_399.0), utc_day(86_400.0)
    (datetime.date(1970, 1, 1), datetime.date(1970, 1, 2))
    """
    return datetime.fromtimestamp(seconds, UTC).date()


class CostLedger:
    """Implements `api.cost.ports.DailyCosts` over what the ``sources`` count. ``count_failure`` counts a portion that
    was not written when it was due, by its reason; ``clock`` is the wall clock, in seconds since the epoch.
    """

    def __init__(
        self,
        table: CostTable,
        sources: Sequence[CostSource],
        space: FreeSpace,
        count_failure: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table, self._sources, self._space = table, sources, space
        self._count_failure = count_failure
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[CostKey, CostAmounts] = {}
        self._begun: set[CostKey] = set()
        self._checks = 0
        self._logged_at = float("-inf")
        self._periodic = PeriodicCheck("cost-ledger", SIGHT_CHECK_SECONDS, self.check)

    def start(self) -> None:
        """Start to count."""
        self._periodic.start()

    def stop(self, timeout: float) -> None:
        """Write what was counted since the last portion; waits at most ``timeout`` seconds for the thread."""
        self._periodic.stop(timeout)
        if not self._periodic.alive:
            self.write()
            self._table.close()

    def check(self) -> None:
        """Check the sight, and write when it is time to."""
        self._checks += 1
        if self._checks % CHECKS_PER_WRITE:
            with self._lock:
                for source in self._sources:
                    source.check_sight()
        else:
            self.write()

    def write(self) -> None:
        """Count, and add to the file what it does not have yet."""
        with self._lock:  # also while the disk writes: only readers of the ledger wait for it
            self._take()
            if not self._waiting:
                return
            if self._space.is_short():
                self._put_off(DISK_SHORT, "the volume of the state is short of space")
                return
            try:
                self._table.add(self._waiting)
            except UnavailableError as error:
                self._put_off(UNWRITABLE, str(error))
                return
            self._waiting = {}

    def between(self, model: str, first: date, last: date) -> Sequence[DayCost]:
        """Return the cost of a model on each UTC day from ``first`` to ``last``, up to this moment.

        Raises:
            UnavailableError: when the file cannot be read now.
        """
        today = utc_day(self._clock())
        by_day: dict[date, dict[str, CostAmounts]] = {}
        for key, amounts in self._since(model, first):
            parts = by_day.setdefault(_not_after(key.day, today), {})
            parts[key.part] = parts.get(key.part, CostAmounts()).plus(amounts)
        return [day_cost(day, by_day[day]) for day in sorted(by_day) if first <= day <= last]

    def _since(self, model: str, first: date) -> Sequence[tuple[CostKey, CostAmounts]]:
        """The amounts that are stored from a day on, and those that wait; a portion is in one of them."""
        with self._lock:
            self._take()
            stored = self._table.since(model, first)
            waiting = [(key, amounts) for key, amounts in self._waiting.items() if key.model == model]
        return [*stored.items(), *waiting]

    def _take(self) -> None:
        """Take what was counted. A day begins with amounts of 0, which say that its part counts."""
        day = utc_day(self._clock())
        self._begun = {key for key in self._begun if key.day == day}
        for source in self._sources:
            for model, amounts in source.take().items():
                key = CostKey(day, model, source.part)
                if any(amounts) or key not in self._begun:
                    self._waiting[key] = self._waiting.get(key, CostAmounts()).plus(amounts)
                    self._begun.add(key)

    def _put_off(self, reason: str, text: str) -> None:
        self._count_failure(reason)
        if time.monotonic() - self._logged_at >= LEDGER_LOG_SECONDS:
            log.warning("what the models cost is kept in memory and not on disk: %s", text)
            self._logged_at = time.monotonic()


def _not_after(day: date, today: date) -> date:
    return date.fromordinal(int(not_after(float(day.toordinal()), float(today.toordinal()))))


def open_ledger(
    folder: Path,
    sources: Sequence[CostSource],
    record_counts: Callable[[Mapping[str, Mapping[tuple[str, ...], float]]], None],
) -> CostLedger:
    """The ledger in a state folder; its file is made with the first portion. ``record_counts`` adds to counters."""

    def count_failure(reason: str) -> None:
        record_counts({"cost_ledger_failures": {(reason,): 1}})

    return CostLedger(CostTable(folder / COSTS_FILE), sources, FreeSpace(folder), count_failure)
