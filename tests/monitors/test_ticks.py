"""Where a tick ends, and which rows each scope counts of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from tests.support.judgement.comparisons import comparisons, plan
from tightrope.monitors.plan import Plan, Repeats, start
from tightrope.monitors.records import Bools, Comparisons
from tightrope.monitors.safemode import Mode
from tightrope.monitors.safemode import State as Is
from tightrope.monitors.ticks import MOST_TICKS, Block, View, counted, next_block, repeated, whole


def modes(*safe: int) -> tuple[Mode, ...]:
    """Modes of four scopes, some of them safe."""
    return tuple(Mode(Is.SAFE if scope in safe else Is.NORMAL) for scope in range(4))


MEMBER = np.array([[1, 1, 0, 1], [1, 0, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=bool)


@pytest.mark.parametrize(
    ("safe", "rows"),
    [
        ((), [[0, 1, 2, 3, 4], [0, 3], [1, 2], [0, 1]]),
        ((1,), [[1, 2, 4], [0, 3], [1, 2], [1]]),
        ((3,), [[2, 3, 4], [3], [2], [0, 1]]),
        ((1, 3), [[2, 4], [0, 3], [2], [0, 1]]),
        ((0,), [[0, 1, 2, 3, 4], [0, 3], [1, 2], [0, 1]]),
        ((0, 1), [[1, 2, 4], [0, 3], [1, 2], [1]]),
    ],
)
def test_cell_counts_the_requests_that_its_decision_would_move(safe: tuple[int, ...], rows: list[list[int]]) -> None:
    """Rows that a safe subgroup already moved leave every cell that is not safe, and the model's in any case."""
    found = counted(plan(), modes(*safe), MEMBER, np.zeros(5))
    assert [np.flatnonzero(column).tolist() for column in found.T] == rows


def test_latched_scope_keeps_its_rows_as_a_safe_one_does() -> None:
    """The baseline answers them all the same."""
    latched = (Mode(), Mode(Is.LATCHED), Mode(), Mode())
    whole = plan()
    assert np.array_equal(counted(whole, latched, MEMBER, np.zeros(5)), counted(whole, modes(1), MEMBER, np.zeros(5)))


def ended(times: list[float], tick_rows: int = 4) -> list[tuple[int, int, int]]:
    """The blocks of these rows, with ticks of ten seconds: begin, ticks, rows."""
    whole, begin, found = plan("disagreement", tick_rows=tick_rows, tick_seconds=10.0), 0, []
    while (block := next_block(whole, np.array(times), begin)) is not None:
        found.append((block.begin, block.ticks, block.rows))
        begin = block.end
    return found


@pytest.mark.parametrize(
    ("times", "blocks"),
    [
        ([], []),
        ([0, 0, 0], []),
        ([0, 0, 0, 9.9], [(0, 1, 4)]),
        ([0] * 9, [(0, 2, 4)]),
        ([0, 10], [(0, 1, 1)]),
        ([0, 1, 2, 10, 11], [(0, 1, 3)]),
        ([0] * 8 + [5, 15], [(0, 2, 4), (8, 1, 1)]),
        ([0, 0, 0, 12, 12, 12, 12], [(0, 1, 3), (3, 1, 4)]),
        ([0, 20, 40], [(0, 1, 1), (1, 1, 1)]),
        ([0, 1, 10, 11, 12, 13], [(0, 1, 2), (2, 1, 4)]),
        ([5, 3, 4, 2, 1], [(0, 1, 4)]),
    ],
)
def test_tick_ends_with_its_last_row_or_when_event_time_has_moved_on(
    times: list[float], blocks: list[tuple[int, int, int]]
) -> None:
    """Full ticks in a row are one block; the row that comes too late begins the next tick."""
    assert ended(times) == blocks


def test_block_has_a_largest_size() -> None:
    """More ticks than that are looked at in turns."""
    assert ended([0] * (4 * MOST_TICKS + 9)) == [(0, MOST_TICKS, 4), (4 * MOST_TICKS, 2, 4)]


def one_by_one(times: list[float], tick_rows: int) -> list[int]:
    """Where ticks end, found by looking at one row after the other."""
    ends, first = [], 0
    for row, time in enumerate(times):
        if row > first and time - times[first] >= 10.0:
            ends.append(row)
            first = row
        if row - first + 1 == tick_rows:
            ends.append(row + 1)
            first = row + 1
    return ends


@settings(deadline=None, max_examples=200)
@given(
    gaps=st.lists(st.sampled_from([-3.0, 0.0, 0.5, 4.0, 12.0]), max_size=60),
    tick_rows=st.integers(1, 6),
)
def test_blocks_are_the_ticks_that_a_single_reader_makes(gaps: list[float], tick_rows: int) -> None:
    """Whatever the order of event times."""
    times = np.cumsum(gaps).tolist()
    found = [begin + rows * (n + 1) for begin, ticks, rows in ended(times, tick_rows) for n in range(ticks)]
    assert found == one_by_one(times, tick_rows)


def again(repeats: Repeats, block: Block, rows: Comparisons) -> list[int]:
    """The rows of a block that count no more."""
    return np.flatnonzero(repeated(plan("disagreement", repeats=repeats), rows, block)).tolist()


def rows_of(requests: list[int], times: ArrayLike, twins: ArrayLike = 0) -> Comparisons:
    """Rows of these requests, at these times, with these inputs."""
    return comparisons(len(requests), offset=requests, time=times, twin=twins)


def test_request_that_is_sent_again_counts_once_in_a_tick() -> None:
    """Same id, other time: a retry. In the next tick it is a row like any other."""
    rows = rows_of([1, 1, 2, 1, 3, 1, 1, 2], [0, 1, 2, 3, 4, 5, 6, 7])
    assert again(Repeats.RETRIES, Block(0, 1, 8), rows) == [1, 3, 5, 6, 7]
    assert again(Repeats.RETRIES, Block(0, 2, 4), rows) == [1, 3, 6]
    assert again(Repeats.NONE, Block(0, 1, 8), rows) == []


def test_rows_of_one_request_all_count() -> None:
    """They share its time, and have nothing to do with a retry; the whole retry is passed over."""
    rows = rows_of([1, 1, 1, 2, 1, 1], [5, 5, 5, 6, 7, 7])
    assert again(Repeats.RETRIES, Block(0, 1, 6), rows) == [4, 5]


def test_equal_inputs_count_once_in_a_tick_where_that_is_configured() -> None:
    """Whatever the request; an input that is not known is like no other."""
    rows = rows_of([1, 2, 3, 4, 5, 6, 7, 8], range(8), [7, 0, 7, 0, 9, 7, 2**63 + 1, 2**63 + 1])
    assert again(Repeats.INPUTS, Block(0, 1, 8), rows) == [2, 5, 7]
    assert again(Repeats.INPUTS, Block(0, 2, 4), rows) == [2, 7]
    assert again(Repeats.RETRIES, Block(0, 1, 8), rows) == []


def view(of: Plan, rows: Comparisons, first: int, block: Block | None = None) -> View:
    """One tick of rows, after so many others."""
    return View.of(of, start(of), rows, block or Block(0, 1, len(rows)), first)


def test_repeated_row_leaves_the_cells_and_stays_on_the_clock() -> None:
    """The seed was due before anybody looked at the row."""
    of = plan("disagreement")
    tally = view(of, rows_of([1, 1, 2, 2], range(4)), 0).tally(of.rules[0])
    assert tally.count[0, 0].tolist() == [2, 0, 0, 0]
    assert tally.seeds.tolist() == [[4.0]]


def of_lane(lane: int, first: int, n: int, lanes: int) -> Bools:
    """The rows of a lane."""
    return np.asarray((first + np.arange(n)) % lanes == lane)


@pytest.mark.parametrize("first", [0, 1, 5])
@pytest.mark.parametrize("n", [1, 4, 7])
def test_rows_go_to_lanes_in_turn_across_ticks(first: int, n: int) -> None:
    """A lane goes on where the tick before left off, and is seeded by its own rows alone."""
    of = plan("disagreement", lanes=3)
    disagree = np.arange(n) % 2 == 0
    tally = view(of, comparisons(n, disagree=disagree, member=[True, False, False]), first).tally(of.rules[0])
    mine = [of_lane(lane, first, n, 3) for lane in range(3)]
    assert tally.seeds.tolist() == [[float(rows.sum()) for rows in mine]]
    assert tally.count[0, :, :2].tolist() == [[rows.sum()] * 2 for rows in mine]
    assert tally.total[0, :, 0].tolist() == [float(disagree[rows].sum()) for rows in mine]


def test_lanes_of_a_variant_stand_side_by_side() -> None:
    """Three classes, two lanes: class 0 in lanes 0 and 1, then class 1, then class 2."""
    of = plan("mix", lanes=2, classes=3)
    rows = comparisons(5, top_baseline=[0, 0, 1, 2, 2], top_compressed=[0, 1, 1, 2, 1], member=True)
    tally = view(of, rows, 0).tally(of.rules[0])
    assert tally.count[0, :, 1].tolist() == [3, 2, 3, 2, 3, 2]
    assert tally.total[0, :, 1].tolist() == [0, -1, 1, 1, -1, 0]
    assert tally.seeds.tolist() == [[3, 2, 3, 2, 3, 2]]
    assert [of.rules[0].name_of(place) for place in range(6)] == [f"class {n}" for n in (0, 0, 1, 1, 2, 2)]


def test_retry_takes_its_turn_among_the_lanes() -> None:
    """Which lane a row belongs to is known before anybody knows whether it counts."""
    of = plan("disagreement", lanes=2)
    tally = view(of, rows_of([1, 1, 2, 3], range(4)), 0).tally(of.rules[0])
    assert tally.seeds.tolist() == [[2, 2]]
    assert tally.count[0, :, 0].tolist() == [2, 1]


def test_model_has_every_row() -> None:
    """Its column comes first."""
    assert whole(MEMBER[:, 1:])[:, 0].all()
    assert np.array_equal(whole(MEMBER[:, 1:])[:, 1:], MEMBER[:, 1:])
