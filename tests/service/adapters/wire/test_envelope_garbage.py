"""Arbitrary bytes raise WireError, or give a record with fields of the declared types."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from tests.service.adapters.wire.test_record_codec import BATCH, ENCODED, PAIR
from tests.support.cluster.wire_records import states
from tests.support.wired_samples import split_samples
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.plan import State
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WIRE_VERSION, WireError

PLAIN: dict[Any, Any] = {str: str, float: (float, int), int: int, tuple[str, ...]: tuple}
READERS: list[Callable[[bytes], Any]] = [
    *(decode for _, _, decode in ENCODED),
    record_codec.decode_state,
    record_codec.schema_of,
]


def only_wire_errors(data: bytes) -> None:
    """Decode with every decoder, and check the result."""
    for read in READERS:
        try:
            record = read(data)
        except WireError as error:
            refused = str(error)
            assert "\n" not in refused
            assert len(refused) <= 200
            continue
        for one in record if isinstance(record, list) else [record]:
            check(one)


def check(record: Any) -> None:  # noqa: ANN401 - any record
    """Plain fields have the declared types; rows fit scopes."""
    if isinstance(record, str):
        return
    for field in fields(record):
        if field.type in PLAIN and not isinstance(record, State):
            assert isinstance(getattr(record, field.name), PLAIN[field.type])
    if isinstance(record, SampleBatch | Comparisons):
        assert record.member.shape[1] == len(record.scopes)
        assert all(isinstance(scope, str) for scope in record.scopes)
    if isinstance(record, SampleBatch):
        assert {len(tensor) for side in (record.inputs, record.outputs) for tensor in side.values()} <= {
            len(record.member)
        }
        assert sum(len(one.member) for one in split_samples(record)) == len(record.member)


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data: bytes) -> None:
    """No other error is raised."""
    only_wire_errors(data)


WHOLE = st.integers(-(2**63), 2**64 - 1)
SCALARS: st.SearchStrategy[object] = st.one_of(
    st.none(), st.booleans(), WHOLE, st.floats(), st.text(max_size=3), st.binary(max_size=9)
)
KEYS: st.SearchStrategy[object] = st.text(max_size=3) | st.integers(0, 3)
ANY: st.SearchStrategy[object] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(body=ANY, schema=st.sampled_from([schema for schema, _, _ in ENCODED] + [record_codec.STATE_SCHEMA]))
def test_any_body_in_a_good_envelope_is_read_or_refused(body: object, schema: str) -> None:
    """Any value that msgpack can hold."""
    only_wire_errors(msgpack.encode({"schema": schema, "version": WIRE_VERSION, "body": body}))


@given(data=st.data(), record=st.sampled_from([data for _, data, _ in ENCODED]))
@settings(max_examples=500)
def test_mutated_records_are_read_or_refused(data: st.DataObject, record: bytes) -> None:
    """Bytes are flipped, cut, inserted and dropped."""
    at = data.draw(st.integers(0, len(record)))
    patch, drop = data.draw(st.binary(max_size=3)), data.draw(st.integers(0, 3))
    only_wire_errors(record[:at] + patch + record[at + drop :])


@given(data=st.data(), value=ANY)
@settings(max_examples=500)
def test_any_value_in_any_field_is_read_or_refused(data: st.DataObject, value: object) -> None:
    """One field of a valid record, at any depth, is replaced."""
    envelope = msgpack.decode(data.draw(st.sampled_from([record for _, record, _ in ENCODED])))
    place: Any = envelope["body"]
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = value
    only_wire_errors(msgpack.encode(envelope))


@given(state=states(), data=st.data())
@settings(max_examples=50)
def test_truncated_snapshots_are_refused(state: Any, data: st.DataObject) -> None:  # noqa: ANN401 - tightrope.monitors.plan.State
    """An incomplete snapshot is not a partial state."""
    whole = record_codec.encode_state(state)
    with pytest.raises(WireError):
        record_codec.decode_state(whole[: data.draw(st.integers(0, len(whole) - 1))])


def array(dtype: object, shape: object, data: object) -> dict[str, object]:
    """An array on the wire."""
    return {"dtype": dtype, "shape": shape, "data": data}


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (None, "member: must be a map with names as keys"),
        (array("|b1", [1, 1], b""), r"member: 0 bytes cannot be \|b1 of shape \[1, 1\]"),
        (array("|b1", [1, -1], b""), "member: shape must be a list of sizes"),
        (array("|b1", [1, True], b"1"), "member: shape must be a list of sizes"),
        (array("|b1", "11", b"1"), "member: shape must be a list of sizes"),
        (array("|b1", [0, 2**63], b""), "member: shape must have sides of at most 2147483647"),
        (array("|b1", [0] * 100, b""), "member: "),
        (array("|b1", [2**62, 2**62, 2**62], b"1"), "member: 1 bytes cannot be"),
        (array("<f8", [1, 1], b"12345678"), r"member: dtype '<f8' where '\|b1' should be"),
        (array(["|b1"], [1, 1], b"1"), "member: dtype"),
        (array("|b1", [1, 1], "1"), r"member: dtype '\|b1' is not known, or its data are not bytes"),
        (array("|b1", [1], b"1"), r"member: shape \(1,\) does not fit 1 scopes"),
        (array("|b1", [1, 2], b"12"), r"member: shape \(1, 2\) does not fit 1 scopes"),
        (array("|b1", [3, 1], b"\0\0\1"), "rows: 2 together, the least 1, where 3 should be"),
    ],
)
def test_inconsistent_array_is_refused(member: object, says: str) -> None:
    """The error names the field; bytes must match dtype and shape."""
    envelope = msgpack.decode(record_codec.encode_samples(PAIR))
    envelope["body"]["member"] = member
    with pytest.raises(WireError, match=says):
        record_codec.decode_samples(msgpack.encode(envelope))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (array("<c8", [1], b"12345678"), r"inputs.x: dtype '<c8' is not known"),
        (array("|O", [1], b"12345678"), r"inputs.x: dtype '\|O' is not known"),
        (array("str", [2], ["a"]), "inputs.x: cannot reshape"),
        (array("str", [1], [1]), "inputs.x: must be a list of names"),
        (array("str", [2], [["a"], ["b"]]), "inputs.x: must be a list of names"),
        (array("str", [1], b"a"), "inputs.x: must be a list of names"),
    ],
)
def test_tensor_of_an_unknown_datatype_is_refused(value: object, says: str) -> None:
    """Objects and complex numbers are refused, and strings must be strings."""
    envelope = msgpack.decode(record_codec.encode_samples(PAIR))
    envelope["body"]["inputs"]["x"] = value
    with pytest.raises(WireError, match=says):
        record_codec.decode_samples(msgpack.encode(envelope))


def column(dtype: str, *values: float) -> dict[str, object]:
    """A column on the wire."""
    return array(dtype, [len(values)], np.array(values, dtype).tobytes())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": ["m"]}, "samples.model: must be text"),
        ({"compressed_digest": 1}, "samples.compressed_digest: must be text"),
        ({"time": "now"}, "time: must be a map with names as keys"),
        ({"time": 1.5}, "time: must be a map with names as keys"),
        ({"draw": None}, "draw: must be a map with names as keys"),
        ({"inclusion": column("|b1", 1, 1)}, r"inclusion: dtype '\|b1' where '<f8' should be"),
        ({"seconds": column("<f8", 1.0)}, r"seconds: shape \(1,\) where 2 samples should be"),
        ({"seconds": array("<f8", [2, 1], bytes(16))}, r"seconds: shape \(2, 1\) where 2 samples should be"),
        ({"served_by_baseline": "nobody"}, "served_by_baseline: must be a map with names as keys"),
        ({"served_by_baseline": column("|i1", 0, 1)}, r"served_by_baseline: dtype '\|i1' where '\|b1' should be"),
        ({"request_id": ["r"]}, r"rows: shape \(2,\) where 1 samples should be"),
        ({"request_id": ["r", 1]}, "request_id: must be a list of names"),
        ({"rows": column("<i8", 1, 2)}, "rows: 3 together, the least 1, where 2 should be"),
        ({"rows": column("<i8", 3, -1)}, "rows: 2 together, the least -1, where 2 should be"),
        ({"rows": column("<i8", *[2**62] * 2)}, "rows: 9223372036854775808 together"),
        ({"rows": column("<f8", 1.0, 1.0)}, "rows: dtype '<f8' where '<i8' should be"),
        ({"rows": column("<u8", 1, 1)}, "rows: dtype '<u8' where '<i8' should be"),
        ({"scopes": [["a"]]}, "scopes: must be a list of names"),
        ({"scopes": 1}, "scopes: must be a list of names"),
        ({"scopes": []}, r"member: shape \(2, 1\) does not fit 0 scopes"),
        ({"inputs": []}, "inputs: must be a map with names as keys"),
        ({"inputs": {"x": column("<f4", 1.0)}}, r"inputs.x: shape \(1,\) where 2 rows should be"),
        ({"outputs": {"p": array("<f4", [], bytes(4))}}, r"outputs.p: shape \(\) where 2 rows should be"),
        ({"outputs": {"p": array("<f4", [2, 2], bytes(8))}}, "outputs.p: 8 bytes cannot be <f4 of shape"),
        ({"outputs": {"p": array("str", [2], ["a"])}}, "outputs.p: cannot reshape"),
    ],
)
def test_samples_with_a_field_that_does_not_fit_are_refused(changes: dict[str, object], says: str) -> None:
    """Such a record must fail when it is decoded, not later in the worker."""
    envelope = msgpack.decode(record_codec.encode_samples(PAIR))
    envelope["body"].update(changes)
    with pytest.raises(WireError, match=f"^{says}"):
        record_codec.decode_samples(msgpack.encode(envelope))


def test_rows_whose_sum_overflows_are_refused() -> None:
    """Four times 2^62 plus two is two in 64 bits; without scopes no other check would fail."""
    whole = replace(PAIR, scopes=(), member=np.zeros((2, 0), dtype=bool), inputs={}, outputs={})
    envelope = msgpack.decode(record_codec.encode_samples(whole))
    envelope["body"]["request_id"] = list("abcde")
    for name, dtype in record_codec._SAMPLE_DTYPES.items():
        texts = {"dtype": "str", "shape": [5], "data": list("abcde")}
        envelope["body"][name] = texts if dtype == "str" else column(dtype, *[0] * 5)
    envelope["body"]["rows"] = column("<i8", *[2**62] * 4, 2)
    with pytest.raises(WireError, match=f"rows: {2**64 + 2} together"):
        record_codec.decode_samples(msgpack.encode(envelope))


@pytest.mark.parametrize("detail", [{"x": b"bytes"}, {"x": {b"key": 1}}, {1: 2}, [], None])
def test_event_without_a_json_form_is_refused(detail: object) -> None:
    """The audit trail could not store it."""
    envelope = msgpack.decode(ENCODED[2][1])
    envelope["body"]["detail"] = detail
    with pytest.raises(WireError, match=r"event\.detail: "):
        record_codec.decode_event(msgpack.encode(envelope))


@pytest.mark.parametrize("column", ["offset", "member", "disagree", "distance", "fault"])
def test_column_of_another_length_is_refused(column: str) -> None:
    """All columns have the same length."""
    envelope = msgpack.decode(record_codec.encode_comparisons(BATCH))
    short = np.asarray(getattr(BATCH, column)[:1])
    envelope["body"][column] = array(short.dtype.str, list(short.shape), short.tobytes())
    with pytest.raises(WireError, match=rf"{column}: must have one entry for each of 2 rows \(and of 1 scopes\)"):
        record_codec.decode_comparisons(msgpack.encode(envelope))


@pytest.mark.parametrize("name", ["a\nb", "a" * 10_000])
def test_foreign_names_do_not_break_the_line(name: str) -> None:
    """Errors appear in a log and in the key of a parked record."""
    envelope = msgpack.decode(ENCODED[2][1])
    envelope["body"][name] = 1
    with pytest.raises(record_codec.WireError) as caught:
        record_codec.decode_event(msgpack.encode(envelope))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 200


def test_deep_nesting_is_refused() -> None:
    """The interpreter does not crash."""
    only_wire_errors(b"\x91" * 100_000 + b"\x01")
    only_wire_errors(b"\x81\xa1a" * 100_000 + b"\x01")
