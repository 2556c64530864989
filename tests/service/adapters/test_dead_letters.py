"""The cause of a failure, and the record on the dead topic."""

import sqlite3
import threading

import pytest

from tightrope.service.adapters import dead_letters
from tightrope.service.adapters.dead_letters import describe_error, is_records_fault, park
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import (
    BusFullError,
    BusUnavailableError,
    Record,
    RecordTooLargeError,
    UndeliveredError,
    UnreachableError,
)
from tightrope.service.adapters.topics import DEAD, LABELS, topic
from tightrope.service.adapters.wire.envelope import WireError

RECORD = Record(topic(LABELS), 3, 17, "m", b"x" * 100)


@pytest.mark.parametrize(
    "error",
    [
        OSError("disk full"),
        TimeoutError(),
        MemoryError(),
        BusFullError(),
        BusUnavailableError(),
        UndeliveredError(),
        UnreachableError(),
        sqlite3.OperationalError("database is locked"),
        sqlite3.DatabaseError("malformed"),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_environment_is_not_the_records_fault(error: BaseException) -> None:
    """Any record would fail on it, and none after it has passed."""
    assert not is_records_fault(error)


@pytest.mark.parametrize(
    "error",
    [OverflowError(), ValueError(), KeyError(), TypeError(), WireError("x"), RecordTooLargeError(), RecursionError()],
    ids=repr,
)
def test_failure_on_content_may_be_the_records_fault(error: BaseException) -> None:
    """It would fail again."""
    assert is_records_fault(error)


def test_dead_record_has_its_position_and_the_reason() -> None:
    """In one line, in its key."""
    bus = MemoryBus()
    park(bus, RECORD, "two\nlines", threading.Event())
    (parked,) = bus.subscribe(topic(DEAD)).poll(10, 0)
    assert (parked.key, parked.value) == ("tightrope.labels/3/17: two lines", RECORD.value)


def test_dead_record_that_is_too_large_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning says what it was."""

    class Narrow(MemoryBus):
        def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
            """Refuse long records."""
            if len(value) > 50:
                raise RecordTooLargeError("too large")
            super().publish(topic, value, key)

    monkeypatch.setattr(dead_letters, "MAX_PARKED_BYTES", 10)
    bus = Narrow()
    park(bus, RECORD, "why", threading.Event())
    assert [record.value for record in bus.subscribe(topic(DEAD)).poll(10, 0)] == [b"x" * 10]


def test_error_is_described_in_one_line() -> None:
    """A foreign error with its type, because its text alone says little."""
    assert describe_error(OverflowError("too\nlarge")) == "OverflowError: too large"
    assert describe_error(WireError("label.row: must be")) == "label.row: must be"
