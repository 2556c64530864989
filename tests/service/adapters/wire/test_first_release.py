"""Records that members exchange are written so that members of the first release read them, and later fields travel
beside the fields that those know.
"""

from typing import Any

import pytest
from hypothesis import given
from msgspec import msgpack

from tests.service.adapters.wire.test_envelope_garbage import ANY, only_wire_errors
from tests.service.adapters.wire.test_record_codec import ENCODED
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.first_release import FIRST_RELEASE_FIELDS, FIRST_VERSION, split_fields
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_SCHEMA

TRAFFIC = "tightrope.traffic"
NOTE = {"model": "m", "time": 2.0, "kept": 3, "since": 1.0}
LABELS = "tightrope.labels"


def test_later_fields_travel_beside_the_body() -> None:
    """A member of the first release reads schema, version and body, whose fields it knows; this one reads both."""
    data = pack(TRAFFIC, {**NOTE, "later": "x"})
    document = msgpack.decode(data)
    assert list(document.items())[:3] == [("schema", TRAFFIC), ("version", FIRST_VERSION), ("body", NOTE)]
    assert document["added"] == {"later": "x"}
    assert unpack(data, TRAFFIC) == {**NOTE, "later": "x"}


def test_record_without_later_fields_has_none() -> None:
    """It is the record that the first release would have written."""
    assert msgpack.decode(pack(TRAFFIC, NOTE)) == {"schema": TRAFFIC, "version": FIRST_VERSION, "body": NOTE}


def test_lists_are_split_item_by_item() -> None:
    """A label with a source lies beside one without."""
    labels = [{"model": "m", "row": 0}, {"model": "m", "row": 1, "source": "s"}]
    document = msgpack.decode(pack(LABELS, labels))
    assert (document["body"], document["added"]) == (
        [{"model": "m", "row": 0}, {"model": "m", "row": 1}],
        [{}, {"source": "s"}],
    )
    assert unpack(pack(LABELS, labels), LABELS) == labels


def test_added_field_replaces_none_that_every_version_reads() -> None:
    """Otherwise two members would read two records."""
    document = {"schema": TRAFFIC, "version": 1, "body": NOTE, "added": {"kept": 99, "later": 1}}
    assert unpack(msgpack.encode(document), TRAFFIC) == {**NOTE, "later": 1}


@pytest.mark.parametrize(
    ("body", "added", "says"),
    [
        ({}, [], "added: must be a map"),
        ([], {}, "body: must be a map"),
        ([{}], [], "added: 0 entries where 1 should be"),
        ([1], [{}], "body: must be a map"),
        ([{}], [1], "added: must be a map"),
        ({}, None, "added: must be a map"),
    ],
)
def test_malformed_additions_are_refused(body: object, added: object, says: str) -> None:
    """The line names the part that does not fit."""
    document = {"schema": TRAFFIC, "version": 1, "body": body, "added": added}
    with pytest.raises(WireError, match=says):
        unpack(msgpack.encode(document), TRAFFIC)


@given(added=ANY)
def test_any_addition_is_read_or_refused(added: object) -> None:
    """No other error is raised for any value beside the body of a valid record."""
    for _, data, _ in ENCODED:
        only_wire_errors(msgpack.encode({**msgpack.decode(data), "added": added}))


def test_heartbeats_are_written_whole() -> None:
    """The first release skips a schema that it does not know, and parks a version that it does not know."""
    body: dict[str, Any] = {"model": "m", "anything": 1}
    assert split_fields(HEARTBEAT_SCHEMA, body) == (body, None)
    assert msgpack.decode(pack(HEARTBEAT_SCHEMA, body))["version"] == FIRST_VERSION


def test_every_exchanged_record_is_listed() -> None:
    """A record that members exchange must not be written in a version that old members park."""
    assert {schema for schema, _, _ in ENCODED} | {HEARTBEAT_SCHEMA, "tightrope.snapshot"} == set(FIRST_RELEASE_FIELDS)
