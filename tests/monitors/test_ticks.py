"""The end of a tick, and the rows of it that each scope counts."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike

from tests.support.judgement.comparisons import make_comparisons, make_plan
from tightrope.monitors.dependence.blocks import Block
from tightrope.monitors.evidence import Tally
from tightrope.monitors.intake.repeats import MEMORY_ROWS, RepeatMemory, Repeats, remember_rows
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Bools, Comparisons, Stream
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.ticks import (
    BlockView,
    counted_mask,
    uncounted_rows,
    with_model_scope,
)


def modes(*safe: int) -> tuple[Mode, ...]:
    """Build modes of four scopes, the given ones safe."""
    return tuple(Mode(ModeState.SAFE if scope in safe else ModeState.NORMAL) for scope in range(4))


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
    """Rows that a safe subgroup already moved leave every cell that is not safe, and the model in any case."""
    blocks = counted_mask(make_plan(), modes(*safe), MEMBER, np.zeros(5))
    assert [np.flatnonzero(column).tolist() for column in blocks.T] == rows


def test_latched_scope_keeps_its_rows_as_a_safe_one_does() -> None:
    """The baseline answers them in both states."""
    latched = (Mode(), Mode(ModeState.LATCHED), Mode(), Mode())
    with_model_scope = make_plan()
    assert np.array_equal(
        counted_mask(with_model_scope, latched, MEMBER, np.zeros(5)),
        counted_mask(with_model_scope, modes(1), MEMBER, np.zeros(5)),
    )


FOLLOWING = ("home=gq", "home=other", "age=other")
"""Subgroups where one follows another."""


def test_rows_that_follow_a_safe_value_leave_the_cells_of_others() -> None:
    """They are the baseline's, too; the scope that follows still counts its own rows, to be judged when that ends."""
    plan = make_plan(scopes=FOLLOWING)
    counted = counted_mask(plan, modes(1), MEMBER, np.zeros(5))
    assert [np.flatnonzero(column).tolist() for column in counted.T] == [[4], [0, 3], [1, 2], []]


def test_rows_that_the_configuration_gives_to_the_baseline_count_for_themselves() -> None:
    """No decision about the model or another subgroup moves them."""
    plan = make_plan(scopes=FOLLOWING, always_baseline=("home=other",))
    counted = counted_mask(plan, modes(), MEMBER, np.zeros(5))
    assert [np.flatnonzero(column).tolist() for column in counted.T] == [[0, 3, 4], [0, 3], [1, 2], [0]]


def repeats_in(repeats: Repeats, block: Block, rows: Comparisons, memory: RepeatMemory | None = None) -> list[int]:
    """Return the rows of a block that repeat earlier ones."""
    plan = make_plan("disagreement", repeats=repeats)
    return np.flatnonzero(uncounted_rows(plan, memory or RepeatMemory(), rows, block).either).tolist()


def request_rows(requests: list[int], times: ArrayLike, twins: ArrayLike = 0) -> Comparisons:
    """Build rows of these requests, at these times, with these inputs."""
    return make_comparisons(len(requests), offset=requests, time=times, twin=twins)


def test_retried_request_counts_once_in_a_tick() -> None:
    """A retry has a known id and another time. In the next tick it counts again."""
    rows = request_rows([1, 1, 2, 1, 3, 1, 1, 2], [0, 1, 2, 3, 4, 5, 6, 7])
    assert repeats_in(Repeats.RETRIES, Block(0, (8,)), rows) == [1, 3, 5, 6, 7]
    assert repeats_in(Repeats.RETRIES, Block(0, (4, 4)), rows) == [1, 3, 6]
    assert repeats_in(Repeats.NONE, Block(0, (8,)), rows) == []


def test_rows_of_one_request_all_count() -> None:
    """They share its time, so they are no retry; all rows of a retry are left out."""
    rows = request_rows([1, 1, 1, 2, 1, 1], [5, 5, 5, 6, 7, 7])
    assert repeats_in(Repeats.RETRIES, Block(0, (6,)), rows) == [4, 5]


def test_other_inputs_under_the_same_id_are_no_retry() -> None:
    """A fixed id, such as the name of a pod, does not starve the detectors."""
    rows = request_rows([1] * 8, range(8), [1, 2, 3, 1, 4, 5, 6, 4])
    assert repeats_in(Repeats.RETRIES, Block(0, (8,)), rows) == [3, 7]


@pytest.mark.parametrize(("between", "repeated"), [(MEMORY_ROWS - 1, [0]), (MEMORY_ROWS, [])])
def test_distinct_inputs_count_once_within_the_memory(between: int, repeated: list[int]) -> None:
    """Under any id: one row, repeated under fresh ids, is counted once in 4,096 rows."""
    earlier = request_rows(list(range(between + 1)), range(between + 1), [7, *range(100, 100 + between)])
    memory = remember_rows(RepeatMemory(), earlier, 0, 0)
    later = request_rows([10_000, 10_001], [9e4, 9e4 + 1], [7, 8])
    assert repeats_in(Repeats.DISTINCT, Block(0, (2,)), later, memory) == repeated
    assert repeats_in(Repeats.RETRIES, Block(0, (2,)), later, memory) == []


def test_rows_without_a_hash_are_distinct() -> None:
    """An unknown input equals no other; its retries are recognised by the id."""
    rows = request_rows([1, 2, 3, 3], range(4), [0, 0, 0, 0])
    assert repeats_in(Repeats.DISTINCT, Block(0, (4,)), rows) == [3]


def test_equal_inputs_count_once_in_a_tick_where_that_is_configured() -> None:
    """Requests do not matter; an unknown input equals no other."""
    rows = request_rows([1, 2, 3, 4, 5, 6, 7, 8], range(8), [7, 0, 7, 0, 9, 7, 2**63 + 1, 2**63 + 1])
    assert repeats_in(Repeats.INPUTS, Block(0, (8,)), rows) == [2, 5, 7]
    assert repeats_in(Repeats.INPUTS, Block(0, (4, 4)), rows) == [2, 7]
    assert repeats_in(Repeats.RETRIES, Block(0, (8,)), rows) == []


def one_tick(plan: Plan, rows: Comparisons, first: int) -> Tally:
    """Count one tick for the plan's first monitor, after ``first`` earlier rows."""
    state = replace(initial_state(plan), seen={Stream.COMPARISONS: first})
    view = BlockView.build(plan, state, rows, Block(0, (len(rows),)), Stream.COMPARISONS, np.arange(len(rows)))
    return view.tally(plan.rules[0], state.cells[0])


def test_repeated_row_leaves_the_cells_and_stays_on_the_clock() -> None:
    """The seed is due before the row is inspected."""
    plan = make_plan("disagreement")
    tally = one_tick(plan, request_rows([1, 1, 2, 2], range(4)), 0)
    assert tally.count[0, 0].tolist() == [2, 0, 0, 0]
    assert tally.seeds.tolist() == [[4.0]]


def lane_mask(lane: int, first: int, n: int, lanes: int) -> Bools:
    """Mask the rows of a lane."""
    return np.asarray((first + np.arange(n)) % lanes == lane)


@pytest.mark.parametrize("first", [0, 1, 5])
@pytest.mark.parametrize("n", [1, 4, 7])
def test_rows_go_to_lanes_in_turn_across_ticks(first: int, n: int) -> None:
    """A lane continues after the previous tick, and is seeded by its own rows alone."""
    plan = make_plan("disagreement", lanes=3)
    disagree = np.arange(n) % 2 == 0
    tally = one_tick(plan, make_comparisons(n, disagree=disagree, member=[True, False, False]), first)
    lane_masks = [lane_mask(lane, first, n, 3) for lane in range(3)]
    assert tally.seeds.tolist() == [[float(rows.sum()) for rows in lane_masks]]
    assert tally.count[0, :, :2].tolist() == [[rows.sum()] * 2 for rows in lane_masks]
    assert tally.total[0, :, 0].tolist() == [float(disagree[rows].sum()) for rows in lane_masks]


def test_lanes_of_a_variant_are_adjacent() -> None:
    """Three classes, two lanes: class 0 in lanes 0 and 1, then class 1, then class 2."""
    plan = make_plan("mix", lanes=2, classes=3)
    rows = make_comparisons(5, top_baseline=[0, 0, 1, 2, 2], top_compressed=[0, 1, 1, 2, 1], member=True)
    tally = one_tick(plan, rows, 0)
    assert tally.count[0, :, 1].tolist() == [3, 2, 3, 2, 3, 2]
    assert tally.total[0, :, 1].tolist() == [0, -1, 1, 1, -1, 0]
    assert tally.seeds.tolist() == [[3, 2, 3, 2, 3, 2]]
    assert [plan.rules[0].variant_name(index) for index in range(6)] == [f"class {n}" for n in (0, 0, 1, 1, 2, 2)]


def test_retry_takes_its_turn_among_the_lanes() -> None:
    """The lane of a row does not depend on whether the row counts."""
    plan = make_plan("disagreement", lanes=2)
    tally = one_tick(plan, request_rows([1, 1, 2, 3], range(4)), 0)
    assert tally.seeds.tolist() == [[2, 2]]
    assert tally.count[0, :, 0].tolist() == [2, 1]


def test_model_has_every_row() -> None:
    """Its column comes first."""
    assert with_model_scope(MEMBER[:, 1:])[:, 0].all()
    assert np.array_equal(with_model_scope(MEMBER[:, 1:])[:, 1:], MEMBER[:, 1:])
