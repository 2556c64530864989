"""How far behind a reader is, where the log says so, and where it does not."""

import time

from prometheus_client import CollectorRegistry

from tightrope.service.adapters.memory_bus import MemoryBus, MemorySubscription
from tightrope.service.adapters.ports import BusAwayError
from tightrope.service.adapters.prometheus import lag as behind
from tightrope.service.adapters.prometheus.lag import Behind
from tightrope.service.adapters.prometheus.metrics import Metrics


class Slow(MemorySubscription):
    """A log that takes its time to say how much there is, and then may not say it."""

    seconds, away, asked = 0.0, False, 0

    def lag(self) -> int:
        """After a while."""
        self.asked += 1
        time.sleep(self.seconds)
        if self.away:
            raise BusAwayError("a partition has no leader")
        return super().lag()


def slow(bus: MemoryBus) -> Slow:
    """A reader of a topic with three records."""
    for value in (b"a", b"b", b"c"):
        bus.publish("t", value)
    reader = bus.subscribe("t")
    reader.__class__ = Slow
    assert isinstance(reader, Slow)
    return reader


def shown(metrics: Metrics) -> float | None:
    """The metric."""
    return metrics.registry.get_sample_value("tightrope_lag_records", {"reader": "workers"})


def test_lag_is_shown_now_and_then() -> None:
    """Not at every look."""
    metrics, reader = Metrics(CollectorRegistry()), slow(MemoryBus())
    one = Behind(metrics, "workers", reader)
    one.look()
    assert shown(metrics) == 3
    reader.seek("t", 0, 2)
    one.look()
    assert (shown(metrics), reader.asked) == (3, 1)


def test_log_that_does_not_say_stops_nobody() -> None:
    """What was shown stays; a work that reads other partitions goes on."""
    metrics, reader = Metrics(CollectorRegistry()), slow(MemoryBus())
    one = Behind(metrics, "workers", reader)
    one.look()
    reader.away = True
    one._next = 0.0
    one.look()
    assert (shown(metrics), reader.asked) == (3, 2)


def test_log_that_is_slow_to_say_is_asked_the_more_seldom() -> None:
    """So that looking takes a tenth of the time at most."""
    metrics, reader = Metrics(CollectorRegistry()), slow(MemoryBus())
    reader.seconds = 0.3
    one = Behind(metrics, "workers", reader)
    one.look()
    assert one._next - time.monotonic() > 0.9 * 0.3 / behind.SHARE
