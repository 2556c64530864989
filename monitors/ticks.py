"""Cutting a stream of rows into ticks, and what the scopes count of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.evidence import Tally
from tightrope.monitors.plan import Plan, Repeats, State
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints
from tightrope.monitors.safemode import Mode

T = TypeVar("T", bound=np.generic)

MOST_TICKS = 64
"""Ticks that are looked at together: enough to work in bulk, few enough to look again after a change of mode."""


@dataclass(frozen=True, slots=True)
class Block:
    """``ticks`` ticks of ``rows`` rows each, from row ``begin`` on."""

    begin: int
    ticks: int
    rows: int

    @property
    def end(self) -> int:
        """The row after the last one."""
        return self.begin + self.ticks * self.rows


def next_block(plan: Plan, times: Floats, begin: int) -> Block | None:
    """The next ticks that are complete: full ones together, or one that event time has ended; None while it is open."""
    full = min((len(times) - begin) // plan.tick_rows, MOST_TICKS)
    if full:
        shaped = times[begin : begin + full * plan.tick_rows].reshape(full, plan.tick_rows)
        late = (shaped - shaped[:, :1] >= plan.tick_seconds).any(axis=1)
        full = int(late.argmax()) if late.any() else full
    if full:
        return Block(begin, full, plan.tick_rows)
    window = times[begin : begin + plan.tick_rows]
    ended = np.flatnonzero(window - window[:1] >= plan.tick_seconds)
    return Block(begin, 1, int(ended[0])) if len(ended) else None


@dataclass(frozen=True, slots=True)
class View:
    """A block's rows under the modes of the state: ``member`` (T, n, S) 1 where a scope counts a row, else 0."""

    rows: Comparisons
    block: Block
    member: Floats
    first: int

    @classmethod
    def of(cls, plan: Plan, state: State, rows: Comparisons, block: Block, first: int) -> "View":
        """``first`` is the number of rows that the stream had before."""
        mine = counted(plan, state.modes, whole(rows.member), rows.draw) & ~repeated(plan, rows, block)[:, None]
        member = mine.astype(np.float64).reshape(block.ticks, block.rows, -1)
        return cls(rows, block, member, first)

    def tally(self, rule: Rule) -> Tally:
        """What one monitor sees of it."""
        variants = len(rule.variants)
        valid, y = rule.question.observe(self.rows, variants)
        seeds = np.full((len(self.member), variants), float(self.block.rows))
        if rule.lanes > 1:
            lane = (self.first + np.arange(len(self.rows))) % rule.lanes
            mine = lane[:, None] == np.arange(rule.lanes)
            valid, y = (valid[:, :, None] & mine[:, None]).reshape(len(mine), -1), np.repeat(y, rule.lanes, axis=1)
            seeds = np.tile(self._shaped(mine).sum(axis=1, dtype=np.float64), variants)
        return Tally.of(self.member, self._shaped(valid), self._shaped(y), seeds)

    def _shaped(self, values: NDArray[T]) -> NDArray[T]:
        """(T n, V) as (T, n, V)."""
        return values.reshape(self.block.ticks, self.block.rows, -1)


def whole(member: Bools) -> Bools:
    """Membership of the model as a whole, which has every row, and of its subgroups: (n, S)."""
    return np.concatenate([np.ones((len(member), 1), dtype=bool), member], axis=1)


def counted(plan: Plan, modes: Sequence[Mode], member: Bools, draw: Floats) -> Bools:
    """Which rows each scope's cells count, shape (n, S), from membership (n, S) and the rows' draws (n,)."""
    safe = np.array([mode.safe for mode in modes])
    mine = np.asarray(member & (draw[:, None] < plan.rates))
    if safe[1:].any():
        saved = (member[:, 1:] & safe[1:]).any(axis=1)
        mine &= ~saved[:, None] | safe
        mine[:, 0] &= ~saved  # the return of the model as a whole would not move them either
    return mine


def repeated(plan: Plan, rows: Comparisons, block: Block) -> Bools:
    """Rows whose like stood in the same tick before, (n,)."""
    again = np.zeros(len(rows), dtype=bool)
    if plan.repeats is Repeats.NONE:
        return again
    tick = np.repeat(np.arange(block.ticks), block.rows)
    if plan.repeats is Repeats.RETRIES:
        return _retried(rows, tick)
    order = np.lexsort((np.arange(len(rows)), rows.twin, tick))
    again[order[1:]] = (np.diff(rows.twin[order]) == 0) & (np.diff(tick[order]) == 0)
    return np.asarray(again & (rows.twin != 0))


def _retried(rows: Comparisons, tick: Ints) -> Bools:
    """Rows of a request id that came before, at another time: rows of one request have one time."""
    again = np.zeros(len(rows), dtype=bool)
    if len(set(rows.request_id)) == len(rows):
        return again
    first: dict[tuple[int, str], float] = {}
    for row, (number, name, time) in enumerate(zip(tick.tolist(), rows.request_id, rows.time.tolist(), strict=True)):
        again[row] = first.setdefault((number, name), time) != time
    return again
