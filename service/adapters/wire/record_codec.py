"""Records as bytes: msgpack maps in an `envelope`, with the field names of the record as keys."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from tightrope.monitors.added_scopes.host_scopes import named_hosts
from tightrope.monitors.dependence.autocorrelation import Autocorrelation
from tightrope.monitors.dependence.cluster_sums import open_window
from tightrope.monitors.detector_bank import Cells
from tightrope.monitors.intake.sample_batch import ADDED_SAMPLE_COLUMNS, SampleBatch
from tightrope.monitors.label_records import Label
from tightrope.monitors.latency import LatencyState
from tightrope.monitors.plan import State, UncomparedTraffic
from tightrope.monitors.records import (
    ADDED_ARRAYS,
    MATRICES,
    ROW_ARRAYS,
    Comparisons,
    Event,
    Ints,
    Order,
    Role,
    Routes,
    Stream,
    Traffic,
)
from tightrope.service.adapters.wire.bounds import MAX_CLASS_COLUMNS
from tightrope.service.adapters.wire.columns import check_row_counts, check_values, extended, read_tensors, shortened
from tightrope.service.adapters.wire.curves_codec import read_curves
from tightrope.service.adapters.wire.dependence_codec import read_dependence
from tightrope.service.adapters.wire.envelope import (
    STRING_DTYPE,
    WireError,
    array,
    build,
    envelope,
    mapping,
    names,
    pack,
    peek,
    record_fields,
    unpack,
)
from tightrope.service.adapters.wire.estimates_codec import estimates_fields, read_estimates
from tightrope.service.adapters.wire.margin_codec import read_margin
from tightrope.service.adapters.wire.repeats_codec import read_repeats
from tightrope.service.adapters.wire.retained_codec import class_numbers, read_mode, read_retained, retained_fields
from tightrope.service.adapters.wire.search_codec import read_added, read_search, search_fields
from tightrope.service.adapters.wire.state_bounds import check_state
from tightrope.service.adapters.wire.veto_codec import read_veto

SAMPLES_SCHEMA = "tightrope.samples"
COMPARISONS_SCHEMA = "tightrope.comparisons"
EVENT_SCHEMA = "tightrope.event"
ORDER_SCHEMA = "tightrope.order"
ROUTES_SCHEMA = "tightrope.routes"
STATE_SCHEMA = "tightrope.state"
LABELS_SCHEMA = "tightrope.labels"
TRAFFIC_SCHEMA = "tightrope.traffic"


def schema_of(data: bytes) -> str:
    """The schema of the record that these bytes hold.

    Raises:
        WireError: when they are not a record, or of a version that is not read.
    """
    return peek(data)


def version_of(data: bytes) -> int:
    """The version that a record was written in.

    Raises:
        WireError: when it cannot be read.
    """
    return int(envelope(data)["version"])


def encode_samples(samples: SampleBatch) -> bytes:
    """Samples of one kind as one record."""
    return pack(SAMPLES_SCHEMA, shortened(record_fields(samples), ADDED_SAMPLE_COLUMNS))


def decode_samples(data: bytes) -> SampleBatch:
    """A batch of samples. Every column must have one entry a sample, every tensor one row a row.

    Raises:
        WireError: when a field does not fit.
    """
    body = mapping(unpack(data, SAMPLES_SCHEMA), "samples")
    ids, scopes = names(body.get("request_id"), "request_id"), names(body.get("scopes"), "scopes")
    given = (name for name in _SAMPLE_DTYPES if name in body or name not in ADDED_SAMPLE_COLUMNS)
    columns = {name: array(body.get(name), name, _SAMPLE_DTYPES[name]) for name in given}
    columns = extended(columns, ADDED_SAMPLE_COLUMNS, len(ids))
    for name, column in columns.items():
        if column.shape != (len(ids),):
            raise WireError(f"{name}: shape {column.shape} where {len(ids)} samples should be")
    check_values(columns)
    member = array(body.get("member"), "member", "|b1")
    check_row_counts(columns["rows"], member, len(scopes))
    tensors = {side: read_tensors(body.get(side), side, len(member)) for side in ("inputs", "outputs")}
    return build(
        SampleBatch, "samples", {**body, **columns, **tensors, "request_id": ids, "scopes": scopes, "member": member}
    )


def encode_comparisons(rows: Comparisons) -> bytes:
    """One batch of comparisons."""
    return pack(COMPARISONS_SCHEMA, shortened(record_fields(rows), ADDED_ARRAYS))


def decode_comparisons(data: bytes) -> Comparisons:
    """One batch of comparisons. All columns must have the same length."""
    return read_comparisons(unpack(data, COMPARISONS_SCHEMA))


def encode_event(event: Event, chain: Mapping[str, object] | None = None) -> bytes:
    """One event, with its place in the ``chain`` of its writer if it has one."""
    return pack(EVENT_SCHEMA, asdict(event) | ({"chain": chain} if chain else {}))


def decode_event(data: bytes) -> Event:
    """One event, without its place in a chain."""
    body = mapping(unpack(data, EVENT_SCHEMA), "event").items()
    event = build(Event, "event", {name: value for name, value in body if name != "chain"})
    try:
        json.dumps(mapping(event.detail, "event.detail"))
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"event.detail: {error}") from error
    return event


def encode_order(order: Order) -> bytes:
    """One operator order."""
    return pack(ORDER_SCHEMA, asdict(order))


def decode_order(data: bytes) -> Order:
    """One operator order."""
    return build(Order, "order", unpack(data, ORDER_SCHEMA))


def encode_routes(routes: Routes) -> bytes:
    """The scopes that the baseline answers, and the state of each scope. Names alone tell the classes of hosts, so that
    a reader of an older release passes them over.
    """
    groups = [asdict(each) for each in routes.added if not each.is_host]
    return pack(ROUTES_SCHEMA, {**record_fields(routes), "added": groups})


def decode_routes(data: bytes) -> Routes:
    """The scopes that the baseline answers, and the state of each scope."""
    body = mapping(unpack(data, ROUTES_SCHEMA), "routes")
    states = mapping(body.get("states"), "routes.states")
    names([*states, *states.values()], "routes.states")
    chosen = {"safe": body.get("safe"), "ordered": body.get("ordered", [])}
    listed = {key: names(value, f"routes.{key}") for key, value in chosen.items()}
    groups = read_added(body.get("added", []), "routes.added")
    asked = class_numbers(body.get("asked", []), "routes.asked")
    return build(Routes, "routes", {**body, **listed, "added": (*groups, *named_hosts(states, groups)), "asked": asked})


def encode_state(state: State) -> bytes:
    """A snapshot of one model's judgement. Maps are sorted, so that equal states have equal bytes."""
    parts = {"retained": retained_fields(state.retained), "estimates": estimates_fields(state.estimates)}
    parts |= {"search": search_fields(state.search)}
    items = {**record_fields(state), **parts, "added": [asdict(each) for each in state.added]}.items()
    return pack(
        STATE_SCHEMA, {name: dict(sorted(value.items())) if isinstance(value, dict) else value for name, value in items}
    )


def decode_state(data: bytes) -> State:
    """A snapshot of one model's judgement."""
    body = mapping(unpack(data, STATE_SCHEMA), "state")
    try:
        state = State(
            **{
                **body,
                "scopes": names(body["scopes"], "scopes"),
                "monitors": names(body["monitors"], "monitors"),
                "seen": {Stream(name): rows for name, rows in body["seen"].items()},
                "pending": {Stream(name): read_comparisons(rows) for name, rows in body["pending"].items()},
                "modes": tuple(map(read_mode, body["modes"])),
                "retained": read_retained(body.get("retained", {})),
                "estimates": read_estimates(body.get("estimates", {})),
                "search": read_search(body.get("search", {})),
                "added": read_added(body.get("added", []), "added"),
                **{name: array(body[name], name) for name in ("compared", "disagreed", "errors", "faulty", "noise")},
                "sighted": _sighted(body),
                "repeats": read_repeats(body.get("repeats", {})),
                "dependence": read_dependence(body.get("dependence", {})),
                "veto": read_veto(body.get("veto", {}), len(body["scopes"])),
                "curves": read_curves(body.get("curves", {})),
                "margin": read_margin(body.get("margin", {})),
                "hosts": {n: array(v, "hosts", "<i8") for n, v in mapping(body.get("hosts", {}), "hosts").items()},
                "refused": {Role(n): array(v, "refused") for n, v in body.get("refused", {}).items()},
                "lag": Autocorrelation(**body["lag"]),
                "unanswered": UncomparedTraffic(**body["unanswered"]),
                "latency": LatencyState(
                    **{**body["latency"], "log_mass": array(body["latency"]["log_mass"], "latency")}
                ),
                "cells": tuple(map(_cells, body["cells"])),
            }
        )
        return check_state(state)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise WireError(f"state: not a snapshot of this version: {error}") from error


def _cells(body: Mapping[str, object]) -> Cells:
    """The cells of one monitor; in a snapshot of an earlier version no seed waits for rows, and no window is open."""
    arrays = {name: array(value, name) for name, value in body.items()}
    sides = arrays["count"].shape
    return Cells(**{"pending": np.zeros(sides, dtype=np.int64), "window": open_window(sides, 0), **arrays})


def _sighted(body: Mapping[str, object]) -> Ints:
    """The rows up to the last one of each scope; in a snapshot of an earlier version every scope has just had one."""
    if "sighted" in body:
        return array(body["sighted"], "sighted")
    compared = array(body["compared"], "compared")
    return np.where(compared > 0, compared[:1], 0)


def encode_labels(labels: Sequence[Label]) -> bytes:
    """Several labels as one record."""
    return pack(LABELS_SCHEMA, [asdict(label) for label in labels])


def decode_labels(data: bytes) -> list[Label]:
    """Several labels of one model."""
    body = unpack(data, LABELS_SCHEMA)
    if not isinstance(body, list):
        raise WireError("labels: the body must be a list")
    return [build(Label, "label", item) for item in body]


def encode_traffic(note: Traffic) -> bytes:
    """A gateway's note of how many samples it kept."""
    return pack(TRAFFIC_SCHEMA, asdict(note))


def decode_traffic(data: bytes) -> Traffic:
    """A gateway's note of how many samples it kept."""
    return build(Traffic, "traffic", unpack(data, TRAFFIC_SCHEMA))


_SAMPLE_DTYPES = (
    {"rows": "<i8", "served_by_baseline": "|b1", "apart": "|b1", "caller": "<u8"}
    | dict.fromkeys(("time", "draw", "inclusion", "seconds"), "<f8")
    | dict.fromkeys(("host_class", "trace_id"), STRING_DTYPE)
)
_COMPARISON_DTYPES = (
    {"fault": "|i1", "twin": "<u8", "caller": "<u8", "features": "<f4", "apart": "|b1"}
    | dict.fromkeys(("host_class", "shadow_host_class", "trace_id"), STRING_DTYPE)
    | dict.fromkeys(("partition", "offset", "top_baseline", "top_compressed"), "<i8")
    | dict.fromkeys(("member", "served_by_baseline", "disagree", "refused_baseline", "refused_compressed"), "|b1")
)
_SIDES = {name: 2 if name in MATRICES else 1 for name in ROW_ARRAYS}


def read_comparisons(body: object, short: Collection[str] = ADDED_ARRAYS) -> Comparisons:
    """A batch of comparisons from its fields; the columns in ``short`` may have one entry for all rows.

    Raises:
        WireError: when a field does not fit.
    """
    values = mapping(body, "comparisons")
    given = (name for name in ROW_ARRAYS if name in values or name not in ADDED_ARRAYS)
    columns = {name: array(values.get(name), name, _COMPARISON_DTYPES.get(name, "<f8")) for name in given}
    ids, scopes = names(values.get("request_id"), "request_id"), names(values.get("scopes"), "scopes")
    columns = extended(columns, short, len(ids))
    rows = len(ids)
    wrong = [name for name, column in columns.items() if column.ndim != _SIDES[name] or len(column) != rows]
    if wrong or columns["member"].shape[1] != len(scopes):
        column = (wrong or ["member"])[0]
        raise WireError(f"{column}: must have one entry for each of {len(ids)} rows (and of {len(scopes)} scopes)")
    widest = max((columns[name].shape[1] for name in MATRICES if name in columns and name != "member"), default=0)
    if widest > MAX_CLASS_COLUMNS:
        raise WireError(f"missed, gained, mix, features: {widest} columns; there must be at most {MAX_CLASS_COLUMNS}")
    check_values(columns)
    fields = {name: values.get(name) for name in ("model", "baseline_digest", "compressed_digest", "log")}
    return build(Comparisons, "comparisons", {**fields, **columns, "request_id": ids, "scopes": scopes})
