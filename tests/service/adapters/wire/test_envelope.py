"""The envelope and arrays in it: refused by one short line where they are not what they say."""

from dataclasses import dataclass

import msgpack
import numpy as np
import pytest

from tightrope.service.adapters.wire import envelope as packing
from tightrope.service.adapters.wire.envelope import (
    VERSION,
    WireError,
    array,
    build,
    envelope,
    mapping,
    names,
    pack,
    unpack,
)


@dataclass(frozen=True)
class Thing:
    """A record."""

    name: str
    size: float
    count: int


def test_record_travels_in_its_envelope() -> None:
    """Schema, version, body; nested records, arrays and numbers of numpy become plain."""
    data = pack("things", {"thing": Thing("a", np.float64(1.5), np.int64(2)), "row": np.array([1.0], ">f4")})  # type: ignore[arg-type]
    body = {"thing": {"name": "a", "size": 1.5, "count": 2}}
    body["row"] = {"dtype": "<f4", "shape": [1], "data": b"\0\0\x80?"}
    assert msgpack.unpackb(data) == {"schema": "things", "version": VERSION, "body": body}
    assert unpack(data, "things") == body
    assert envelope(data)["schema"] == "things"
    found = array(body["row"], "row")
    assert (found.dtype, found.tolist()) == (np.dtype("<f4"), [1.0])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a record"),
        (b"\xc1", "not a record"),
        (msgpack.packb([1]), "not a record: it must be a map"),
        (msgpack.packb({"schema": "things", "version": 1}), "not a record: it must be a map"),
        (msgpack.packb({"schema": "things", "version": 2, "body": 1}), "version: '2'; this reader knows 1"),
        (msgpack.packb({"schema": "others", "version": 1, "body": 1}), "schema: 'others' where 'things' should be"),
    ],
)
def test_what_is_no_such_record_is_refused(data: bytes, says: str) -> None:
    """Before anything in it is looked at."""
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
    """A whole number is a number, but nothing else is."""
    assert build(Thing, {"name": "a", "size": 1, "count": 1}) == Thing("a", 1, 1)
    with pytest.raises(WireError, match=says):
        build(Thing, body)


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b\x1c", "a" * 10_000])
def test_names_of_strangers_do_not_break_the_line(name: str) -> None:
    """Errors go into a log and into a header of the record that is parked."""
    with pytest.raises(WireError) as caught:
        build(Thing, {name: 1})
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) <= 200


def test_lists_and_maps_are_checked() -> None:
    """Names are strings."""
    assert names(["a"], "x") == ("a",)
    assert mapping({"a": 1}, "x") == {"a": 1}
    for wrong in ("a", [1], None):
        with pytest.raises(WireError, match="x: must be a list of names"):
            names(wrong, "x")
    for other in ({1: "a"}, [], None):
        with pytest.raises(WireError, match="x: must be a map with names as keys"):
            mapping(other, "x")


def test_strings_travel_as_a_list() -> None:
    """With their shape."""
    words = np.array([["a", "ü"], ["", "b"]], dtype=object)
    box = msgpack.unpackb(pack("s", words))["body"]
    assert box == {"dtype": packing.TEXT, "shape": [2, 2], "data": ["a", "ü", "", "b"]}
    assert array(box, "x").tolist() == words.tolist()


def test_writer_finds_out_what_cannot_travel() -> None:
    """Not the reader."""
    with pytest.raises(TypeError, match="a record cannot hold set"):
        pack("s", {"x": {1}})


@pytest.mark.parametrize(
    "order", [("schema", "version", "body"), ("body", "version", "schema"), ("version", "schema", "body")]
)
def test_schema_is_seen_without_reading_the_rest(order: tuple[str, ...]) -> None:
    """As this writer puts it, first; where another one puts it elsewhere the whole record is read for it."""
    whole = {"schema": "s", "version": VERSION, "body": [0] * 1000}
    data = msgpack.packb({name: whole[name] for name in order})
    assert packing.peek(data) == "s"
    if order[0] == "schema":
        assert packing.peek(data[: packing.PEEKED]) == "s"


@pytest.mark.parametrize("change", [{"version": 2}, {"schema": 7, "version": None}])
def test_record_of_another_version_has_no_schema_here(change: dict[str, object]) -> None:
    """It is refused as the whole record would be."""
    data = msgpack.packb({"schema": "s", "version": VERSION, "body": [], **change})
    with pytest.raises(WireError, match="version"):
        packing.peek(data)
