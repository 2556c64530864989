"""How far behind a reader is, for people to see; looking must never hold up its work."""

import contextlib
import time

from tightrope.service.adapters.ports import BusAwayError, Subscription
from tightrope.service.adapters.prometheus.metrics import Metrics

EVERY = 1.0
"""Seconds between two looks, at least."""

SHARE = 0.1
"""Of the time, at most, that looking takes: a partition without a leader takes seconds to say nothing."""


class Behind:
    """Shows a reader's lag under its group's name; where the log does not say, what was shown stays."""

    def __init__(self, metrics: Metrics, group: str, records: Subscription) -> None:
        self._gauge = metrics.lag.labels(group)
        self._records = records
        self._next = 0.0

    def look(self) -> None:
        """If it is time to."""
        began = time.monotonic()
        if began < self._next:
            return
        with contextlib.suppress(BusAwayError):  # which the bus itself complains of
            self._gauge.set(self._records.lag())
        ended = time.monotonic()
        self._next = ended + max(EVERY, (ended - began) / SHARE)
