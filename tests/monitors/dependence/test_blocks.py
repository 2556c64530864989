"""Ticks end where a request ends, or when event time has moved on; several of them are one block."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightrope.monitors.dependence.blocks import MAX_BLOCK_TICKS, Block, next_block
from tightrope.monitors.records import Bools


def blocks_of(times: list[float], tick_rows: int = 4, starts: Bools | None = None) -> list[Block]:
    """Return the blocks of these rows, in ticks of ten seconds."""
    begin, blocks = 0, []
    starts = np.ones(len(times), dtype=bool) if starts is None else starts
    while (block := next_block(np.array(times), starts, begin, tick_rows, 10.0)) is not None:
        blocks.append(block)
        begin = block.end
    return blocks


@pytest.mark.parametrize(
    ("times", "sizes"),
    [
        ([], []),
        ([0, 0, 0], []),
        ([0, 0, 0, 9.9], [(4,)]),
        ([0] * 9, [(4, 4)]),
        ([0, 10], [(1,)]),
        ([0, 1, 2, 10, 11], [(3,)]),
        ([0] * 8 + [5, 15], [(4, 4), (1,)]),
        ([0, 0, 0, 12, 12, 12, 12], [(3,), (4,)]),
        ([0, 20, 40], [(1,), (1,)]),
        ([0, 1, 10, 11, 12, 13], [(2,), (4,)]),
        ([5, 3, 4, 2, 1], [(4,)]),
    ],
)
def test_tick_ends_with_its_last_row_or_when_event_time_has_moved_on(
    times: list[float], sizes: list[tuple[int, ...]]
) -> None:
    """Full ticks in a row are one block; the row that comes too late begins the next tick."""
    assert [block.sizes for block in blocks_of(times)] == sizes


def test_block_has_a_maximum_size() -> None:
    """Further ticks form the next block."""
    assert [block.ticks for block in blocks_of([0] * (4 * MAX_BLOCK_TICKS + 9))] == [MAX_BLOCK_TICKS, 2]


def test_long_tick_is_a_block_of_its_own() -> None:
    """Short ticks would be filled up to it: nine rows of one request, among requests of one and two rows."""
    requests = np.repeat(np.arange(8), [2, 1, 2, 9, 1, 1, 1, 1])
    blocks = blocks_of([0.0] * 18, starts=np.diff(requests, prepend=-1) != 0)
    assert [block.sizes for block in blocks] == [(5,), (9,), (4,)]


def tick_ends(times: list[float], sizes: list[int], tick_rows: int) -> list[int]:
    """Find the ends of ticks request by request."""
    ends, first, row = [], 0, 0
    for size in sizes:
        if row > first and times[row] - times[first] >= 10.0 and row - first < tick_rows:
            ends.append(row)
            first = row
        row += size
        if row - first >= tick_rows:
            ends.append(row)
            first = row
    return ends


@settings(deadline=None, max_examples=200)
@given(
    requests=st.lists(
        st.tuples(st.sampled_from([-3.0, 0.0, 0.5, 4.0, 12.0]), st.sampled_from([1, 1, 1, 2, 7, 20])), max_size=30
    ),
    tick_rows=st.integers(1, 6),
)
def test_ticks_equal_those_found_request_by_request(requests: list[tuple[float, int]], tick_rows: int) -> None:
    """For any order of event times; no tick ends within a request."""
    at, sizes = list(accumulate(gap for gap, _ in requests)), [size for _, size in requests]
    times = np.repeat(at, sizes).tolist()
    starts = np.zeros(len(times), dtype=bool)
    starts[np.cumsum([0, *sizes])[:-1][: len(sizes)]] = True
    ends = [block.begin + int(end) for block in blocks_of(times, tick_rows, starts) for end in np.cumsum(block.sizes)]
    assert ends == tick_ends(times, sizes, tick_rows)
    assert set(ends) <= set(np.cumsum(sizes).tolist())


@pytest.mark.parametrize("sizes", [(2, 2), (1, 3), (3, 1)])
def test_short_ticks_are_filled_with_zeros(sizes: tuple[int, ...]) -> None:
    """The rows of a tick keep their order."""
    block = Block(5, sizes)
    shaped = block.shaped(np.array([[1.0], [2.0], [3.0], [4.0]]))
    assert shaped.shape == (2, max(sizes), 1)
    assert shaped[shaped > 0].tolist() == [1, 2, 3, 4]
    assert [int((tick > 0).sum()) for tick in shaped] == list(sizes)
    assert (block.end, block.rows_of(1), block.tick_of_row.tolist()) == (9, sizes[0], [0] * sizes[0] + [1] * sizes[1])
