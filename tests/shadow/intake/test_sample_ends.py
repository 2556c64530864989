"""Comparisons of samples that do not exist are refused."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tests.support.serving.fake_clock import SetClock
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import LogPartition
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.intake.sample_ends import MAX_RECORDS_PER_SECOND, MIN_RECORDS, SampleEnds


class SlowBus(MemoryBus):
    """A bus whose end takes a tenth of a second to request."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__()
        self.clock = clock
        self.requests = 0
        self.end = 100

    def ends(self, topics: Sequence[str]) -> dict[LogPartition, int]:
        """Return the end, and count the request."""
        self.requests += 1
        self.clock.now += 0.1
        return {(topics[0], 0): self.end}


def rows(bus: MemoryBus, last: int, partition: int = 0) -> Comparisons:
    """Two rows, the second of the sample at this offset."""
    return make_comparisons(2, log=bus.log, offset=np.array([0, last]), partition=partition)


@pytest.mark.parametrize("offset", [3, 4, 2**31, 2**61])
def test_offset_beyond_the_end_is_refused(offset: int) -> None:
    """The end is asked for again before anything is refused."""
    bus = MemoryBus()
    ends = SampleEnds(bus)
    for _ in range(3):
        bus.publish(topic(SAMPLES), b"")
    ends.check(rows(bus, 2))
    with pytest.raises(WireError, match=f"offset: is {offset} in partition 0, where the samples end at 3"):
        ends.check(rows(bus, offset))
    bus.publish(topic(SAMPLES), b"")
    ends.check(rows(bus, 3))


def test_partition_that_does_not_exist_is_refused() -> None:
    """It has no samples."""
    bus = MemoryBus()
    bus.publish(topic(SAMPLES), b"")
    with pytest.raises(WireError, match="offset: is 0 in partition 7, where the samples end at 0"):
        SampleEnds(bus).check(rows(bus, 0, partition=7))


def test_end_is_requested_seldom_where_it_is_slow() -> None:
    """In between, a partition grows plausibly, and no request is made."""
    clock = SetClock()
    bus = SlowBus(clock)
    ends = SampleEnds(bus, clock)
    for offset in range(0, 1000, 10):
        bus.end = offset + 1
        ends.check(rows(bus, offset))
    assert bus.requests == 1
    with pytest.raises(WireError, match="the samples end at 991"):
        ends.check(rows(bus, 991 + MIN_RECORDS + 10 * MAX_RECORDS_PER_SECOND))
    assert bus.requests == 2
    clock.now += 5.1
    bus.end = 2000
    ends.check(rows(bus, 1999))
    assert bus.requests == 3


def test_rows_of_another_log_are_not_compared_with_this_end() -> None:
    """Their offsets mean nothing here."""
    bus = MemoryBus()
    SampleEnds(bus).check(make_comparisons(3, log="another"))
    SampleEnds(bus).check(make_comparisons(0, log=bus.log))
