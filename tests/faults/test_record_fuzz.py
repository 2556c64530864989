"""Mutated records of every kind go through the real decoders, worker, judge and gateway, in process.

No error leaves a step, no evidence is NaN, no watermark or position passes the end of its log, no epoch makes a gateway
deaf, and a harmful compressed model still loses its traffic afterwards. `make fuzz` does the same for half an hour.
"""

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from tests.support.faults.small_fleet import SmallFleet
from tests.support.samples import watched
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, LABELS, SAMPLES, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.inference import WatchedPair

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
"""Examples of each test."""

RECORD, STATE = "record", "state"
"""The beginning of a path: in the record itself, or in the state that a snapshot holds."""

HARMFUL_ROWS = 600
"""Rows within which the guard must trip; without mutated records it takes a tenth of them."""

NUMBERS = st.one_of(
    st.sampled_from((0, -1, 1, 2**31 - 1, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 10**9, 1000)),
    st.integers(-(2**63), 2**64 - 1),
)
FLOATS = st.one_of(
    st.sampled_from((math.nan, math.inf, -math.inf, -0.0, 1e308, -1e308, 1e18, 5e-324, 0.5, 1.0, 2.0, -1.0)),
    st.floats(),
)
SMALL: st.SearchStrategy[object] = st.one_of(
    st.none(), st.booleans(), NUMBERS, FLOATS, st.text(max_size=4), st.binary(max_size=9)
)
VALUES: st.SearchStrategy[object] = st.recursive(
    SMALL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> WatchedPair:
    """Two small models."""
    return watched(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def recorded(pair: WatchedPair) -> list[tuple[str, bytes, str]]:
    """A record of each kind, written by the members themselves: topic, value, key."""
    found = SmallFleet(pair).recorded()
    kinds = {(name, record_codec.schema_of(value).partition(".")[2]) for name, value, _ in found}
    assert kinds == {
        (SAMPLES, "samples"),
        (COMPARISONS, "comparisons"),
        (COMPARISONS, "traffic"),
        (LABELS, "labels"),
        (CONTROL, "order"),
        (CONTROL, "routes"),
        (CONTROL, "heartbeat"),
        (EVENTS, "event"),
        (SNAPSHOTS, "snapshot"),
    }
    return found


def arrays(part: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any part of a record
    """The arrays in a part of a record."""
    if isinstance(part, dict):
        if {"dtype", "shape", "data"} <= part.keys() and isinstance(part["data"], bytes) and part["data"]:
            yield part
        for value in part.values():
            yield from arrays(value)
    elif isinstance(part, list):
        for value in part:
            yield from arrays(value)


def places(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any part of a record
    """The path to each value in a part of a record."""
    keys = part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(part[key], (*path, key))


def mutated(draw: st.DataObject, value: bytes) -> bytes:
    """A record with changed bytes, with another value in one field, or with other numbers in one array."""
    way = draw.draw(st.sampled_from(("bytes", "field", "array", "array", "none")))
    if way == "none":
        return value
    if way == "bytes":
        at = draw.draw(st.integers(0, len(value)))
        return value[:at] + draw.draw(st.binary(max_size=3)) + value[at + draw.draw(st.integers(0, 3)) :]
    document = msgpack.decode(value)
    state = document["body"].get("state") if isinstance(document["body"], dict) else None
    inner = msgpack.decode(state) if isinstance(state, bytes) else None
    target: Any = inner if inner is not None and draw.draw(st.integers(0, 3)) else document
    if way == "array" and (found := list(arrays(target))):
        _change_array(draw, draw.draw(st.sampled_from(found)))
    else:
        path = draw.draw(st.sampled_from(list(places(target))))
        parent = target
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = draw.draw(VALUES)
    if inner is not None and isinstance(document.get("body"), dict) and document["body"].get("state") is state:
        document["body"]["state"] = msgpack.encode(inner)
    return msgpack.encode(document)


def _change_array(draw: st.DataObject, box: dict[str, Any]) -> None:
    """Put another number into one place of an array, or into all."""
    values = np.frombuffer(box["data"], box["dtype"]).copy()
    number = draw.draw(FLOATS if values.dtype.kind == "f" else NUMBERS)
    with np.errstate(all="ignore"):
        new = np.array([number], dtype=object)[0]
        new = float(new) if values.dtype.kind == "f" else int(new) % (1 << 8 * values.dtype.itemsize)
        filler = np.array([new], np.float64).astype(values.dtype) if values.dtype.kind == "f" else None
    if filler is None:
        filler = np.frombuffer(int(new).to_bytes(values.dtype.itemsize, "little"), values.dtype)
    if draw.draw(st.booleans()):
        values[:] = filler
    else:
        values[draw.draw(st.integers(0, len(values) - 1))] = filler[0]
    box["data"] = values.tobytes()


def guard_trips(fleet: SmallFleet) -> bool:
    """Whether the baseline answers after harm, unless an operator's hold, which a record may forge, keeps it."""
    for _ in range(HARMFUL_ROWS // 50):
        fleet.serve(50, harm=True)
        fleet.step()
        fleet.check()
        if fleet.safe:
            return True
    return any(mode.held for mode in fleet.state.modes)


def test_guard_trips_without_mutated_records(pair: WatchedPair, recorded: list[tuple[str, bytes, str]]) -> None:
    """Soon, and not before there is harm."""
    fleet = SmallFleet(pair)
    fleet.serve(50, harm=False)
    fleet.step()
    fleet.check()
    assert not fleet.safe
    fleet.serve(100, harm=True)
    fleet.step()
    assert fleet.safe
    assert fleet.dead == 0
    assert recorded


SHARP_NUMBERS = (-1, 10**6, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**63))
SHARP_FLOATS = (math.nan, math.inf, -math.inf, -1.0, 2.0, 1e9, 1e18, 1e300)
"""Values that no member writes, or that would move a watermark, a clock or a detector far away."""

FIELDS_PER_FLEET = 6


def sharpened(value: bytes, path: tuple[Any, ...], number: float) -> bytes | None:
    """A record with this number in one place, or throughout one array; None where it does not fit the array."""
    document = msgpack.decode(value)
    outer = document
    if path[0] == STATE:
        document = msgpack.decode(document["body"]["state"])
    parent = document
    for key in path[1:-1]:
        parent = parent[key]
    if isinstance(box := parent[path[-1]], dict) and "dtype" in box:
        values = np.frombuffer(box["data"], box["dtype"]).copy() if isinstance(box["data"], bytes) else np.zeros(0)
        if values.dtype.kind != "f" and (isinstance(number, float) or not -(2**63) <= number < 2**63):
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            values[:] = np.array([number]).astype(values.dtype)
        box["data"] = values.tobytes()
    else:
        parent[path[-1]] = number
    if path[0] == STATE:
        outer["body"]["state"] = msgpack.encode(document)
        document = outer
    return msgpack.encode(document)


def fields_of(value: bytes) -> list[tuple[Any, ...]]:
    """The path to each field of a record, and of the state in it; of a list, those of its first entry."""
    document = msgpack.decode(value)
    found = [(RECORD, *path) for path in fields_in(document["body"], ("body",))]
    if isinstance(document["body"], dict) and isinstance(state := document["body"].get("state"), bytes):
        found += [(STATE, *path) for path in fields_in(msgpack.decode(state)["body"], ("body",))]
    return found


def fields_in(part: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any part of a record
    """The path to each number, text or array in a part of a record."""
    if isinstance(part, dict) and "dtype" not in part:
        for key, value in part.items():
            yield from fields_in(value, (*path, key))
    elif isinstance(part, list):
        yield from fields_in(part[0], (*path, 0)) if part else ()
    else:
        yield path


@pytest.mark.parametrize(
    "kind",
    ["samples", "comparisons", "traffic", "labels", "order", "routes", "heartbeat", "event", "snapshot"],
)
def test_number_that_no_member_writes_in_any_field(
    kind: str, pair: WatchedPair, recorded: list[tuple[str, bytes, str]]
) -> None:
    """Each number in each field and column of each kind of record, without chance."""
    ((name, value, key),) = [each for each in recorded if record_codec.schema_of(each[1]).partition(".")[2] == kind]
    paths = fields_of(value)
    assert paths
    for first in range(0, len(paths), FIELDS_PER_FLEET):
        fleet = SmallFleet(pair)
        fleet.serve(20, harm=False)
        fleet.step()
        for path in paths[first : first + FIELDS_PER_FLEET]:
            for number in (*SHARP_NUMBERS, *SHARP_FLOATS):
                if (sharp := sharpened(value, path, number)) is not None:
                    fleet.bus.publish(topic(name), sharp, key)
            fleet.step()
            fleet.check()
        fleet.start_judge()
        assert guard_trips(fleet), paths[first : first + FIELDS_PER_FLEET]


@given(draw=st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
def test_mutated_records_stop_no_member_and_blind_no_guard(
    draw: st.DataObject, pair: WatchedPair, recorded: list[tuple[str, bytes, str]]
) -> None:
    """Up to six of them, at any place between sound rows; the judge may be killed among them."""
    fleet = SmallFleet(pair)
    for _ in range(draw.draw(st.integers(1, 6))):
        name, value, key = draw.draw(st.sampled_from(recorded))
        fleet.bus.publish(topic(name), mutated(draw, value), draw.draw(st.sampled_from((key, key, key, "strange"))))
        if draw.draw(st.booleans()):
            fleet.serve(20, harm=False)
            fleet.step()
            fleet.check()
        if draw.draw(st.integers(0, 5)) == 0:
            fleet.start_judge()
    fleet.step()
    fleet.check()
    fleet.start_judge()
    assert guard_trips(fleet)
