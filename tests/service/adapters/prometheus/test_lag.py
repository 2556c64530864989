"""The lag of a reader, with the log available and unavailable."""

import time

from prometheus_client import CollectorRegistry

from tightrope.service.adapters.memory_bus import MemoryBus, MemorySubscription
from tightrope.service.adapters.ports import BusUnavailableError
from tightrope.service.adapters.prometheus.lag import MAX_LAG_TIME_SHARE, LagGauge
from tightrope.service.adapters.prometheus.metrics import Metrics


class SlowReader(MemorySubscription):
    """A log that measures slowly, and may fail to."""

    seconds, unavailable, calls = 0.0, False, 0

    def lag(self) -> int:
        """Wait, then return or raise."""
        self.calls += 1
        time.sleep(self.seconds)
        if self.unavailable:
            raise BusUnavailableError("a partition has no leader")
        return super().lag()


def slow_reader(bus: MemoryBus) -> SlowReader:
    """A reader of a topic with three records."""
    for value in (b"a", b"b", b"c"):
        bus.publish("t", value)
    reader = bus.subscribe("t")
    reader.__class__ = SlowReader
    assert isinstance(reader, SlowReader)
    return reader


def shown(metrics: Metrics) -> float | None:
    """The value of the metric."""
    return metrics.registry.get_sample_value("tightrope_lag_records", {"reader": "workers"})


def test_lag_is_measured_at_intervals() -> None:
    """Not every update measures."""
    metrics, reader = Metrics(CollectorRegistry()), slow_reader(MemoryBus())
    gauge = LagGauge(metrics, "workers", reader)
    gauge.update()
    assert shown(metrics) == 3
    reader.seek("t", 0, 2)
    gauge.update()
    assert (shown(metrics), reader.calls) == (3, 1)


def test_unavailable_log_keeps_the_last_value() -> None:
    """The last value stays, and the reader continues."""
    metrics, reader = Metrics(CollectorRegistry()), slow_reader(MemoryBus())
    gauge = LagGauge(metrics, "workers", reader)
    gauge.update()
    reader.unavailable = True
    gauge._next = 0.0
    gauge.update()
    assert (shown(metrics), reader.calls) == (3, 2)


def test_slow_log_is_measured_less_often() -> None:
    """Measuring takes at most a tenth of the time."""
    metrics, reader = Metrics(CollectorRegistry()), slow_reader(MemoryBus())
    reader.seconds = 0.3
    gauge = LagGauge(metrics, "workers", reader)
    gauge.update()
    assert gauge._next - time.monotonic() > 0.9 * 0.3 / MAX_LAG_TIME_SHARE
