"""Records as bytes: msgpack maps whose keys are the records' field names; the envelope is `packing`'s."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from tightrope.monitors.detector_bank import Cells
from tightrope.monitors.latency import Blocks
from tightrope.monitors.plan import Lag, State, Unanswered
from tightrope.monitors.records import (
    ROW_ARRAYS,
    Bools,
    Comparisons,
    Event,
    Ints,
    Label,
    Order,
    Routes,
    Stream,
    Tensors,
    Traffic,
)
from tightrope.monitors.safemode import Mode
from tightrope.monitors.safemode import State as ModeState
from tightrope.monitors.sample_batch import Samples
from tightrope.service.adapters.wire.envelope import (
    WireError,
    array,
    build,
    mapping,
    names,
    pack,
    peek,
    record_fields,
    unpack,
)

SAMPLES, COMPARISONS, EVENT, ORDER, ROUTES, STATE, LABELS, TRAFFIC = (
    f"tightrope.{name}" for name in ("samples", "comparisons", "event", "order", "routes", "state", "labels", "traffic")
)


def schema_of(data: bytes) -> str:
    """Which record these bytes hold.

    Raises:
        WireError: when they are no record of this version.
    """
    return peek(data)


def encode_samples(samples: Samples) -> bytes:
    """Samples of one kind as one record."""
    return pack(SAMPLES, record_fields(samples))


def decode_samples(data: bytes) -> Samples:
    """Samples of one kind; every column is checked to have an entry for each, every tensor a row for each row."""
    given = mapping(unpack(data, SAMPLES), "samples")
    ids, scopes = names(given.get("request_id"), "request_id"), names(given.get("scopes"), "scopes")
    columns = {name: array(given.get(name), name, dtype) for name, dtype in _OF_SAMPLES.items()}
    for name, column in columns.items():
        if column.shape != (len(ids),):
            raise WireError(f"{name}: shape {column.shape} where {len(ids)} samples should be")
    member = array(given.get("member"), "member", "|b1")
    _add_up(columns["rows"], member, len(scopes))
    tensors = {side: _tensors(given.get(side), side, len(member)) for side in ("inputs", "outputs")}
    return build(Samples, {**given, **columns, **tensors, "request_id": ids, "scopes": scopes, "member": member})


def encode_comparisons(rows: Comparisons) -> bytes:
    """One batch of comparisons."""
    return pack(COMPARISONS, record_fields(rows))


def decode_comparisons(data: bytes) -> Comparisons:
    """One batch of comparisons; all columns are checked to have the same length."""
    return _comparisons(unpack(data, COMPARISONS))


def encode_event(event: Event) -> bytes:
    """One event."""
    return pack(EVENT, asdict(event))


def decode_event(data: bytes) -> Event:
    """One event."""
    event = build(Event, unpack(data, EVENT))
    try:
        json.dumps(mapping(event.detail, "event.detail"))
    except (TypeError, ValueError) as error:
        raise WireError(f"event.detail: {error}") from error
    return event


def encode_order(order: Order) -> bytes:
    """One order of an operator."""
    return pack(ORDER, asdict(order))


def decode_order(data: bytes) -> Order:
    """One order of an operator."""
    return build(Order, unpack(data, ORDER))


def encode_routes(routes: Routes) -> bytes:
    """Which scopes the baseline answers."""
    return pack(ROUTES, asdict(routes))


def decode_routes(data: bytes) -> Routes:
    """Which scopes the baseline answers."""
    body = mapping(unpack(data, ROUTES), "routes")
    states = mapping(body.get("states"), "routes.states")
    names(list(states.values()), "routes.states")
    return build(Routes, {**body, "safe": names(body.get("safe"), "routes.safe")})


def encode_state(state: State) -> bytes:
    """A snapshot of one model's judgement; those of equal states are equal, whatever either of them met first."""
    met = record_fields(state).items()
    return pack(STATE, {name: dict(sorted(value.items())) if isinstance(value, dict) else value for name, value in met})


def decode_state(data: bytes) -> State:
    """A snapshot of one model's judgement."""
    body = mapping(unpack(data, STATE), "state")
    try:
        return State(
            **{
                **body,
                "scopes": names(body["scopes"], "scopes"),
                "monitors": names(body["monitors"], "monitors"),
                "seen": {Stream(name): int(rows) for name, rows in body["seen"].items()},
                "pending": {Stream(name): _comparisons(rows) for name, rows in body["pending"].items()},
                "modes": tuple(Mode(**{**mode, "state": ModeState(mode["state"])}) for mode in body["modes"]),
                **{name: array(body[name], name) for name in ("compared", "disagreed", "errors", "faulty", "noise")},
                "lag": Lag(**body["lag"]),
                "unanswered": Unanswered(**body["unanswered"]),
                "latency": Blocks(**{**body["latency"], "log_mass": array(body["latency"]["log_mass"], "latency")}),
                "cells": tuple(
                    Cells(**{name: array(value, name) for name, value in cells.items()}) for cells in body["cells"]
                ),
            }
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"state: not a snapshot of this version: {error}") from error


def encode_labels(labels: Sequence[Label]) -> bytes:
    """Several labels as one record."""
    return pack(LABELS, [asdict(label) for label in labels])


def decode_labels(data: bytes) -> list[Label]:
    """Several labels of one model."""
    body = unpack(data, LABELS)
    if not isinstance(body, list):
        raise WireError("labels: the body must be a list")
    return [build(Label, item) for item in body]


def encode_traffic(note: Traffic) -> bytes:
    """A gateway's word of how much it kept."""
    return pack(TRAFFIC, asdict(note))


def decode_traffic(data: bytes) -> Traffic:
    """A gateway's word of how much it kept."""
    return build(Traffic, unpack(data, TRAFFIC))


_COLUMNS = (
    {"fault": "|i1", "twin": "<u8"}
    | dict.fromkeys(("partition", "offset", "top_baseline", "top_compressed"), "<i8")
    | dict.fromkeys(("member", "served_by_baseline", "disagree", "refused_baseline", "refused_compressed"), "|b1")
)


def _comparisons(body: object) -> Comparisons:
    given = mapping(body, "comparisons")
    columns = {name: array(given.get(name), name, _COLUMNS.get(name, "<f8")) for name in ROW_ARRAYS}
    ids, scopes = names(given.get("request_id"), "request_id"), names(given.get("scopes"), "scopes")
    wrong = [name for name, column in columns.items() if len(column.shape) != 1 + (name == "member")]
    wrong += [name for name, column in columns.items() if name not in wrong and len(column) != len(ids)]
    if wrong or columns["member"].shape[1] != len(scopes):
        msg = (
            f"{(wrong or ['member'])[0]}: must have one entry for each of {len(ids)} rows (and of {len(scopes)} scopes)"
        )
        raise WireError(msg)
    whole = {name: given.get(name) for name in ("model", "baseline_digest", "compressed_digest", "log")}
    return build(Comparisons, {**whole, **columns, "request_id": ids, "scopes": scopes})


_OF_SAMPLES = {"rows": "<i8", "served_by_baseline": "|b1"} | dict.fromkeys(
    ("time", "draw", "inclusion", "seconds"), "<f8"
)


def _add_up(rows: Ints, member: Bools, scopes: int) -> None:
    """Every sample has rows or none, together as many as ``member``, which has an entry for each scope."""
    if member.ndim != 2 or member.shape[1] != scopes:  # noqa: PLR2004 - rows and scopes
        raise WireError(f"member: shape {member.shape} does not fit {scopes} scopes")
    counts: list[int] = rows.tolist()  # whose sum, unlike an array's, cannot overflow
    if min(counts, default=0) < 0 or sum(counts) != len(member):
        raise WireError(
            f"rows: {sum(counts)} together, the least {min(counts, default=0)}, where {len(member)} should be"
        )


def _tensors(body: object, side: str, rows: int) -> Tensors:
    tensors = {name: array(value, f"{side}.{name}") for name, value in mapping(body, side).items()}
    for name, tensor in tensors.items():
        if tensor.shape[:1] != (rows,):
            raise WireError(f"{side}.{name}: shape {tensor.shape} where {rows} rows should be")
    return tensors
