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
    position_of,
    read_entries,
)
from tightrope.service.adapters.wire.envelope import WireError, pack
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
    import struct
    import zlib

    body = pack("tightrope.journal-entry", {"kind": "input", "input": "later", "position": [1, 2, 3]})
    with pytest.raises(WireError, match="journal entry"):
        list(read_entries(struct.pack(">II", len(body), zlib.crc32(body)) + body))


def test_the_position_of_a_state_starts_at_zero() -> None:
    """Rows, epoch and labels of a fresh state."""
    assert position_of(initial_state(recorded_plan())) == (0, 0, 0)
