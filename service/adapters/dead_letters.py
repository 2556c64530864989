"""Records that cannot be used: whether the record is the cause of a failure, and the topic where such records go."""

from threading import Event as Flag

from tightrope.service.adapters.ports import (
    Bus,
    Record,
    RecordTooLargeError,
    RunFailedError,
    UnreachableError,
    publish_blocking,
)
from tightrope.service.adapters.sqlite.faults import is_file_error
from tightrope.service.adapters.topics import DEAD, topic
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.errors import TightropeError

MAX_PARKED_BYTES = 65_536
"""Length to which a record is cut that is too large for the topic of dead records."""

MAX_KEY_CHARS = 300
"""Length of the key of a dead record, which has its position and the reason."""

RECORD_ERRORS = (WireError, RecordTooLargeError, RunFailedError)
"""Errors of this program that a record causes; the others speak of a bus, a store or a server."""


def is_records_fault(error: BaseException) -> bool:
    """Whether a record may be the cause of an error, and not the environment: a full disk, a locked database, a lost
    broker or a lack of memory would hit any record, and pass.
    """
    if isinstance(error, OSError | MemoryError | UnreachableError) or is_file_error(error):
        return False
    return isinstance(error, RECORD_ERRORS) if isinstance(error, TightropeError) else isinstance(error, Exception)


def describe_error(error: BaseException) -> str:
    """An error in one line, with its type if it does not speak of a record."""
    text = " ".join(str(error).split())[:200]
    return text if isinstance(error, TightropeError) else f"{type(error).__name__}: {text}"


def park(bus: Bus, record: Record, reason: object, stopping: Flag) -> None:
    """Publish a record that cannot be used to the topic of dead records, cut if it is too large."""
    key = " ".join(f"{record.topic}/{record.partition}/{record.offset}: {reason}".split())[:MAX_KEY_CHARS]
    try:
        publish_blocking(bus, topic(DEAD), record.value, key, stopping)
    except RecordTooLargeError:
        publish_blocking(bus, topic(DEAD), record.value[:MAX_PARKED_BYTES], key, stopping)
