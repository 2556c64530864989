"""The end of the samples: a comparison of a sample beyond it is forged, and would hide all samples up to its offset."""

import time
from collections.abc import Callable

from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.ports import Bus, LogPartition
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.intake.batching import offset_ranges

MAX_REQUEST_TIME_SHARE = 0.02
"""The most of the time that requests for the end may take: on a broker one takes a tenth of a second."""

FREE_REQUEST_SECONDS = 0.005
"""A request that takes less, as one of a bus in memory does, may be made at any time."""

MAX_RECORDS_PER_SECOND, MIN_RECORDS = 10_000, 1_000
"""The fastest growth of a partition that is plausible between two requests, and the growth that always is."""


class SampleEnds:
    """Checks offsets of comparisons against the end of the samples, which is requested seldom; ``clock`` is monotonic.

    Between two requests the end is taken to grow no faster than `MAX_RECORDS_PER_SECOND`.
    """

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._clock = clock
        self._ends: dict[LogPartition, int] = {}
        self._requested, self._interval = float("-inf"), 0.0

    def check(self, batch: Comparisons) -> None:
        """Check that the samples of a batch exist, if it is of the present log.

        Raises:
            WireError: when one lies beyond the end of its partition.
            BusUnavailableError: when the end cannot be requested.
        """
        if not len(batch) or batch.log != self._bus.log:
            return
        for partition, (_, last) in offset_ranges(batch).items():
            source = (topic(SAMPLES), partition)
            if last < self._ends.get(source, 0) or self._is_plausible(source, last):
                continue
            self._request()
            if last >= self._ends.get(source, 0):
                raise WireError(
                    f"offset: is {last} in partition {partition}, where the samples end at {self._ends.get(source, 0)}"
                )

    def _is_plausible(self, source: LogPartition, last: int) -> bool:
        """Whether it is too early for another request, and the partition may have grown so far."""
        seconds = self._clock() - self._requested
        if seconds >= self._interval or source not in self._ends:
            return False
        return last < self._ends[source] + MIN_RECORDS + MAX_RECORDS_PER_SECOND * seconds

    def _request(self) -> None:
        began = self._clock()
        self._ends = dict(self._bus.ends([topic(SAMPLES)]))
        self._requested = self._clock()
        cost = self._requested - began
        self._interval = cost / MAX_REQUEST_TIME_SHARE if cost > FREE_REQUEST_SECONDS else 0.0
