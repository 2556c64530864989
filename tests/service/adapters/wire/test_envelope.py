"""The envelope and its arrays: malformed ones are refused with one short line."""

from dataclasses import dataclass

import numpy as np
import pytest
from msgspec import msgpack

from tightrope.service.adapters.wire.envelope import (
    STRING_DTYPE,
    WIRE_VERSION,
    WireError,
    array,
    build,
    envelope,
    mapping,
    names,
    pack,
    peek,
    unpack,
)


@dataclass(frozen=True)
class Thing:
    """A record."""

    name: str
    size: float
    count: int


def test_record_travels_in_its_envelope() -> None:
    """Nested records, arrays and numpy numbers become plain maps and values."""
    data = pack("things", {"thing": Thing("a", np.float64(1.5), np.int64(2)), "row": np.array([1.0], ">f4")})  # type: ignore[arg-type]
    body = {"thing": {"name": "a", "size": 1.5, "count": 2}}
    body["row"] = {"dtype": "<f4", "shape": [1], "data": b"\0\0\x80?"}
    assert msgpack.decode(data) == {"schema": "things", "version": WIRE_VERSION, "body": body}
    assert unpack(data, "things") == body
    assert envelope(data)["schema"] == "things"
    found = array(body["row"], "row")
    assert (found.dtype, found.tolist()) == (np.dtype("<f4"), [1.0])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a record"),
        (b"\xc1", "not a record"),
        (msgpack.encode([1]), "not a record: it must be a map"),
        (msgpack.encode({"schema": "things", "version": 1}), "not a record: it must be a map"),
        (msgpack.encode({"schema": "things", "version": 3, "body": 1}), "version: '3'; this reader knows 1 and 2"),
        (msgpack.encode({"schema": "things", "version": 0, "body": 1}), "version: '0'; this reader knows 1 and 2"),
        (msgpack.encode({"schema": "things", "version": True, "body": 1}), "version: 'True'; this reader knows"),
        (msgpack.encode({"schema": "others", "version": 1, "body": 1}), "schema: 'others' where 'things' should be"),
    ],
)
def test_malformed_envelope_is_refused(data: bytes, says: str) -> None:
    """The body is not read."""
    with pytest.raises(WireError, match=says):
        unpack(data, "things")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "a", "size": 1.0}, "thing: .*missing .*'count'"),
        ({"name": "a", "size": 1.0, "count": 1, "more": 1}, "thing: .*unexpected .*'more'"),
        ({"name": 1, "size": 1.0, "count": 1}, "thing.name: must be text"),
        ({"name": "a", "size": "1", "count": 1}, "thing.size: must be a number"),
        ({"name": "a", "size": 1.0, "count": 1.0}, "thing.count: must be a whole number"),
        ({"name": "a", "size": 1.0, "count": True}, "thing.count: must be a whole number"),
        ([], "thing: must be a map with names as keys"),
    ],
)
def test_record_is_built_of_fields_of_its_types(body: object, says: str) -> None:
    """Each field needs its type; an integer counts as a number."""
    assert build(Thing, "thing", {"name": "a", "size": 1, "count": 1}) == Thing("a", 1, 1)
    with pytest.raises(WireError, match=says):
        build(Thing, "thing", body)


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b\x1c", "a" * 10_000])
def test_foreign_names_do_not_break_the_line(name: str) -> None:
    """Errors appear in a log and in the key of a parked record."""
    with pytest.raises(WireError) as caught:
        build(Thing, "thing", {name: 1})
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) <= 200


def test_lists_and_maps_are_checked() -> None:
    """Names must be strings."""
    assert names(["a"], "x") == ("a",)
    assert mapping({"a": 1}, "x") == {"a": 1}
    for wrong in ("a", [1], None):
        with pytest.raises(WireError, match="x: must be a list of names"):
            names(wrong, "x")
    for other in ({1: "a"}, [], None):
        with pytest.raises(WireError, match="x: must be a map with names as keys"):
            mapping(other, "x")


def test_strings_travel_as_a_list() -> None:
    """The shape is kept."""
    words = np.array([["a", "ü"], ["", "b"]], dtype=object)
    box = msgpack.decode(pack("s", words))["body"]
    assert box == {"dtype": STRING_DTYPE, "shape": [2, 2], "data": ["a", "ü", "", "b"]}
    assert array(box, "x").tolist() == words.tolist()


def test_writer_refuses_unsupported_values() -> None:
    """The writer raises."""
    with pytest.raises(TypeError, match="a record cannot hold complex"):
        pack("s", {"x": 1j})


@pytest.mark.parametrize(
    "order", [("schema", "version", "body"), ("body", "version", "schema"), ("version", "schema", "body")]
)
def test_peek_does_not_decode_the_body(order: tuple[str, ...]) -> None:
    """The body is skipped, and the order of the keys does not matter."""
    whole = {"schema": "s", "version": WIRE_VERSION, "body": [0] * 1000}
    data = msgpack.encode({name: whole[name] for name in order})
    assert peek(data) == "s"


@pytest.mark.parametrize("change", [{"version": 3}, {"schema": 7, "version": None}])
def test_peek_refuses_another_version(change: dict[str, object]) -> None:
    """`peek` raises the same error as `envelope`."""
    data = msgpack.encode({"schema": "s", "version": WIRE_VERSION, "body": [], **change})
    with pytest.raises(WireError, match="version"):
        peek(data)
