import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.judgement.comparisons import make_comparisons
from tests.support.judgement.recorded import recorded_plan
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
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Event, Order, Traffic
from tightrope.service.adapters.journal.entries import (
    RecordedInput,
    RecordedState,
    SegmentBegin,
    encode_entry,
    entry_parts,
    position_of,
    read_entries,
)
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.record_codec import encode_comparisons

ROWS = make_comparisons(3)
INPUTS: list[FoldInput] = [
    ComparedRows(ROWS, 7.0),
    LabelledRows(ROWS),
    LabelCounts({"joined": 2}),
    KeptRequests(Traffic("m", 2.0, 4, 1.0, "p")),
    GivenOrder(Order("o", 1.0, "m", "model", "force-safe", "ann", "why")),
    GatewayEvent(Event("e", 1.0, "m", "starved", "model", "gateway", "why"), 2.0),
    PassedEpoch(4),
    ClockReading(3.0),
    NewPlan(recorded_plan(), Cause(1.0, reason="new")),
    UnreadableState(Cause(1.0, reason="lost")),
]
BEGIN = SegmentBegin(b"state", "k", 1.0, (0, 0, 0), {"model": 3}, {"numpy": "2"}, "host", has_columns=False)


@pytest.mark.parametrize("item", INPUTS, ids=lambda item: type(item).__name__)
def test_each_input_is_read_as_it_was_written(item: FoldInput) -> None:
    """Rows, orders, notices and causes come back; a plan is named by its key."""
    (entry,) = read_entries(encode_entry(RecordedInput(item, (1, 2, 3), "k")))
    assert isinstance(entry, RecordedInput)
    assert (type(entry.item), entry.position, entry.plan) == (type(item), (1, 2, 3), "k")
    if isinstance(item, ComparedRows | LabelledRows):
        assert encode_comparisons(entry.item.rows) == encode_comparisons(ROWS)  # type: ignore[union-attr]
    elif not isinstance(item, NewPlan):
        assert entry.item == item


@given(st.data())
def test_what_is_cut_short_or_damaged_is_left_out(data: st.DataObject) -> None:
    """After a crash, and after damage, the entries before are read and none is invented."""
    entries = [BEGIN, RecordedInput(PassedEpoch(4), (1, 2, 3)), RecordedState("ab")]
    whole = b"".join(map(encode_entry, entries))
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert [*read_entries(whole[:cut])] == entries[: len([*read_entries(whole[:cut])])]
    changed = bytearray(whole)
    changed[cut] ^= 1
    assert [*read_entries(bytes(changed))] != entries
    assert [*read_entries(whole)] == entries


def test_a_whole_entry_of_another_kind_is_an_error() -> None:
    """Another version's entry is no damage, and is not passed over."""
    body = pack("tightrope.journal-entry", {"kind": "input", "input": "later", "position": [1, 2, 3]})
    with pytest.raises(WireError, match="journal entry"):
        list(read_entries(framed(body)))


def framed(body: bytes) -> bytes:
    """An entry as the version before framed it."""
    return struct.pack(">II", len(body), zlib.crc32(body)) + body


@pytest.mark.parametrize("ids", [None, np.arange(3, dtype=np.uint64)])
def test_entry_of_the_version_before_is_read(ids: Any) -> None:  # noqa: ANN401 - numbers, or none
    """Rows as the bytes of a record with a CRC-32, and the numbers of dropped ids beside them."""
    content = {"rows": encode_comparisons(ROWS), "time": 7.0}
    body = {"kind": "input", "input": "compared-rows", "content": content, "position": [1, 2, 3], "plan": ""}
    data = framed(pack("tightrope.journal-entry", body if ids is None else {**body, "ids": ids}))
    entries = [*read_entries(data + encode_entry(RecordedState("ab")))]
    assert isinstance(entries[0], RecordedInput)
    assert isinstance(entries[0].item, ComparedRows)
    names = ROWS.request_id if ids is None else tuple(f"{number:016x}" for number in range(3))
    assert encode_comparisons(entries[0].item.rows) == encode_comparisons(replace(ROWS, request_id=names))
    assert (entries[0].position, entries[1]) == ((1, 2, 3), RecordedState("ab"))


def test_bytes_of_columns_are_copied_once_only() -> None:
    """The pieces of an entry are the arrays themselves, and read as a body of msgpack together."""
    head, *arrays = entry_parts(RecordedInput(ComparedRows(ROWS, 7.0), (1, 2, 3)))
    assert any(np.shares_memory(np.asarray(each), ROWS.offset) for each in arrays)
    whole = b"".join([head, *arrays])
    assert len(whole) == 8 + (int.from_bytes(whole[:4]) & 0x7FFFFFFF)
    assert unpack(whole[8:], "tightrope.journal-entry")


def test_the_position_of_a_state_starts_at_zero() -> None:
    """Rows, epoch and labels of a fresh state."""
    assert position_of(initial_state(recorded_plan())) == (0, 0, 0)
