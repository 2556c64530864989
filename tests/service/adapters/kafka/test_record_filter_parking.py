"""Refused records are parked at a bounded rate; checks need no broker here."""

from types import SimpleNamespace

import pytest

from tests.support.cluster.foreign_records import SIGNING
from tightrope.service.adapters.kafka import record_filter
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.record_filter import (
    PARKED_PER_MINUTE,
    PARKED_RECORD_BYTES,
    RecordFilter,
)
from tightrope.service.adapters.kafka.signature import SIGNATURE_HEADER
from tightrope.service.adapters.ports import BusFullError, Record

CONTROL, DEAD, LABELS = "tightrope.control", "tightrope.dead", "tightrope.labels"
SIGNED_OPTIONS = KafkaOptions(("127.0.0.1:1",), prefix="eu-", signing=SIGNING)


class ParkedRecords:
    """Stands in for the producer of parked records; ``full`` refuses them."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, str | None]] = []
        self.full = False

    def __call__(self, *_: object, **__: object) -> "ParkedRecords":
        """The one producer."""
        return self

    def publish(self, topic: str, value: bytes, key: str | None) -> None:
        """Keep a record."""
        if self.full:
            raise BusFullError("full")
        self.records.append((topic, value, key))

    def close(self, timeout: float) -> None:
        """Nothing to close."""


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch) -> ParkedRecords:
    """The records that filters of this test park."""
    kept = ParkedRecords()
    monkeypatch.setattr(record_filter, "BufferedProducer", kept)
    return kept


def message(number: int = 0, topic: str = CONTROL, value: bytes = b"v", time: float = 2e9) -> SimpleNamespace:
    """An unsigned message of the client."""
    return SimpleNamespace(
        topic=f"eu-{topic}", partition=1, offset=number, key=b"m", value=value, headers=[], timestamp=time * 1000
    )


def test_flood_is_parked_at_a_bounded_rate(parked: ParkedRecords, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are counted; the first of each minute are parked, cut, with position and reason."""
    counts: list[str] = []
    now = 600.0
    monkeypatch.setattr(record_filter, "time", SimpleNamespace(monotonic=lambda: now))
    checked = RecordFilter(SIGNED_OPTIONS, lambda _, result: counts.append(result))
    flood = [message(number, value=bytes(2 * PARKED_RECORD_BYTES)) for number in range(3 * PARKED_PER_MINUTE)]
    assert checked.records(flood) == []
    assert counts == ["unsigned"] * len(flood)
    assert len(parked.records) == PARKED_PER_MINUTE
    assert parked.records[0] == (DEAD, bytes(PARKED_RECORD_BYTES), f"{CONTROL}/1/0: unsigned signature")
    now += 60.0
    checked.records(flood)
    assert len(parked.records) == 2 * PARKED_PER_MINUTE


def test_full_buffer_of_parked_records_stops_no_reader(parked: ParkedRecords) -> None:
    """It is counted, and the reader goes on."""
    parked.full = True
    counts: list[str] = []
    assert RecordFilter(SIGNED_OPTIONS, lambda _, result: counts.append(result)).records([message()]) == []
    assert counts == ["unsigned"]


def test_old_records_are_counted_and_not_parked(parked: ParkedRecords) -> None:
    """Compacted topics keep them, and each start reads them again."""
    counts: list[tuple[str, str]] = []
    checked = RecordFilter(SIGNED_OPTIONS, lambda *count: counts.append(count))
    assert checked.records([message(time=1.0)]) == []
    assert counts == [(CONTROL, "old")]
    assert parked.records == []


def test_other_topics_are_not_checked(parked: ParkedRecords) -> None:
    """Labels may come from programs without the secret."""
    assert [r.topic for r in RecordFilter(SIGNED_OPTIONS).records([message(topic=LABELS)])] == [LABELS]
    assert parked.records == []


def test_record_of_the_client_becomes_a_record() -> None:
    """The prefix is removed, the time is in seconds, and an absent value is an empty one."""
    without = KafkaOptions(("127.0.0.1:1",), prefix="eu-")
    found = message(7, time=12.5)
    found.value, found.key = None, b"\xff"
    assert RecordFilter(without).records([found]) == [Record(CONTROL, 1, 7, "�", b"", 12.5)]
    assert SIGNATURE_HEADER not in dict(found.headers)
