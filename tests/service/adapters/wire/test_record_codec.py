"""Every record comes back from its bytes as it was, to the last bit; what is no such record is refused by its field."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.cluster.wire_records import alike, comparisons, events, labels, notes, orders, routes, same, states
from tests.support.wired_samples import apart
from tightrope.monitors.records import ROW_ARRAYS, Comparisons, Event, Label, Order, Role, Routes, Sample
from tightrope.monitors.records import Traffic as Note
from tightrope.monitors.sample_batch import Samples
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import VERSION, WireError

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
PAIR = Samples.of([SAMPLE, replace(SAMPLE, request_id="s", served_by=Role.COMPRESSED)])
BATCH = Comparisons(
    model="m",
    baseline_digest="b",
    compressed_digest="c",
    log="l",
    scopes=("a=b",),
    request_id=("r", "s"),
    member=np.zeros((2, 1), dtype=bool),
    **{name: np.zeros(2, record_codec._COLUMNS.get(name, "<f8")) for name in ROW_ARRAYS if name != "member"},
)
EVENT = Event("i", 1.5, "m", "kind", "model", "me", "why", {"x": [1, None]})
ORDER = Order("i", 1.5, "m", "model", "release", "me", "why")
LABEL = Label("m", "r", 0, 1, 1.5)
NOTE = Note("m", 1.5, 7, 1.25)
ROUTES = Routes("m", 3, ("a=b",), {"model": "normal"}, "i")


@given(alike())
def test_samples_come_back(given_samples: list[Sample]) -> None:
    """Each with its own rows, and with every tensor's datatype, shape and bits."""
    samples = Samples.of(given_samples)
    back = record_codec.decode_samples(record_codec.encode_samples(samples))
    assert same(back, samples)
    assert same(list(apart(back)), given_samples)


@given(comparisons())
def test_comparisons_come_back(batch: Comparisons) -> None:
    """With every column, also of no rows at all."""
    assert same(record_codec.decode_comparisons(record_codec.encode_comparisons(batch)), batch)


@given(events)
def test_events_come_back(event: Event) -> None:
    """With all of their detail."""
    assert same(record_codec.decode_event(record_codec.encode_event(event)), event)


@given(orders)
def test_orders_come_back(order: Order) -> None:
    """Who, what, why."""
    assert same(record_codec.decode_order(record_codec.encode_order(order)), order)


@given(routes)
def test_routes_come_back(told: Routes) -> None:
    """Epoch, safe scopes and every state."""
    assert same(record_codec.decode_routes(record_codec.encode_routes(told)), told)


@given(st.lists(labels, max_size=3))
def test_labels_come_back(given_labels: list[Label]) -> None:
    """Of which row of which request, and when they came."""
    assert same(record_codec.decode_labels(record_codec.encode_labels(given_labels)), given_labels)


@given(notes)
def test_traffic_notes_come_back(note: Note) -> None:
    """Of which model, when, and how much was kept."""
    assert same(record_codec.decode_traffic(record_codec.encode_traffic(note)), note)


@given(states())
def test_snapshots_come_back_bit_for_bit(state: Any) -> None:  # noqa: ANN401 - tightrope.monitors.plan.State
    """A judge that restarts goes on with exactly the evidence that it had; written again it is the same bytes."""
    data = record_codec.encode_state(state)
    back = record_codec.decode_state(data)
    assert same(back, state)
    assert record_codec.encode_state(back) == data


@given(states())
def test_snapshots_of_equal_states_are_equal(state: Any) -> None:  # noqa: ANN401 - tightrope.monitors.plan.State
    """Whichever partition, stream or label a judge met first: it is the same knowledge."""
    turned = {
        name: dict(reversed(getattr(state, name).items())) for name in ("seen", "watermarks", "pending", "labels")
    }
    assert record_codec.encode_state(replace(state, **turned)) == record_codec.encode_state(state)


def test_numbers_of_numpy_travel_as_numbers() -> None:
    """A record may be made from an array's elements."""
    event = replace(EVENT, time=np.float64(1.5), detail={"x": [np.int64(1), None]})
    assert same(record_codec.decode_event(record_codec.encode_event(event)), EVENT)


def test_big_endian_arrays_are_written_little_endian() -> None:
    """The wire has one byte order."""
    sample = replace(SAMPLE, inputs={"x": np.array([[1.0, 2.0]], ">f4")})
    for some in ([sample], [sample, sample]):
        back = record_codec.decode_samples(record_codec.encode_samples(Samples.of(some)))
        assert same(list(apart(back)), [SAMPLE] * len(some))


def test_what_a_record_cannot_hold_is_not_written() -> None:
    """The writer finds out, not the reader."""
    with pytest.raises(TypeError, match="a record cannot hold object"):
        record_codec.encode_event(replace(EVENT, detail={"x": object()}))


ENCODED: list[tuple[str, bytes, Callable[[bytes], Any]]] = [
    (record_codec.SAMPLES, record_codec.encode_samples(PAIR), record_codec.decode_samples),
    (record_codec.COMPARISONS, record_codec.encode_comparisons(BATCH), record_codec.decode_comparisons),
    (record_codec.EVENT, record_codec.encode_event(EVENT), record_codec.decode_event),
    (record_codec.ORDER, record_codec.encode_order(ORDER), record_codec.decode_order),
    (record_codec.ROUTES, record_codec.encode_routes(ROUTES), record_codec.decode_routes),
    (record_codec.LABELS, record_codec.encode_labels([LABEL]), record_codec.decode_labels),
    (record_codec.TRAFFIC, record_codec.encode_traffic(NOTE), record_codec.decode_traffic),
]
KINDS = pytest.mark.parametrize(("schema", "data", "decode"), ENCODED, ids=[schema for schema, _, _ in ENCODED])


@KINDS
def test_envelope_names_schema_and_version(schema: str, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """Any msgpack reader sees what a record is before it reads on."""
    envelope = msgpack.unpackb(data)
    assert (envelope["schema"], envelope["version"]) == (schema, VERSION)
    assert record_codec.schema_of(data) == schema
    assert decode(data) is not None


@KINDS
def test_unknown_version_is_refused(schema: str, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """Nothing is guessed about what a newer writer meant."""
    envelope = {**msgpack.unpackb(data), "version": 2}
    for read in (decode, record_codec.schema_of):
        with pytest.raises(WireError, match=r"version: '2'; this reader knows 1"):
            read(msgpack.packb(envelope))
    assert schema


@KINDS
def test_another_schema_is_refused(schema: str, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """A record of one kind is never read as another."""
    for other, others, _ in ENCODED:
        if other != schema:
            with pytest.raises(WireError, match=f"schema: '{other}' where '{schema}' should be"):
                decode(others)
    assert data


@KINDS
def test_unknown_field_is_refused(schema: str, data: bytes, decode: Callable[[bytes], Any]) -> None:
    """But for comparisons, which take the columns they know."""
    envelope = msgpack.unpackb(data, strict_map_key=False)
    body = envelope["body"][0] if schema == record_codec.LABELS else envelope["body"]
    body["surprise"] = 1
    if schema == record_codec.COMPARISONS:
        assert same(decode(msgpack.packb(envelope)), BATCH)
        return
    with pytest.raises(WireError, match="surprise"):
        decode(msgpack.packb(envelope))
