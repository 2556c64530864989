"""The file format of a segment: entries of msgpack, each after its length and its CRC-32, four bytes each, big-endian.

The first entry is the `begin`: a state and the plan that it is judged by. Each further one is an input of the fold, or
the digest of the state at that place. What a crash cut short is left out.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tightrope.monitors.decide import Cause
from tightrope.monitors.folding.inputs import (
    ClockReading,
    ComparedRows,
    FoldInput,
    GatewayEvent,
    GivenOrder,
    KeptRequests,
    LabelCounts,
    LabelledRows,
    NewPlan,
    PassedEpoch,
    UnreadableState,
)
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Hashes, Stream
from tightrope.service.adapters.journal.redaction import number_name
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError, array, build, mapping, pack, unpack

ENTRY_SCHEMA = "tightrope.journal-entry"

BEGIN, INPUT, STATE = "begin", "input", "state"
"""The kinds of entries."""

HEAD = struct.Struct(">II")

Position = tuple[int, int, int]
"""How far a state is: rows received, epoch of its modes, labels counted."""


@dataclass(frozen=True, slots=True)
class SegmentBegin:
    """The start of a segment: the encoded ``state`` before its first input, the key of its ``plan``, the ``time`` in
    seconds since the epoch, the rows of each scope up to here, and the ``versions`` and ``host`` of the process.
    ``has_columns``: the search for undeclared groups can be repeated; ``redaction`` has what was left out. ``erased``
    has the name that stands for the request of each row of the state whose id was erased.
    """

    state: bytes
    plan: str
    time: float
    position: Position
    rows: Mapping[str, int]
    versions: Mapping[str, str]
    host: str
    has_columns: bool
    redaction: Mapping[str, object] = field(default_factory=dict)
    erased: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedInput:
    """An input, and the position after it; ``plan`` is the key of the plan of a `NewPlan`, which has none itself.
    ``ids`` (n,) are numbers that stand for the ids of compared rows, which have none then; ``erased`` has the name that
    stands for the request of each row whose id was erased.
    """

    item: FoldInput
    position: Position
    plan: str = ""
    ids: Hashes | None = None
    erased: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordedState:
    """The SHA-256 of the encoded state after the inputs so far."""

    sha256: str


Entry = SegmentBegin | RecordedInput | RecordedState


def position_of(state: State) -> Position:
    """How far a state is."""
    return state.rows_received, state.epoch, sum(state.labels.values()) + state.seen[Stream.LABELS]


def encode_entry(entry: Entry) -> bytes:
    """An entry as it stands in a file."""
    body = pack(ENTRY_SCHEMA, _body(entry))
    return HEAD.pack(len(body), zlib.crc32(body)) + body


def _body(entry: Entry) -> dict[str, object]:
    if isinstance(entry, RecordedInput):
        name, content = _encoded_input(entry.item)
        body = {"kind": INPUT, "input": name, "content": content, "position": entry.position, "plan": entry.plan}
        own = {"ids": entry.ids, "erased": entry.erased or None}
        return {**body, **{key: value for key, value in own.items() if value is not None}}
    fields = {key: value for key, value in asdict(entry).items() if key != "erased" or value}
    return {"kind": BEGIN if isinstance(entry, SegmentBegin) else STATE, **fields}


def read_entries(data: bytes) -> Iterator[Entry]:
    """The entries of a file, up to its end or the first one that is cut short or damaged.

    Raises:
        WireError: when a whole entry is not one of this version.
    """
    return map(read_entry, raw_entries(data))


def raw_entries(data: bytes) -> Iterator[bytes]:
    """The bytes of each entry, up to the end or the first one that is cut short or damaged."""
    start, view = 0, memoryview(data)
    while start + HEAD.size <= len(data):
        size, checksum = HEAD.unpack_from(data, start)
        end = start + HEAD.size + size
        if len(data) < end or zlib.crc32(view[start + HEAD.size : end]) != checksum:
            return
        yield data[start:end]
        start = end


def read_entry(data: bytes) -> Entry:
    """The entry of these bytes.

    Raises:
        WireError: when it is not one of this version.
    """
    body = dict(mapping(unpack(data[HEAD.size :], ENTRY_SCHEMA), "entry"))
    kind = body.pop("kind", None)
    try:
        if kind == STATE:
            return RecordedState(str(body["sha256"]))
        first, second, third = body.pop("position")
        position, erased = (int(first), int(second), int(third)), tuple(map(str, body.pop("erased", ())))
        if kind == BEGIN:
            known = {name: body[name] for name in SegmentBegin.__dataclass_fields__ if name in body}
            return SegmentBegin(**{**known, "position": position, "erased": erased})
        item = _DECODERS[body["input"]](body["content"])
        if "ids" in body and isinstance(item, ComparedRows):
            item = _with_ids(item, array(body["ids"], "ids", "<u8").tolist())
        return RecordedInput(item, position, str(body["plan"]), erased=erased)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"journal entry: not one of this version: {error}") from error


def _with_ids(item: ComparedRows, numbers: Sequence[int]) -> ComparedRows:
    if len(numbers) != len(item.rows):
        raise WireError(f"ids: {len(numbers)} for {len(item.rows)} rows")
    return replace(item, rows=replace(item.rows, request_id=tuple(map(number_name, numbers))))


def _encoded_input(item: FoldInput) -> tuple[str, object]:  # noqa: C901, PLR0911 - a case for each input
    match item:
        case ComparedRows(rows, time):
            return "compared-rows", {"rows": record_codec.encode_comparisons(rows), "time": time}
        case LabelledRows(rows):
            return "labelled-rows", record_codec.encode_comparisons(rows)
        case LabelCounts(more):
            return "label-counts", dict(sorted(more.items()))
        case KeptRequests(notice):
            return "kept-requests", record_codec.encode_traffic(notice)
        case GivenOrder(order):
            return "given-order", record_codec.encode_order(order)
        case GatewayEvent(event, time):
            return "gateway-event", {"event": record_codec.encode_event(event), "time": time}
        case PassedEpoch(epoch):
            return "passed-epoch", epoch
        case ClockReading(time):
            return "clock-reading", time
        case NewPlan(_, cause):
            return "new-plan", _cause_fields(cause)
        case UnreadableState(cause):
            return "unreadable-state", _cause_fields(cause)


def _cause_fields(cause: Cause) -> dict[str, object]:
    return {"time": cause.time, "actor": cause.actor, "reason": cause.reason}


NO_PLAN = Plan("", "", "", ("model",), rates=(), rules=())  # type: ignore[arg-type]  # it stands for one that is named
"""The plan of a `NewPlan` as it is read: the key of its entry names the plan."""

_DECODERS: Mapping[str, Callable[[Any], FoldInput]] = {
    "compared-rows": lambda c: ComparedRows(record_codec.decode_comparisons(c["rows"]), float(c["time"])),
    "labelled-rows": lambda c: LabelledRows(record_codec.decode_comparisons(c)),
    "label-counts": LabelCounts,
    "kept-requests": lambda c: KeptRequests(record_codec.decode_traffic(c)),
    "given-order": lambda c: GivenOrder(record_codec.decode_order(c)),
    "gateway-event": lambda c: GatewayEvent(record_codec.decode_event(c["event"]), float(c["time"])),
    "passed-epoch": PassedEpoch,
    "clock-reading": ClockReading,
    "new-plan": lambda c: NewPlan(NO_PLAN, build(Cause, "cause", c)),
    "unreadable-state": lambda c: UnreadableState(build(Cause, "cause", c)),
}
