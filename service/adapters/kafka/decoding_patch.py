"""A fault of kafka-python 3.0.12 in decoding, corrected: one record must not end the readers of its topic.

The client decodes the names of headers as UTF-8. Brokers accept other names, and one such record makes the client's
poll raise an error, and its next poll spin without end; a restarted reader meets the same record. Here such a record is
passed on without key and headers, with its own bytes as its value: readers refuse it as unreadable, or as unsigned.

tests/service/test_library_internals.py lists the private names used here.
"""

# ruff: noqa: SLF001 - there is no public way

from typing import Any

from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

_original_next = DefaultRecordBatch.__next__


def correct_decoding() -> None:
    """Correct the decoding of all clients of this process."""
    DefaultRecordBatch.__next__ = _next_record


def _next_record(batch: Any) -> Any:  # noqa: ANN401 - the client ships no types
    """The next record of a batch; the bytes of one whose content cannot be decoded.

    Raises:
        CorruptRecordError: when the batch itself is damaged.
    """
    try:
        return _original_next(batch)
    except CorruptRecordError as error:
        record = None if batch.is_control_batch else _raw_record(batch)
        if record is None:
            raise error from None
        return record


def _raw_record(batch: Any) -> DefaultRecord | None:  # noqa: ANN401 - the client ships no types
    """The next record as its bytes; None where not even its length and offset can be read."""
    try:
        length, start = decode_varint(batch._buffer, batch._pos)
        _, position = decode_varint(batch._buffer, start)  # attributes
        delta, position = decode_varint(batch._buffer, position)
        offset, position = decode_varint(batch._buffer, position)
    except (ValueError, IndexError):
        return None
    if batch._next_record_index >= batch._num_records or not position <= start + length <= len(batch._buffer):
        return None
    in_log = batch.timestamp_type == batch.LOG_APPEND_TIME
    time = batch.max_timestamp if in_log else batch.first_timestamp + delta
    content = bytes(batch._buffer[start : start + length])
    batch._pos = start + length
    batch._next_record_index += 1
    return DefaultRecord(length, batch.base_offset + offset, time, batch.timestamp_type, None, content, [])
