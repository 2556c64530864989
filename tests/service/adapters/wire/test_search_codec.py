"""The search comes back from a snapshot; one that does not fit is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.monitors.test_group_search import plan_of, rows_of, search_plan
from tests.monitors.test_group_slots import plan_of as slots_plan
from tests.monitors.test_group_slots import rows_of as slots_rows
from tests.support.judgement.comparisons import bit_exact, judge_rows
from tightrope.monitors.hunter.search import Search
from tightrope.monitors.plan import State
from tightrope.monitors.records import Features
from tightrope.service.adapters.wire.envelope import WireError, pack, unpack
from tightrope.service.adapters.wire.record_codec import STATE_SCHEMA, decode_state, encode_state


def judged_state() -> State:
    """Judge rows with a harmed group."""
    return judge_rows(plan_of(), rows_of(0))[0]


def test_search_comes_back() -> None:
    """Lattice, masses, findings, and the rows from which slices by the answer are built."""
    search = judged_state().search
    assert search.findings
    assert len(search.learned)
    assert bit_exact(decode_state(encode_state(judged_state())).search) == bit_exact(search)


def test_search_without_a_lattice_comes_back() -> None:
    """Before the first rows are enough."""
    state, _ = judge_rows(replace(plan_of(), search=search_plan(reference=False)), rows_of(0))
    assert state.search.lattice is None
    assert bit_exact(decode_state(encode_state(state)).search) == bit_exact(state.search)


def test_snapshot_of_an_earlier_version_has_none() -> None:
    """The search begins with the next rows."""
    body: Any = unpack(encode_state(judged_state()), STATE_SCHEMA)
    del body["search"]
    assert bit_exact(decode_state(pack(STATE_SCHEMA, body)).search) == bit_exact(Search(""))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mass", np.zeros((6, 1))),
        ("mass", None),
        ("support", np.array([np.nan])),
        ("window", np.zeros((3, 0, 2), np.int32)),
        ("rows", -1),
        ("found", 1.5),
        ("findings", [{"number": 1}]),
        ("key", 7),
    ],
)
def test_part_that_does_not_fit_is_refused(name: str, value: object) -> None:
    """No later tick fails on it."""
    body: Any = unpack(encode_state(judged_state()), STATE_SCHEMA)
    body["search"] = {**body["search"], name: value}
    with pytest.raises(WireError):
        decode_state(pack(STATE_SCHEMA, body))


@pytest.mark.parametrize(("name", "value"), [("slices", 99), ("limits", 0.0)])
def test_lattice_that_does_not_fit_is_refused(name: str, value: float) -> None:
    """A predicate that does not exist, and a limit that no rate can be under."""
    state = judged_state()
    lattice = state.search.lattice
    assert lattice is not None
    wrong = replace(lattice, **{name: np.full_like(getattr(lattice, name), value)})
    with pytest.raises(WireError, match="slices must name predicates"):
        decode_state(encode_state(replace(state, search=replace(state.search, lattice=wrong))))


def test_infinite_mass_is_refused() -> None:
    """No alarm could outgrow it."""
    state = judged_state()
    search = replace(state.search, mass=np.full_like(state.search.mass, np.inf))
    with pytest.raises(WireError, match="masses and counts must be finite"):
        decode_state(encode_state(replace(state, search=search)))


def slots_state() -> State:
    """Judge rows with slots in use."""
    return judge_rows(slots_plan(), slots_rows(1))[0]


def test_slots_come_back() -> None:
    """With the rows from which they are chosen again."""
    search = slots_state().search
    assert search.lattice is not None
    assert search.lattice.slots
    assert len(search.past)
    again = decode_state(encode_state(slots_state())).search
    assert bit_exact(again) == bit_exact(search)
    assert again.lattice is not None
    assert again.lattice.slots == search.lattice.slots


def test_search_of_the_version_before_has_no_slots() -> None:
    """It goes on with its evidence, and chooses slots when its rows have doubled."""
    body: Any = unpack(encode_state(judged_state()), STATE_SCHEMA)
    search = body["search"]
    rows = search["rows"]
    del search["past"], search["begun"], search["lattice"]["slots"]
    again = decode_state(pack(STATE_SCHEMA, body)).search
    assert again.past.next_look > rows
    assert len(again.past) == 0
    assert again.mass.tobytes() == judged_state().search.mass.tobytes()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("held", np.zeros((3, 1), np.uint8), "held"),
        ("ticks", np.array([[1.0, 0.0, 0.0]]), "ticks: must be finite, and have all rows"),
        ("ticks", np.array([[1_500.0, np.nan, 0.0]]), "ticks: must be finite, and have all rows"),
        ("next_look", -1, "next_look"),
        ("next_look", "256", "next_look"),
    ],
)
def test_past_rows_that_do_not_fit_are_refused(name: str, value: object, error: str) -> None:
    """No later choice of slots fails on them."""
    body: Any = unpack(encode_state(slots_state()), STATE_SCHEMA)
    body["search"]["past"] = {**body["search"]["past"], name: value}
    with pytest.raises(WireError, match=error):
        decode_state(pack(STATE_SCHEMA, body))


@pytest.mark.parametrize("unit", [-2, 1_025])
def test_loss_of_a_past_row_that_does_not_fit_is_refused(unit: int) -> None:
    """It is from 0 to 1, or the row is in a found group."""
    state = slots_state()
    past = replace(state.search.past, units=np.full_like(state.search.past.units, unit))
    with pytest.raises(WireError, match="units: must be from -1 to 1024"):
        decode_state(encode_state(replace(state, search=replace(state.search, past=past))))


@pytest.mark.parametrize("slots", [-1, 9, 2.0])
def test_number_of_slots_that_does_not_fit_is_refused(slots: object) -> None:
    """There are at most eight."""
    body: Any = unpack(encode_state(slots_state()), STATE_SCHEMA)
    body["search"]["lattice"]["slots"] = slots
    with pytest.raises(WireError, match="slots: must be a whole number from 0 to 8"):
        decode_state(pack(STATE_SCHEMA, body))


def learning_state(learned: Features) -> State:
    """A state whose search has learned these rows."""
    state = judged_state()
    return replace(state, search=replace(state.search, learned=learned))


def test_learned_rows_come_back_whatever_their_columns_hold() -> None:
    """Flags as bits, whole numbers and unknown ones as bytes; others, also a zero with a sign, as they are."""
    flags, whole = ([0, 1, 1, 0], [1, 1, 1, 1]), [0, 254, np.nan, 17]
    others = [1, 255, 2, 3], [0.5, np.nan, 1, 2], [-0.0, 1, 1, 1], [-1, 0, 1e9, np.inf]
    learned = np.array([flags[0], whole, *others, flags[1]], np.float32).T.copy()
    body: Any = unpack(encode_state(learning_state(learned)), STATE_SCHEMA)
    columns = body["search"]["learned_columns"]
    assert [columns[name]["shape"] for name in ("flags", "whole", "others")] == [[2, 1], [1, 4], [4, 4]]
    assert bit_exact(decode_state(encode_state(learning_state(learned))).search.learned) == bit_exact(learned)


def test_learned_rows_of_an_earlier_version_are_read() -> None:
    """It wrote them as one array."""
    learned = np.arange(6, dtype=np.float32).reshape(2, 3)
    body: Any = unpack(encode_state(learning_state(learned)), STATE_SCHEMA)
    del body["search"]["learned_columns"]
    again = decode_state(pack(STATE_SCHEMA, body | {"search": {**body["search"], "learned": learned}}))
    assert bit_exact(again.search.learned) == bit_exact(learned)


def test_reader_of_an_earlier_version_finds_no_learned_rows() -> None:
    """It reads ``learned`` alone, and learns from the next rows."""
    body: Any = unpack(encode_state(learning_state(np.ones((2, 3), np.float32))), STATE_SCHEMA)
    del body["search"]["learned_columns"]
    assert len(decode_state(pack(STATE_SCHEMA, body)).search.learned) == 0


@pytest.mark.parametrize("rows", [-1, 5_001, 2.0, None])
def test_number_of_learned_rows_that_does_not_fit_is_refused(rows: object) -> None:
    """There are never more than the lattice is built from."""
    body: Any = unpack(encode_state(learning_state(np.ones((2, 3), np.float32))), STATE_SCHEMA)
    body["search"]["learned_rows"] = rows
    with pytest.raises(WireError, match="learned_rows: must be a whole number from 0 to 5,000"):
        decode_state(pack(STATE_SCHEMA, body))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kinds", np.full(4, 2, np.uint8)),
        ("kinds", np.full(3, 1, np.uint8)),
        ("kinds", np.full(3, 3, np.uint8)),
        ("flags", np.zeros((3, 2), np.uint8)),
        ("whole", np.zeros((3, 2), np.uint8)),
        ("whole", np.zeros(3, np.uint8)),
        ("others", np.zeros((1, 2), np.float32)),
        ("others", None),
    ],
)
def test_learned_columns_that_do_not_fit_each_other_are_refused(name: str, value: object) -> None:
    """No lattice is built from them."""
    body: Any = unpack(encode_state(learning_state(np.ones((2, 3), np.float32))), STATE_SCHEMA)
    body["search"]["learned_columns"] = {**body["search"]["learned_columns"], name: value}
    with pytest.raises(WireError, match="learned_columns"):
        decode_state(pack(STATE_SCHEMA, body))
