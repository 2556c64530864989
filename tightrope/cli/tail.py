"""`tightrope tail`: the records of a topic as JSON objects, with large arrays reduced to their type and shape."""

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tightrope.service.adapters import topics
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.cloudevents import decode
from tightrope.service.adapters.wire.envelope import DTYPES, WireError, envelope
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.wiring.topics import kafka_options

MAX_SHOWN_VALUES = 8
"""Larger arrays are shown as their type and shape."""

TAIL_POLL_SECONDS = 0.5


def tail(settings: Settings, name: str, last: int, *, follow: bool) -> Iterator[dict[str, object]]:
    """Yield the ``last`` records of every partition of a topic, and with ``follow`` the new ones.

    Raises:
        ConfigError: when there is no such topic.
        BusUnavailableError: when Kafka does not answer.
    """
    short = name.removeprefix(f"{topics.TOPIC_PREFIX}.")
    if short not in topics.ALL_TOPICS:
        raise ConfigError([f"TOPIC: is {name!r}; it must be one of {', '.join(topics.ALL_TOPICS)}"])
    options = replace(kafka_options(settings), signing=None)  # a person may see all records, and parks none
    with closing(KafkaBus(options).subscribe(topics.topic(short))) as reader:
        reader.seek_back(last)
        remaining = reader.lag()  # at the start: new records may keep arriving
        while follow or (remaining > 0 and reader.lag()):
            records = reader.poll(100, TAIL_POLL_SECONDS)
            remaining -= len(records)
            yield from map(render_record, records)


def render_record(record: Record) -> dict[str, object]:
    """Return a record's position, schema and body; for an unreadable one its size and the error."""
    time = datetime.fromtimestamp(record.time, UTC).isoformat(timespec="milliseconds")
    position = {"partition": record.partition, "offset": record.offset, "key": record.key, "time": time}
    try:
        content = envelope(record.value)
    except WireError as error:
        event = _payload_event(record.value)
        return {**position, **(event or {"bytes": len(record.value), "error": str(error)})}
    return {**position, "schema": content["schema"], "body": to_json(content["body"])}


def _payload_event(value: bytes) -> dict[str, object] | None:
    """Return the attributes of a CloudEvent, and the size of its data; None for anything else."""
    try:
        event = decode(value)
    except WireError:
        return None
    return {"schema": "cloudevents", "body": {**event.attributes, "data": f"<{len(event.data)} bytes>"}}


def to_json(value: Any) -> Any:  # noqa: ANN401 - any value of a record
    """Convert to JSON types: large arrays to type and shape, bytes to their size, infinities and NaN to text."""
    if isinstance(value, dict):
        if set(value) == {"dtype", "shape", "data"}:
            return _array_to_json(value)
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _array_to_json(array: dict[str, Any]) -> object:
    dtype, shape, data = array["dtype"], array["shape"], array["data"]
    valid = isinstance(shape, list) and all(isinstance(side, int) for side in shape)
    if valid and math.prod(shape) <= MAX_SHOWN_VALUES:
        size = math.prod(shape)
        if dtype in DTYPES and isinstance(data, bytes) and len(data) == size * np.dtype(dtype).itemsize:
            return to_json(np.frombuffer(data, dtype).tolist())
        if isinstance(data, list):
            return to_json(data)
    return f"<{dtype}{shape}>"
