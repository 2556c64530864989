"""Select the rows of a block of ticks that each scope counts, and the steps of evidence that they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.boundaries.asked_classes import GAIN_MONITOR, asked_rows
from tightrope.monitors.clear_rows.clear_margin import margins_of_ticks
from tightrope.monitors.definitions.clear_monitor import learns_margin
from tightrope.monitors.dependence.blocks import Block
from tightrope.monitors.dependence.cluster_sums import ClusterSums, Windows, open_window
from tightrope.monitors.dependence.units import EvidenceUnit, request_starts, shared_rows
from tightrope.monitors.dependence.warning import Dependence
from tightrope.monitors.detector_bank import Cells, Rule, reset_cells, start_trial
from tightrope.monitors.evidence import Tally
from tightrope.monitors.intake.repeats import RepeatMemory, Repeats, repeated_inputs, retried_rows
from tightrope.monitors.observations import losses
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints, Stream
from tightrope.monitors.safemode import Mode
from tightrope.monitors.scopes import following_scopes, with_model_scope


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
class SharedSteps:
    """The rows of a block that are no step of their own: their indices ``rows`` (R,), the ``step`` of each in its tick
    or window (R,), and the ticks ``ends`` at whose end a window ends; None where steps end with their tick.

    >>> SharedSteps(np.array([0, 1]), np.array([7, 7]), ends=None).ends is None
    True
    """

    rows: Ints
    step: Ints
    ends: Ints | None


@dataclass(frozen=True, slots=True)
class BlockView:
    """A block's rows under the current modes: ``requests`` (N,) numbers the requests of rows,
    ``counted`` (N, S) masks the rows that each scope counts, and ``member``
    (T, n, S) has 1 for them, else 0.

    ``first`` is the number of rows of the stream before this block; ``shared`` are the rows that are no step of their
    own, if there are any. ``asked`` (N,) are rows whose answers are asked again: only gains of the model count them.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
    >>> rows = Comparisons.from_columns(4, draw=0.5, request_id=tuple("abcd"))
    >>> state, block = initial_state(plan), Block(0, (4,))
    >>> view = BlockView.build(plan, state, rows, block, Stream.COMPARISONS, requests=np.arange(4))
    >>> view.member.ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    rows: Comparisons
    block: Block
    requests: Ints
    counted: Bools
    member: Floats
    first: int
    uncounted: UncountedRows
    shared: SharedSteps | None
    asked: Bools

    @classmethod
    def build(
        cls, plan: Plan, state: State, rows: Comparisons, block: Block, stream: Stream, requests: Ints
    ) -> "BlockView":
        """Select the rows that each scope counts, and the steps of evidence that they belong to."""
        counted = counted_mask(plan, state.modes, with_model_scope(rows.member), rows.draw)
        uncounted = uncounted_rows(plan, state.repeats, rows, block)
        counted &= ~uncounted.either[:, None]
        asked = asked_rows(state.modes[0], rows) & counted[:, 0]
        counted &= ~asked[:, None]  # the model counts them, so they are in no subgroup that is apart
        shared = _shared_steps(plan, state, rows, block, stream, requests, np.asarray(counted.any(axis=1)) | asked)
        member = block.shaped(counted.astype(np.float64))
        return cls(rows, block, requests, counted, member, state.seen[stream], uncounted, shared, asked)

    def tally(self, rule: Rule, cells: Cells) -> Tally:
        """Count the rows for one monitor; with lanes, rows take turns by their position in the stream."""
        if rule.monitor.name == GAIN_MONITOR and self.asked.any():
            return self._with_asked().tally(rule, cells)
        variants = len(rule.variants)
        valid, y = rule.monitor.observe(self.rows, variants)
        seeds = np.repeat(np.array(self.block.sizes, dtype=np.float64)[:, None], variants, axis=1)
        classes = None if rule.monitor.class_of is None else rule.monitor.class_of(self.rows)
        if rule.lanes > 1:
            lane = (self.first + np.arange(len(self.rows))) % rule.lanes
            in_lane = lane[:, None] == np.arange(rule.lanes)
            if classes is None:
                valid, y = (valid[:, :, None] & in_lane[:, None]).reshape(len(lane), -1), np.repeat(y, rule.lanes, 1)
            else:
                classes = np.minimum(classes, variants - 1) * rule.lanes + lane
            seeds = np.tile(self.block.shaped(in_lane).sum(axis=1, dtype=np.float64), variants)
        observed = Observations(valid, y, None if classes is None else np.minimum(classes, seeds.shape[1] - 1), seeds)
        tally = self._counted(rule, observed)
        if self.shared is not None:
            tally = self._in_steps(self.shared, rule, observed, tally, cells)
        zeros = np.zeros((len(self.rows), 0)) if rule.monitor.zeros is None else rule.monitor.zeros(self.rows)
        if not zeros.any():
            return tally
        return tally.with_zeros(self.block.shaped(zeros * self.counted).sum(axis=1)[:, : len(rule.limits)])

    def _with_asked(self) -> "BlockView":
        """The view in which the model counts the rows that are asked again."""
        counted = self.counted.copy()
        counted[:, 0] |= self.asked
        member = self.block.shaped(counted.astype(np.float64))
        return replace(self, counted=counted, member=member, asked=np.zeros_like(self.asked))

    def _counted(self, rule: Rule, observed: "Observations") -> Tally:
        """Count rows as if each were a step of its own."""
        member, shaped = self.member[:, :, : len(rule.limits)], self.block.shaped
        if observed.classes is None:
            return Tally.from_rows(member, shaped(observed.valid), shaped(observed.y), observed.seeds)
        values = shaped(observed.valid), shaped(observed.y)
        return Tally.from_classes(member, values, shaped(observed.classes), observed.seeds)

    def _in_steps(self, shared: SharedSteps, rule: Rule, observed: "Observations", tally: Tally, cells: Cells) -> Tally:
        """Sum the rows that are no step of their own by their steps."""
        own, y = shared.rows, observed.y
        valid = np.broadcast_to(observed.valid, y.shape)
        sums = ClusterSums.from_rows(
            self.block.tick_of_row[own],
            shared.step,
            self.counted[own, : len(rule.limits)],
            valid[own],
            y[own],
            None if observed.classes is None else observed.classes[own],
        )
        single = valid.copy()
        single[own] = False
        singles = self._counted(rule, replace(observed, valid=single))
        if shared.ends is None:
            return tally.in_clusters(singles, sums)
        windows = Windows(sums, shared.ends, cells.window)
        return tally.in_clusters(singles, windows.settled, windows)


@dataclass(frozen=True, slots=True)
class Observations:
    """The observations of a monitor on N rows: ``valid`` and ``y`` (N, V), or one column and ``classes`` (N,) as the
    variants; ``seeds`` (T, V).

    >>> Observations(np.ones((2, 1), dtype=bool), np.zeros((2, 1)), None, np.ones((1, 1))).y.shape
    (2, 1)
    """

    valid: Bools
    y: Floats
    classes: Ints | None
    seeds: Floats


def _shared_steps(
    plan: Plan, state: State, rows: Comparisons, block: Block, stream: Stream, requests: Ints, counted: Bools
) -> SharedSteps | None:
    """Find the rows that are no step of their own; None without any, unless the unit is the window."""
    if plan.unit.is_window(warned=state.dependence.warned):
        own = np.flatnonzero(counted)
        return SharedSteps(own, plan.unit.in_window(rows)[own], state.dependence.window_ends(plan.unit, stream, block))
    step = plan.unit.in_tick(rows, requests)
    own = np.flatnonzero(shared_rows(block.tick_of_row, step, counted))
    return SharedSteps(own, step[own], ends=None) if len(own) else None


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
    tick = block.tick_of_row
    if plan.repeats is Repeats.INPUTS:
        order = np.lexsort((np.arange(len(rows)), rows.twin, tick))
        repeated = none.copy()
        repeated[order[1:]] = (np.diff(rows.twin[order]) == 0) & (np.diff(tick[order]) == 0)
        return UncountedRows(none, np.asarray(repeated & (rows.twin != 0)))
    retries = retried_rows(rows, tick)
    return UncountedRows(
        retries, repeated_inputs(memory, rows) & ~retries if plan.repeats is Repeats.DISTINCT else none
    )


def _first_losses(view: BlockView, unit: EvidenceUnit) -> tuple[Floats, Ints]:
    """The losses of the first counted row of every request, and the baseline's confidence where callers are unknown,
    (n, 2); and the tick of each: rows of one request, which are one step in any case, do not warn.
    """
    counted = np.flatnonzero(view.counted[:, 0])
    first = counted[request_starts(view.requests[counted])]
    alike = unit.widens and not unit.by_caller
    confidence = view.rows.confidence_baseline[first] if alike else np.full(len(first), np.nan)
    return np.column_stack([losses(view.rows)[first], confidence]), view.block.tick_of_row[first]


def unit_change(plan: Plan, state: State, view: BlockView) -> tuple[int | None, Dependence]:
    """Return the first tick of a block of comparisons at whose end the warning of dependence is set, or ends, None
    without any; and the dependence at the end of that tick, or of the block, senders and windows not included.
    """
    y, tick_of_row = _first_losses(view, plan.unit)
    return state.dependence.first_change(y, tick_of_row, plan.unit, view.block)


def dependence_after(
    plan: Plan, state: State, view: BlockView, stream: Stream, ticks: int, change: tuple[int | None, Dependence]
) -> Dependence:
    """The dependence of rows after the first ``ticks`` ticks of a block, in the unit of the state before it; ``change``
    is what `unit_change` found.
    """
    before, (changed, after), unit = state.dependence, change, plan.unit
    if stream is Stream.COMPARISONS:
        if ticks != (view.block.ticks if changed is None else changed + 1):
            after = before.after(*_first_losses(view, unit), unit, view.block, ticks)
        if unit.has_callers:
            upto = slice(view.block.rows_of(ticks))
            rows = view.rows.take(upto)
            after = replace(after, senders=after.senders.add(rows, rows.disagree, view.uncounted.either[upto]))
    if unit.is_window(warned=before.warned):
        open_rows = before.rows_of_window(unit, stream, view.block, ticks)
        after = replace(after, window_rows={**before.window_rows, stream: open_rows})
    return after


def with_unit(plan: Plan, before: State, state: State, time: float) -> State:
    """Start windows where the unit has become the window, with evidence anew from event ``time`` on; end them where it
    is so no more.
    """
    window = plan.unit.is_window(warned=state.dependence.warned)
    steps = plan.unit.window_clusters if window else 0
    cells = state.cells
    if window and not plan.unit.is_window(warned=before.dependence.warned):
        trial = np.array([mode.trial for mode in state.modes])
        cells = tuple(
            start_trial(reset_cells(each, np.ones_like(each.tripped)), each.on_scopes(trial) & each.tripped)
            for each in cells
        )
        every, rows = [np.ones_like(each.tripped) for each in cells], state.seen[Stream.COMPARISONS]
        state = replace(state, estimates=state.estimates.reset(plan.rules, every, rows, time))
    if any(each.window.shape[2] != steps for each in cells):
        cells = tuple(replace(each, window=open_window(each.count.shape, steps)) for each in cells)
        state = replace(state, dependence=replace(state.dependence, window_rows={}))
    return state if cells is state.cells else replace(state, cells=cells)


def learned_margins(plan: Plan, view: BlockView, stream: Stream) -> list[Floats]:
    """The margins of the rows of each tick that the model counts; none once the plan has that of clear rows."""
    if stream is not Stream.COMPARISONS or not learns_margin(rule.monitor for rule in plan.rules):
        return []
    return margins_of_ticks(view.rows.margin_baseline, view.counted[:, 0], view.block.sizes)


def no_rows(plan: Plan, batch: Comparisons) -> Comparisons:
    """Build an empty batch with the scopes and digests of the plan, which can be joined with its rows."""
    scopes = plan.scopes[1:]
    return replace(
        batch.take(slice(0, 0)),
        scopes=scopes,
        member=np.zeros((0, len(scopes)), dtype=bool),
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
    )
