"""The file format of a segment: entries of msgpack, each after its length and its CRC-32, four bytes each, big-endian.

The first entry is the `begin`: a state and the plan that it is judged by. Each further one is an input of the fold, or
the digest of the state at that place. What a crash cut short is left out.
"""

import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import FileIO
from typing import Any
from zlib import crc32

from crc32c import crc32c
from numpy.typing import NDArray

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
from tightrope.monitors.records import Comparisons, Stream
from tightrope.service.adapters.journal.row_columns import IdColumn, id_names, row_columns, rows_of_columns
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError, build, mapping, pack, unpack

ENTRY_SCHEMA = "tightrope.journal-entry"

BEGIN, INPUT, STATE = "begin", "input", "state"
"""The kinds of entries."""

HEAD, CASTAGNOLI = struct.Struct(">II"), 1 << 31
"""The length of an entry and its checksum: with this bit in the length a CRC-32C, else a CRC-32, as an earlier version
wrote it.
"""

NO_BYTES, BYTES_HEAD, BYTES_CODE = b"\xc4\x00", struct.Struct(">BI"), 0xC6
"""In msgpack: no bytes, and the head of bytes with a length of four bytes."""

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
    ``ids`` stand for the ids of compared rows, which have none then: numbers (n,), or digests (n, 16); ``erased`` has
    the name that stands for the request of each row whose id was erased.
    """

    item: FoldInput
    position: Position
    plan: str = ""
    ids: IdColumn | None = None
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
    return b"".join(entry_parts(entry))


def entry_parts(entry: Entry) -> list[bytes | memoryview]:
    """An entry in pieces that stand behind each other: rows in arrays of their own, which are copied by none."""
    arrays: list[NDArray[Any]] = []
    body = pack(ENTRY_SCHEMA, _body(entry, arrays))
    data = [each.data for each in arrays if each.nbytes]
    if arrays:  # their bytes are the last value of the body
        body = body[: -len(NO_BYTES)] + BYTES_HEAD.pack(BYTES_CODE, sum(each.nbytes for each in data))
    size, checksum = len(body), crc32c(body)
    for each in data:
        size, checksum = size + each.nbytes, crc32c(each, checksum)
    return [HEAD.pack(size | CASTAGNOLI, checksum) + body, *data]


def append_entry(file: FileIO, entry: Entry) -> int:
    """Write an entry to the end of a file, in one call of the system; returns its bytes.

    Raises:
        OSError: when the disk refuses it, or takes a part.
    """
    parts = entry_parts(entry)
    size = sum(memoryview(part).nbytes for part in parts)
    if os.writev(file.fileno(), parts) != size:
        raise OSError("the disk took a part of an entry")
    return size


def _body(entry: Entry, arrays: list[NDArray[Any]]) -> dict[str, object]:
    """The body of an entry; the bytes of the ``arrays`` that are added come after it, as its last value."""
    if isinstance(entry, RecordedInput):
        name, content = _encoded_input(entry, arrays)
        body = {"kind": INPUT, "input": name, "content": content, "position": entry.position, "plan": entry.plan}
        own = {"erased": entry.erased or None, "data": b"" if arrays else None}
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
        compute = crc32c if size & CASTAGNOLI else crc32
        end = start + HEAD.size + (size & ~CASTAGNOLI)
        if len(data) < end or compute(view[start + HEAD.size : end]) != checksum:
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
        content = {**body["content"], "data": body["data"]} if "data" in body else body["content"]
        item = _DECODERS[body["input"]](content)
        if "ids" in body and isinstance(item, ComparedRows):  # an earlier version wrote them beside the rows
            item = _with_ids(item, id_names(body["ids"]))
        return RecordedInput(item, position, str(body["plan"]), erased=erased)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"journal entry: not one of this version: {error}") from error


def _compared_rows(content: Mapping[str, Any]) -> Comparisons:
    """Compared rows; an earlier version wrote them as the bytes of a record."""
    if "columns" in content:
        return rows_of_columns(content["columns"], content["data"])
    return record_codec.decode_comparisons(content["rows"])


def _with_ids(item: ComparedRows, names: Sequence[str]) -> ComparedRows:
    if len(names) != len(item.rows):
        raise WireError(f"ids: {len(names)} for {len(item.rows)} rows")
    return replace(item, rows=replace(item.rows, request_id=tuple(names)))


def _encoded_input(  # noqa: C901, PLR0911 - a case for each input
    entry: RecordedInput, arrays: list[NDArray[Any]]
) -> tuple[str, object]:
    match entry.item:
        case ComparedRows(rows, time):
            columns, more = row_columns(rows, entry.ids)
            arrays += more
            return "compared-rows", {"columns": columns, "time": time}
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
    "compared-rows": lambda c: ComparedRows(_compared_rows(c), float(c["time"])),
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
