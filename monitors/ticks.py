"""Cut a stream of rows into ticks, and select the rows that each scope counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.evidence import Tally
from tightrope.monitors.intake.repeats import RepeatMemory, Repeats, repeated_inputs
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints
from tightrope.monitors.safemode import Mode
from tightrope.monitors.scopes import following_scopes

T = TypeVar("T", bound=np.generic)

MAX_BLOCK_TICKS = 64
"""Ticks that are judged together: enough for bulk arithmetic, few enough to repeat after a change of mode."""


@dataclass(frozen=True, slots=True)
class Block:
    """``ticks`` ticks of ``rows`` rows each, from row ``begin`` on.

    >>> Block(begin=64, ticks=2, rows=16).end
    96
    """

    begin: int
    ticks: int
    rows: int

    @property
    def end(self) -> int:
        """The index after the last row."""
        return self.begin + self.ticks * self.rows


def next_block(plan: Plan, times: Floats, begin: int) -> Block | None:
    """Return the next complete ticks: full ones, or one that event time has ended; None if the tick is still open."""
    full = min((len(times) - begin) // plan.tick_rows, MAX_BLOCK_TICKS)
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
class UncountedRows:
    """The rows of a block that no cell counts, (n,): retries of a request, and repeats of an input.

    >>> UncountedRows(np.array([True, False]), np.array([False, False])).either.tolist()
    [True, False]
    """

    retries: Bools
    inputs: Bools

    @property
    def either(self) -> Bools:
        """The rows that are not counted."""
        return self.retries | self.inputs


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block's rows under the current modes: ``member`` (T, n, S) holds 1 where a scope counts a row, else 0.

    ``first`` is the number of rows of the stream before this block.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
    >>> rows = Comparisons.from_columns(4, draw=0.5, time=0.0)
    >>> BlockView.build(plan, initial_state(plan), rows, Block(0, 1, 4), 0).member.ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    rows: Comparisons
    block: Block
    member: Floats
    first: int
    uncounted: UncountedRows

    @classmethod
    def build(cls, plan: Plan, state: State, rows: Comparisons, block: Block, first: int) -> "BlockView":
        """Select the rows that each scope counts."""
        counted = counted_mask(plan, state.modes, with_model_scope(rows.member), rows.draw)
        uncounted = uncounted_rows(plan, state.repeats, rows, block)
        counted &= ~uncounted.either[:, None]
        member = counted.astype(np.float64).reshape(block.ticks, block.rows, -1)
        return cls(rows, block, member, first, uncounted)

    def tally(self, rule: Rule) -> Tally:
        """Count the rows for one monitor; with lanes, rows take turns by their position in the stream."""
        variants = len(rule.variants)
        valid, y = rule.monitor.observe(self.rows, variants)
        seeds = np.full((len(self.member), variants), float(self.block.rows))
        if rule.lanes > 1:
            lane = (self.first + np.arange(len(self.rows))) % rule.lanes
            in_lane = lane[:, None] == np.arange(rule.lanes)
            valid, y = (valid[:, :, None] & in_lane[:, None]).reshape(len(lane), -1), np.repeat(y, rule.lanes, axis=1)
            seeds = np.tile(self._shaped(in_lane).sum(axis=1, dtype=np.float64), variants)
        return Tally.from_rows(self.member, self._shaped(valid), self._shaped(y), seeds)

    def _shaped(self, values: NDArray[T]) -> NDArray[T]:
        """Reshape (T n, V) to (T, n, V)."""
        return values.reshape(self.block.ticks, self.block.rows, -1)


def with_model_scope(member: Bools) -> Bools:
    """Prepend the model, which has every row, to the membership of subgroups (n, S - 1): (n, S)."""
    return np.concatenate([np.ones((len(member), 1), dtype=bool), member], axis=1)


def counted_mask(plan: Plan, modes: Sequence[Mode], member: Bools, draw: Floats) -> Bools:
    """Mask the rows that each scope's cells count, (n, S), from membership (n, S) and the rows' draws (n,).

    Rows of a scope apart, or that follow one to the baseline, count for such scopes only.
    """
    moved_scopes = {scope for scope, mode in zip(plan.scopes, modes, strict=True) if mode.safe}
    moved_scopes |= {*following_scopes(plan.scopes, moved_scopes), *plan.always_baseline}
    apart = np.array([m.apart or scope in moved_scopes for scope, m in zip(plan.scopes, modes, strict=True)])
    counted = np.asarray(member & (draw[:, None] < plan.rates))
    if apart[1:].any():
        moved = (member[:, 1:] & apart[1:]).any(axis=1)
        counted &= ~moved[:, None] | apart
        counted[:, 0] &= ~moved  # the return of the model as a whole would not move them either
    return counted


def uncounted_rows(plan: Plan, memory: RepeatMemory, rows: Comparisons, block: Block) -> UncountedRows:
    """Mask the rows that repeat an earlier one, as the plan defines repeats; a retry is no repeated input as well."""
    none = np.zeros(len(rows), dtype=bool)
    if plan.repeats is Repeats.NONE:
        return UncountedRows(none, none)
    tick = np.repeat(np.arange(block.ticks), block.rows)
    if plan.repeats is Repeats.INPUTS:
        order = np.lexsort((np.arange(len(rows)), rows.twin, tick))
        repeated = none.copy()
        repeated[order[1:]] = (np.diff(rows.twin[order]) == 0) & (np.diff(tick[order]) == 0)
        return UncountedRows(none, np.asarray(repeated & (rows.twin != 0)))
    retries = _retried(rows, tick)
    return UncountedRows(
        retries, repeated_inputs(memory, rows) & ~retries if plan.repeats is Repeats.DISTINCT else none
    )


def _retried(rows: Comparisons, tick: Ints) -> Bools:
    """Mask the rows whose request id and input came before at another time; rows of one request share their time."""
    repeated = np.zeros(len(rows), dtype=bool)
    if len(set(rows.request_id)) == len(rows):
        return repeated
    first: dict[tuple[int, str, int], float] = {}
    columns = (tick.tolist(), rows.request_id, rows.twin.tolist(), rows.time.tolist())
    for row, (index, name, twin, time) in enumerate(zip(*columns, strict=True)):
        repeated[row] = first.setdefault((index, name, twin), time) != time
    return repeated
