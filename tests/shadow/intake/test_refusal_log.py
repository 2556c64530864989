"""Refused records are parked, counted, logged, and told once in a while in the audit trail of their model."""

import logging
import threading

import pytest
from prometheus_client import CollectorRegistry

from tests.support.serving.fake_clock import SetClock
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import DEAD, LABELS, topic
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.intake.refusal_log import REFUSAL_REPEAT_SECONDS, RefusalLog


def record(offset: int, model: str = "m") -> Record:
    """A record of labels."""
    return Record(topic(LABELS), 0, offset, model, b"value")


def test_refused_records_are_parked_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """The event names the first position and the reason; records of a model that is not judged here make no event."""
    bus, metrics, clock = MemoryBus(), Metrics(CollectorRegistry()), SetClock()
    refusals = RefusalLog(bus, metrics, threading.Event(), clock)
    refused: list[tuple[Record, Exception]] = [
        (record(4), WireError("label.row: must be less")),
        (record(5), OverflowError("too large")),
        (record(6, "strange"), WireError("model: not judged here")),
    ]
    with caplog.at_level(logging.WARNING):
        (event,) = refusals.refuse(refused, {"m"}, 12.0)
    assert (event.model, event.kind, event.time) == ("m", "records-refused", 12.0)
    assert event.reason == "2 of tightrope.labels parked, from offset 4 on: label.row: must be less"
    assert event.detail == {"topic": "tightrope.labels", "partition": 0, "offset": 4, "records": 2}
    assert metrics.total("dead_records", topic=topic(LABELS)) == 3
    assert [parked.key for parked in bus.subscribe(topic(DEAD)).poll(10, 0)] == [
        "tightrope.labels/0/4: label.row: must be less",
        "tightrope.labels/0/5: OverflowError: too large",
        "tightrope.labels/0/6: model: not judged here",
    ]
    assert len(caplog.records) == 3


def test_flood_of_records_makes_one_event_an_hour() -> None:
    """All of them are counted and parked."""
    bus, metrics, clock = MemoryBus(), Metrics(CollectorRegistry()), SetClock()
    refusals = RefusalLog(bus, metrics, threading.Event(), clock)
    events = []
    for offset in range(20):
        events += refusals.refuse([(record(offset), WireError("bad"))], {"m"}, float(offset))
    assert len(events) == 1
    clock.now += REFUSAL_REPEAT_SECONDS
    events += refusals.refuse([(record(20), WireError("bad"))], {"m"}, 20.0)
    assert len(events) == 2
    assert len({event.id for event in events}) == 2
    assert metrics.total("dead_records", topic=topic(LABELS)) == 21
