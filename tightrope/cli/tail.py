"""`tightrope tail`: any topic, read as a person or as a machine that knows JSON."""

import math
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tightrope.service.adapters import topics
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.cloudevents import decode
from tightrope.service.adapters.wire.envelope import DTYPES, WireError, envelope
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.wiring.topics import options_of

MOST_SHOWN = 8
"""Values of an array that are shown; of a larger one only its type and shape."""

PATIENCE = 0.5


def tail(settings: Settings, name: str, last: int, *, follow: bool) -> Iterator[dict[str, object]]:
    """The last records of every partition of a topic, and if asked those that come from now on.

    Raises:
        ConfigError: when there is no such topic.
        BusAwayError: when Kafka cannot be asked.
    """
    short = name.removeprefix(f"{topics.PREFIX}.")
    if short not in topics.EVERY:
        raise ConfigError([f"TOPIC: is {name!r}; it must be one of {', '.join(topics.EVERY)}"])
    with closing(KafkaBus(options_of(settings)).subscribe(topics.topic(short))) as reader:
        reader.back(last)
        left = reader.lag()  # by now: more may come all the time
        while follow or (left > 0 and reader.lag()):
            records = reader.poll(100, PATIENCE)
            left -= len(records)
            yield from map(shown, records)


def shown(record: Record) -> dict[str, object]:
    """A record with its place; what cannot be read says why."""
    at = datetime.fromtimestamp(record.time, UTC).isoformat(timespec="milliseconds")
    place = {"partition": record.partition, "offset": record.offset, "key": record.key, "time": at}
    try:
        told = envelope(record.value)
    except WireError as error:
        event = _event(record.value)
        return {**place, **(event or {"bytes": len(record.value), "error": str(error)})}
    return {**place, "schema": told["schema"], "body": plain(told["body"])}


def _event(value: bytes) -> dict[str, object] | None:
    """A payload event, which is JSON as others write it; None for anything else."""
    try:
        event = decode(value)
    except WireError:
        return None
    told = {**event.attributes, "data": f"<{len(event.data)} bytes>"}
    return {"schema": "cloudevents", "body": told}


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a record holds
    """As JSON can hold it: large arrays as their type and shape, bytes as their number."""
    if isinstance(value, dict):
        if set(value) == {"dtype", "shape", "data"}:
            return _array(value)
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _array(box: dict[str, Any]) -> object:
    kind, shape, data = box["dtype"], box["shape"], box["data"]
    small = isinstance(shape, list) and all(isinstance(side, int) for side in shape) and math.prod(shape) <= MOST_SHOWN
    if small and kind in DTYPES and isinstance(data, bytes) and len(data) == math.prod(shape) * np.dtype(kind).itemsize:
        return plain(np.frombuffer(data, kind).tolist())
    if small and isinstance(data, list):
        return plain(data)
    return f"<{kind}{shape}>"
