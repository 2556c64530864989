"""The lag of a reader as a gauge, measured seldom enough not to delay the reader's work."""

import contextlib
import time

from tightrope.service.adapters.metrics_ports import ReaderMetrics
from tightrope.service.adapters.ports import BusUnavailableError, Subscription

LAG_INTERVAL_SECONDS = 1.0
"""Least seconds between two measurements."""

MAX_LAG_TIME_SHARE = 0.1
"""Most of the time that measurements may take: for a partition without a leader one takes seconds, and fails."""


class LagGauge:
    """Shows a reader's lag under its group's name; the last value stays while the log is unavailable."""

    def __init__(self, metrics: ReaderMetrics, group: str, records: Subscription) -> None:
        self._metrics = metrics
        self._group = group
        self._records = records
        self._next = 0.0

    def update(self) -> None:
        """Measure, if it is time to."""
        began = time.monotonic()
        if began < self._next:
            return
        with contextlib.suppress(BusUnavailableError):  # the bus logs it
            self._metrics.set_lag(self._group, self._records.lag())
        ended = time.monotonic()
        self._next = ended + max(LAG_INTERVAL_SECONDS, (ended - began) / MAX_LAG_TIME_SHARE)
