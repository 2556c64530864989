"""Every record survives a round trip bit for bit; malformed records are refused by field."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from tests.support.cluster.wire_records import (
    bit_identical,
    comparisons,
    events,
    labels,
    orders,
    routes,
    sample_lists,
    states,
    traffic_notes,
)
from tests.support.judgement.comparisons import make_plan
from tests.support.wired_samples import split_samples
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import (
    ADDED_ARRAYS,
    ROW_ARRAYS,
    Comparisons,
    Event,
    Order,
    Role,
    Routes,
    Sample,
    Traffic,
)
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError, mapping, pack, unpack
from tightrope.service.adapters.wire.first_release import FIRST_VERSION

SAMPLE = Sample(
    model="m",
    request_id="r",
    time=1.5,
    served_by=Role.BASELINE,
    baseline_digest="b",
    compressed_digest="c",
    inputs={"x": np.array([[1.0, 2.0]], np.float32)},
    outputs={"p": np.array([[0.25, 0.75]], np.float32)},
    scopes=("a=b",),
    member=np.array([[True]]),
    draw=0.25,
    inclusion=1.0,
    seconds=0.01,
)
PAIR = SampleBatch.from_samples([SAMPLE, replace(SAMPLE, request_id="s", served_by=Role.COMPRESSED)])
BATCH = Comparisons(
    model="m",
    baseline_digest="b",
    compressed_digest="c",
    log="l",
    scopes=("a=b",),
    request_id=("r", "s"),
    member=np.zeros((2, 1), dtype=bool),
    **{
        name: np.zeros(2, record_codec._COMPARISON_DTYPES.get(name, "<f8"))
        for name in ROW_ARRAYS
        if name not in {"member", *ADDED_ARRAYS}
    },
)
EVENT = Event("i", 1.5, "m", "kind", "model", "me", "why", {"x": [1, None]})
ORDER = Order("i", 1.5, "m", "model", "release", "me", "why")
LABEL = Label("m", "r", 0, 1, 1.5)
NOTE = Traffic("m", 1.5, 7, 1.25)
ROUTES = Routes("m", 3, ("a=b",), {"model": "normal"}, "i")


@given(sample_lists())
def test_samples_come_back(given_samples: list[Sample]) -> None:
    """Rows are kept, and datatype, shape and bits of every tensor."""
    samples = SampleBatch.from_samples(given_samples)
    back = record_codec.decode_samples(record_codec.encode_samples(samples))
    assert bit_identical(back, samples)
    assert bit_identical(list(split_samples(back)), given_samples)


@given(comparisons())
def test_comparisons_come_back(batch: Comparisons) -> None:
    """Every column is kept, also without rows."""
    assert bit_identical(record_codec.decode_comparisons(record_codec.encode_comparisons(batch)), batch)


@given(events)
def test_events_come_back(event: Event) -> None:
    """Details are kept."""
    assert bit_identical(record_codec.decode_event(record_codec.encode_event(event)), event)


@given(orders)
def test_orders_come_back(order: Order) -> None:
    """All fields are kept."""
    assert bit_identical(record_codec.decode_order(record_codec.encode_order(order)), order)


@given(routes)
def test_routes_come_back(told: Routes) -> None:
    """All fields are kept."""
    assert bit_identical(record_codec.decode_routes(record_codec.encode_routes(told)), told)


@given(st.lists(labels, max_size=3))
def test_labels_come_back(given_labels: list[Label]) -> None:
    """All fields are kept."""
    assert bit_identical(record_codec.decode_labels(record_codec.encode_labels(given_labels)), given_labels)


@given(traffic_notes)
def test_traffic_notes_come_back(note: Traffic) -> None:
    """All fields are kept."""
    assert bit_identical(record_codec.decode_traffic(record_codec.encode_traffic(note)), note)


@given(states())
def test_snapshots_come_back_bit_for_bit(state: Any) -> None:  # noqa: ANN401 - tightrope.monitors.plan.State
    """A restarted judge has exactly the same evidence, and writes the same bytes again."""
    data = record_codec.encode_state(state)
    back = record_codec.decode_state(data)
    assert bit_identical(back, state)
    assert record_codec.encode_state(back) == data


@given(states())
def test_snapshots_of_equal_states_are_equal(state: Any) -> None:  # noqa: ANN401 - tightrope.monitors.plan.State
    """The order of partitions, streams and labels does not matter."""
    turned = {
        name: dict(reversed(getattr(state, name).items())) for name in ("seen", "watermarks", "pending", "labels")
    }
    assert record_codec.encode_state(replace(state, **turned)) == record_codec.encode_state(state)


def test_snapshot_of_an_earlier_version_has_seen_every_scope_with_rows() -> None:
    """It does not tell when a scope had its last row: none is unseen because of that, and the count starts now."""
    state = replace(initial_state(make_plan("disagreement")), compared=np.array([900, 40, 0, 900]))
    written = mapping(unpack(record_codec.encode_state(state), record_codec.STATE_SCHEMA), "state")
    earlier = {name: value for name, value in written.items() if name != "sighted"}
    decoded = record_codec.decode_state(pack(record_codec.STATE_SCHEMA, earlier))
    assert decoded.sighted.tolist() == [900, 900, 0, 900]


def test_numbers_of_numpy_travel_as_numbers() -> None:
    """A record may contain elements of arrays."""
    event = replace(EVENT, time=np.float64(1.5), detail={"x": [np.int64(1), None]})
    assert bit_identical(record_codec.decode_event(record_codec.encode_event(event)), EVENT)


def test_big_endian_arrays_are_written_little_endian() -> None:
    """The wire format is little-endian."""
    sample = replace(SAMPLE, inputs={"x": np.array([[1.0, 2.0]], ">f4")})
    for some in ([sample], [sample, sample]):
        back = record_codec.decode_samples(record_codec.encode_samples(SampleBatch.from_samples(some)))
        assert bit_identical(list(split_samples(back)), [SAMPLE] * len(some))


def test_unsupported_values_are_not_written() -> None:
    """The writer raises."""
    with pytest.raises(TypeError, match="a record cannot hold object"):
        record_codec.encode_event(replace(EVENT, detail={"x": object()}))


ENCODED: list[tuple[str, bytes, Callable[[bytes], Any]]] = [
    (record_codec.SAMPLES_SCHEMA, record_codec.encode_samples(PAIR), record_codec.decode_samples),
    (record_codec.COMPARISONS_SCHEMA, record_codec.encode_comparisons(BATCH), record_codec.decode_comparisons),
    (record_codec.EVENT_SCHEMA, record_codec.encode_event(EVENT), record_codec.decode_event),
    (record_codec.ORDER_SCHEMA, record_codec.encode_order(ORDER), record_codec.decode_order),
    (record_codec.ROUTES_SCHEMA, record_codec.encode_routes(ROUTES), record_codec.decode_routes),
    (record_codec.LABELS_SCHEMA, record_codec.encode_labels([LABEL]), record_codec.decode_labels),
    (record_codec.TRAFFIC_SCHEMA, record_codec.encode_traffic(NOTE), record_codec.decode_traffic),
]
KINDS = pytest.mark.parametrize(("schema", "data", "decode"), ENCODED, ids=[schema for schema, _, _ in ENCODED])


@KINDS
def test_envelope_names_schema_and_version(schema: str, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """Any msgpack reader can read schema and version: that of the first release, whose members read it too."""
    envelope = msgpack.decode(data)
    assert (envelope["schema"], envelope["version"]) == (schema, FIRST_VERSION)
    assert record_codec.schema_of(data) == schema
    assert decode(data) is not None


@KINDS
def test_unknown_version_is_refused(schema: str, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """A newer version is not guessed."""
    envelope = {**msgpack.decode(data), "version": 3}
    for read in (decode, record_codec.schema_of, record_codec.version_of):
        with pytest.raises(WireError, match=r"version: '3'; this reader knows 1 and 2"):
            read(msgpack.encode(envelope))
    assert schema


@KINDS
def test_another_schema_is_refused(schema: str, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """A record is not decoded as another one."""
    for other, others, _ in ENCODED:
        if other != schema:
            with pytest.raises(WireError, match=f"schema: '{other}' where '{schema}' should be"):
                decode(others)
    assert data


@KINDS
def test_unknown_field_is_refused(schema: str, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """Comparisons are the exception: they ignore unknown columns."""
    envelope = msgpack.decode(data)
    body = envelope["body"][0] if schema == record_codec.LABELS_SCHEMA else envelope["body"]
    body["surprise"] = 1
    if schema == record_codec.COMPARISONS_SCHEMA:
        assert bit_identical(decode(msgpack.encode(envelope)), BATCH)
        return
    with pytest.raises(WireError, match="surprise"):
        decode(msgpack.encode(envelope))
