"""Numbers, texts and sizes beyond their bounds are refused where a record is decoded, with the field and the bound."""

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from msgspec import msgpack

from tests.service.adapters.wire.test_record_codec import BATCH, EVENT, LABEL, NOTE, ORDER, PAIR, ROUTES
from tightrope.service.adapters.wire import bounds, record_codec
from tightrope.service.adapters.wire.bounds import COLUMN_RANGES, COUNTS, NumberRange, column_violation, plausible_epoch
from tightrope.service.adapters.wire.envelope import WireError, pack
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_SCHEMA, decode_heartbeat

CASES: dict[str, tuple[object, str, Callable[[bytes], Any]]] = {
    "label": (LABEL, record_codec.LABELS_SCHEMA, record_codec.decode_labels),
    "traffic": (NOTE, record_codec.TRAFFIC_SCHEMA, record_codec.decode_traffic),
    "order": (ORDER, record_codec.ORDER_SCHEMA, record_codec.decode_order),
    "routes": (ROUTES, record_codec.ROUTES_SCHEMA, record_codec.decode_routes),
    "event": (EVENT, record_codec.EVENT_SCHEMA, record_codec.decode_event),
}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("label", "row", 2**63),
        ("label", "row", 2**31),
        ("label", "row", -1),
        ("label", "label", 2**64 - 1),
        ("label", "label", 2**31),
        ("label", "time", math.nan),
        ("label", "time", 1e18),
        ("label", "probability", 1.5),
        ("label", "probability", math.nan),
        ("label", "request_id", "x" * 2000),
        ("traffic", "kept", 2**63),
        ("traffic", "kept", -1),
        ("traffic", "since", -math.inf),
        ("order", "time", math.inf),
        ("order", "scope", "x" * 5000),
        ("routes", "epoch", 2**64 - 1),
        ("routes", "epoch", -2),
        ("event", "time", math.nan),
        ("event", "kind", "x" * 5000),
    ],
)
def test_field_beyond_its_bound_is_refused(kind: str, field: str, value: object) -> None:
    """The error names the record and the field."""
    record, schema, decode = CASES[kind]
    body = {**asdict(record), field: value}  # type: ignore[call-overload]
    with pytest.raises(WireError, match=rf"{kind}\.{field}: (must be|has)"):
        decode(pack(schema, [body] if kind == "label" else body))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("offset", -1),
        ("offset", 2**63 - 1),
        ("partition", 2**31),
        ("partition", -1),
        ("time", math.nan),
        ("time", 1e18),
        ("draw", math.nan),
        ("draw", 1.5),
        ("inclusion", -0.5),
        ("confidence_compressed", 2.0),
        ("confidence_baseline", math.inf),
        ("entropy_baseline", -1.0),
        ("self_disagree", 3.0),
        ("top_baseline", -2),
        ("top_compressed", 2**31),
        ("fault", -1),
        ("seconds", -1.0),
        ("loss", 1.5),
    ],
)
def test_column_beyond_its_bound_is_refused(column: str, value: float) -> None:
    """One value is enough, among sound ones, and the error names its column alone."""
    values = getattr(BATCH, column).copy()
    values[1] = value
    with pytest.raises(WireError, match=f"^{column}: must be from"):
        record_codec.decode_comparisons(record_codec.encode_comparisons(replace(BATCH, **{column: values})))


@pytest.mark.parametrize("column", ["time", "draw", "inclusion", "seconds"])
def test_column_of_samples_beyond_its_bound_is_refused(column: str) -> None:
    """A worker would pass it on to the judge."""
    values = np.array([0.5, -1e300])
    with pytest.raises(WireError, match=f"^{column}: must be from"):
        record_codec.decode_samples(record_codec.encode_samples(replace(PAIR, **{column: values})))


def test_record_of_samples_with_too_many_rows_is_refused() -> None:
    """Rows without scopes and inputs take no bytes: a short record may claim any number of them."""
    whole = replace(PAIR, scopes=(), member=np.zeros((2, 0), dtype=bool), inputs={}, outputs={})
    document = msgpack.decode(record_codec.encode_samples(whole))
    document["body"]["rows"]["data"] = np.array([2**30, 2**30]).tobytes()
    document["body"]["member"]["shape"] = [2**31 - 2, 0]
    document["body"]["rows"]["data"] = np.array([2**30, 2**30 - 2]).tobytes()
    with pytest.raises(WireError, match=f"rows: {2**31 - 2} together; there must be at most {2**20}"):
        record_codec.decode_samples(msgpack.encode(document))


def test_batch_with_too_many_classes_is_refused() -> None:
    """The rows of a round are padded to the widest record."""
    wide = replace(BATCH, missed=np.zeros((2, 2000)))
    with pytest.raises(WireError, match="missed, gained, mix, features: 2000 columns; there must be at most 1024"):
        record_codec.decode_comparisons(record_codec.encode_comparisons(wide))


def test_record_that_is_too_long_for_its_kind_is_refused() -> None:
    """Before it is decoded, which takes many times the room."""
    with pytest.raises(WireError, match=r"tightrope\.traffic: \d+ bytes; it must have at most 1048576"):
        record_codec.decode_traffic(pack(record_codec.TRAFFIC_SCHEMA, {"x": [{}] * (1 << 20)}))


def test_too_many_scopes_are_refused() -> None:
    """Their number bounds the arrays of a state."""
    crowd = replace(ROUTES, safe=tuple(f"a={n}" for n in range(10_001)))
    with pytest.raises(WireError, match=r"routes\.safe: has 10001 names; it must have at most 10000"):
        record_codec.decode_routes(record_codec.encode_routes(crowd))


@pytest.mark.parametrize("change", [{"judged": 2**63}, {"clock": math.nan}, {"scopes": {"a=b": -1}}])
def test_heartbeat_beyond_its_bounds_is_refused(change: dict[str, object]) -> None:
    """A judge's clock that is NaN would be older and newer than any other."""
    body = {"model": "m", "judge": "j", "clock": 1.0, "judged": 0, **change}
    with pytest.raises(WireError, match=r"heartbeat\."):
        decode_heartbeat(pack(HEARTBEAT_SCHEMA, body))


def test_unknown_values_are_taken_where_a_value_may_be_unknown() -> None:
    """A column that is all NaN, or empty, violates nothing."""
    unknown = [name for name, limits in COLUMN_RANGES.items() if limits.unknown]
    assert "confidence_baseline" in unknown
    assert column_violation({name: np.full(3, np.nan) for name in unknown}) == ""
    assert column_violation({name: np.zeros(0) for name in COLUMN_RANGES}) == ""


def test_ends_of_a_range_belong_to_it() -> None:
    """NaN belongs to none that does not allow it."""
    assert COUNTS.contains(0)
    assert COUNTS.contains(2**62)
    assert not COUNTS.contains(2**62 + 1)
    assert not NumberRange(0, 1).contains(math.nan)
    assert NumberRange(0, 1, unknown=True).contains(math.nan)


def test_epoch_is_plausible_up_to_a_step_beyond_the_last_or_the_clock() -> None:
    """A judge of the release before goes on from the clock when it has lost its state."""
    assert plausible_epoch(7, -1.0) == 7 + bounds.MAX_EPOCH_STEP
    assert plausible_epoch(7, 1.8e9) == 1_800_001_000
    assert plausible_epoch(7, math.inf) < 2**63
