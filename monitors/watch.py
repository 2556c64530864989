"""The judgement as one pure fold: comparisons in, verdicts and safe-mode transitions out.

How it works. Rows are counted in ticks of fixed size (less, when event time moves on; more, to the end of a request),
so the state after a stream of rows depends on the rows alone, not on how they were polled, and a restart in the middle
changes nothing. Modes and the unit of evidence are constant within a tick. Many ticks are judged together; when one of
them decides something, the ticks after it are judged again under the new modes and the new unit.

A cell counts the requests that its decision would move. Once a subgroup is in safe mode its requests leave every other
cell, because the compressed model no longer answers them; its own cells go on, in reverse shadow, to judge recovery.
The requests of a subgroup that breached while an operator held it in normal mode leave them too: no evidence moves
them. Membership is known before the outcome, so the guarantee of the detectors holds.
"""

from dataclasses import replace

import numpy as np

from tightrope.monitors import latency
from tightrope.monitors.boundaries.asked_classes import published_classes
from tightrope.monitors.decide import Cause, decide, enter_blind, first_decision
from tightrope.monitors.dependence.blocks import next_block
from tightrope.monitors.dependence.units import request_numbers, request_starts
from tightrope.monitors.detector_bank import MonitorRun, Trajectory, run_detectors
from tightrope.monitors.elapsed import elapsed, not_after
from tightrope.monitors.group_search import search_after
from tightrope.monitors.intake.hosts import count_hosts
from tightrope.monitors.intake.refusals import count_refusals
from tightrope.monitors.intake.repeats import RepeatMemory, remember_rows
from tightrope.monitors.observations import losses, own_noise, summed_losses
from tightrope.monitors.plan import Plan, State, Transition, is_armed, is_blind
from tightrope.monitors.records import Comparisons, Fault, Routes, Stream, Traffic
from tightrope.monitors.scopes import last_sighted, latest_faulty, rows_of_scopes, with_model_scope
from tightrope.monitors.ticks import BlockView, dependence_after, learned_margins, no_rows, unit_change, with_unit
from tightrope.monitors.vetoes import veto_change, with_labels
from tightrope.monitors.watched_groups.hosts import host_change, with_host_scopes
from tightrope.monitors.watched_groups.orders import arm_found
from tightrope.monitors.watched_groups.plans import fitted_rows, judged_plan


def step(
    plan: Plan, state: State, batch: Comparisons, stream: Stream = Stream.COMPARISONS
) -> tuple[State, list[Transition]]:
    """Fold a batch of whole requests into the state. Redelivered comparisons are skipped; labelled rows must come once.

    Raises:
        BadObservationError: when a sound row holds a value that no detector accepts; at once, not when its tick ends.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=(), tick_rows=4)
    >>> rows = Comparisons.from_columns(6, baseline_digest="b", compressed_digest="c", time=0.0, offset=np.arange(6))
    >>> state, transitions = step(plan, initial_state(plan), rows)
    >>> state.seen[Stream.COMPARISONS], len(state.pending[Stream.COMPARISONS]), transitions
    (4, 2, [])
    """
    plan = judged_plan(plan, state)
    state, rows = _take_new(plan, state, fitted_rows(plan, batch, new=True), stream)
    for rule in plan.rules:
        if rule.monitor.stream is stream:
            valid, y = rule.monitor.observe(rows, len(rule.variants))
            rule.alarm.check(y[valid])
    if stream is Stream.COMPARISONS and plan.objective is not None:
        state = replace(state, latency=latency.fold_rows(plan.objective, state.latency, rows.time, rows.seconds))
    if (pending := state.pending.get(stream)) is not None:
        rows = pending.join(rows)
    transitions: list[Transition] = []
    begin, requests = 0, request_numbers(rows, stream)
    starts = request_starts(requests)
    while (block := next_block(rows.time, starts, begin, plan.tick_rows, plan.tick_seconds)) is not None:
        part = rows.take(slice(block.begin, block.end))
        view = BlockView.build(plan, state, part, block, stream, requests[block.begin : block.end])
        state, ticks, decided = _judge(plan, state, view, stream)
        transitions += decided
        begin += block.rows_of(ticks)
        rows = fitted_rows(plan := judged_plan(plan, state), rows, new=True)
    return replace(state, pending={**state.pending, stream: rows.take(slice(begin, None))}), transitions


def settle_times(plan: Plan, state: State, now: float) -> tuple[State, float]:
    """Bring the times of a state that lie after ``now``, the latest reading of the clock, back to it.

    Returns the most seconds by which one lay in the future, 0 if none did.
    """
    waiting, latency_ends = state.unanswered, 0.0
    if plan.objective is not None:
        latency_ends = state.latency.block * plan.objective.block
    times = [time for mode in state.modes for time in (mode.since, mode.returned)]
    times += [waiting.since, waiting.until, waiting.answered, waiting.stale_until, latency_ends]
    times += [float(rows.time.max()) for rows in state.pending.values() if len(rows)]
    times += [time for reported in state.sight_notes.values() for time in reported.values()]
    ahead = max(times) - now
    if ahead <= 0:
        return state, 0.0
    state = replace(
        state,
        modes=tuple(
            replace(mode, since=not_after(mode.since, now), returned=not_after(mode.returned, now))
            for mode in state.modes
        ),
        unanswered=replace(
            waiting,
            since=not_after(waiting.since, now),
            until=not_after(waiting.until, now),
            answered=not_after(waiting.answered, now),
            stale_since=not_after(waiting.stale_since, now),
            stale_until=not_after(waiting.stale_until, now),
        ),
        pending={name: replace(rows, time=not_after(rows.time, now)) for name, rows in state.pending.items()},
        sight_notes={
            kind: {scope: not_after(time, now) for scope, time in reported.items()}
            for kind, reported in state.sight_notes.items()
        },
    )
    if plan.objective is not None:
        block = int(not_after(latency_ends, now) / plan.objective.block)
        state = replace(state, latency=replace(state.latency, block=block))
    return state, ahead


def note_traffic(plan: Plan, state: State, notice: Traffic) -> tuple[State, list[Transition]]:
    """Fold a gateway's notice that it kept requests.

    If no comparison follows, the judge cannot tell whether the model is safe: it is blind, and the baseline answers a
    blind model's requests. A gateway whose plan is another one falls back by itself. One of an older release, which
    does not name its plan, cannot: while rows that no plan covers go on arriving, they count as its rows.
    """
    if notice.plan not in {"", plan.coverage}:
        return state, []
    before = state.unanswered
    stale = elapsed(before.stale_since, before.stale_until)
    if not notice.plan and stale >= plan.blind_seconds > 0 and notice.since <= before.stale_until:
        if state.modes[0].whole:
            return state, []
        reason = f"a gateway of an older release sends rows of another plan for {stale:.0f} s"
        return enter_blind(plan, state, Cause(before.stale_until, reason=reason))
    # Notices arrive after the samples that they count: some of these are compared by now.
    if notice.since <= before.answered:
        return state, []
    since = before.since if before.kept else notice.since
    after = replace(before, kept=before.kept + notice.kept, since=since, until=max(before.until, notice.time))
    state = replace(state, unanswered=after)
    if not is_blind(plan, state) or state.modes[0].whole:
        return state, []
    reason = f"{after.kept} requests kept in {after.until - after.since:.0f} s, none compared"
    return enter_blind(plan, state, Cause(after.until, reason=reason))


def note_stale(plan: Plan, state: State, time: float) -> State:
    """Fold the arrival of rows that the plan does not cover, at ``time`` by the log's clock: they are no sight."""
    before = state.unanswered
    paused = elapsed(before.stale_until, time) > plan.blind_seconds
    since = time if paused else before.stale_since
    return replace(state, unanswered=replace(before, stale_since=since, stale_until=max(before.stale_until, time)))


def _take_new(plan: Plan, state: State, batch: Comparisons, stream: Stream) -> tuple[State, Comparisons]:
    """Select the rows beyond the watermark of their partition, if the plan covers the batch."""
    new = state.is_new(batch) if stream is Stream.COMPARISONS else np.ones(len(batch), dtype=bool)
    pending = {name: replace(rows, log=batch.log) for name, rows in state.pending.items()}
    if stream is Stream.COMPARISONS:
        watermarks = dict(state.watermarks) if batch.log == state.log else {}
        for partition in np.unique(batch.partition):
            newest = int(batch.offset[batch.partition == partition].max())
            watermarks[int(partition)] = max(watermarks.get(int(partition), -1), newest)
        state = replace(state, log=batch.log, watermarks=watermarks, pending=pending)
    covered = plan.covers(batch)
    sound = new & (batch.fault == Fault.NONE)  # a row that could not be compared is no sight
    if covered and stream is Stream.COMPARISONS and sound.any():
        answered = max(state.unanswered.answered, float(batch.time[sound].max()))
        state = replace(state, unanswered=replace(state.unanswered, kept=0, since=0.0, until=0.0, answered=answered))
    if not covered:
        state = replace(state, stale=state.stale + int(new.sum()))
    taken = no_rows(plan, batch) if not covered else batch if new.all() else batch.take(new)
    return state, taken if taken.log == state.log else replace(taken, log=state.log)


def _judge(plan: Plan, state: State, view: BlockView, stream: Stream) -> tuple[State, int, list[Transition]]:
    """Judge a block up to the first tick that decides something; returns the number of ticks judged."""
    trajectories = _trajectories(plan, state, view, stream)
    ends = np.maximum.reduceat(view.rows.time, np.cumsum((0, *view.block.sizes[:-1])))  # a clock may be behind
    decided = first_decision(plan, state, trajectories, ends)
    change = unit_change(plan, state, view) if stream is Stream.COMPARISONS else (None, state.dependence)
    margins = learned_margins(plan, view, stream)
    fleet = host_change(plan, state, view, stream)
    cuts = decided, change[0], veto_change(plan, state, view, stream, ends), state.margin.fixed_by(margins), fleet
    cut = 1 + min(view.block.ticks - 1 if tick is None else tick for tick in cuts)
    search, ticks = search_after(plan, state, view, stream, cut, ends)
    cells = [
        cells if trajectory is None else trajectory.cells_after(cells, rule, ticks)
        for rule, cells, trajectory in zip(plan.rules, state.cells, trajectories, strict=True)
    ]
    before, rows = state, view.block.rows_of(ticks)
    ended = state.seen[Stream.COMPARISONS] + np.cumsum(view.block.sizes[:ticks])
    estimates = state.estimates.after(plan.rules, trajectories, ended, ends[:ticks])
    seen = {**state.seen, stream: state.seen[stream] + rows}
    dependence = dependence_after(plan, before, view, stream, ticks, change)
    state = replace(state, cells=tuple(cells), seen=seen, estimates=estimates, dependence=dependence, search=search)
    if stream is Stream.COMPARISONS:
        state = replace(_count(state, view, ticks), margin=before.margin.after(margins[:ticks]))
    state = with_labels(plan, before, state, view, stream, ticks, float(ends[ticks - 1]))
    transitions: list[Transition] = []
    if fleet == ticks - 1:
        state = with_host_scopes(plan, before, state, float(ends[ticks - 1]))
        plan = judged_plan(plan, state)
    if decided == ticks - 1:
        latest = view.rows.take(slice(view.block.rows_of(ticks - 1), rows))
        state, transitions = decide(plan, state, fitted_rows(plan, latest, new=True))
    state = with_unit(plan, before, state, float(ends[ticks - 1]))
    state, entered = arm_found(plan, before.search, state, float(ends[ticks - 1]))
    return state, ticks, [*transitions, *entered]


def _trajectories(plan: Plan, state: State, view: BlockView, stream: Stream) -> list[Trajectory | None]:
    """Run each monitor of this stream through the block; None for monitors of the other stream."""
    normal = np.array([not mode.safe for mode in state.modes])
    free = np.array([not mode.apart for mode in state.modes])
    trial = np.array([mode.trial for mode in state.modes])
    runs = {
        index: MonitorRun.on_duty(rule, cells, view.tally(rule, cells), normal, free, trial, whole=state.modes[0].whole)
        for index, (rule, cells) in enumerate(zip(plan.rules, state.cells, strict=True))
        if rule.monitor.stream is stream
    }
    decided = dict(zip(runs, run_detectors(list(runs.values())), strict=True))
    return [decided.get(index) for index in range(len(plan.rules))]


def _count(state: State, view: BlockView, ticks: int) -> State:
    """Update the counts that people see: all rows of each scope, counted by a cell or not."""
    upto = slice(view.block.rows_of(ticks))
    rows = view.rows if ticks == view.block.ticks else view.rows.take(upto)
    member, faulty = with_model_scope(rows.member), rows.fault != Fault.NONE
    counted = view.counted[upto, 0]
    compared, errors = rows_of_scopes([np.ones(len(rows), dtype=bool), faulty], member)
    return replace(
        state,
        compared=state.compared + compared,
        disagreed=state.disagreed + summed_losses(rows.loss, rows.disagree, member),
        errors=state.errors + errors,
        faulty=latest_faulty(state.faulty, faulty, member, view.block.tick_of_row[upto]),
        noise=state.noise + own_noise(rows, member),
        sighted=last_sighted(state.sighted, int(state.compared[0]), member),
        repeats=_remember(state, view, rows),
        hosts=count_hosts(state.hosts, rows, member),
        refused=count_refusals(state.refused, rows, member),
        lag=state.lag.after(losses(rows)[counted]),
        estimates=state.estimates.noting(rows.request_id),
    )


def _remember(state: State, view: BlockView, rows: Comparisons) -> RepeatMemory:
    """Add judged rows, the first ones of a block, to the memory of repeats."""
    retries, inputs = (int(mask[: len(rows)].sum()) for mask in (view.uncounted.retries, view.uncounted.inputs))
    return remember_rows(state.repeats, rows, retries, inputs)


def build_routes(plan: Plan, state: State) -> Routes:
    """Build the routes for the gateways: the scopes that the baseline answers.

    Under an advisory plan evidence moves no scope; an operator who holds a scope in safe mode does, and so do a state
    that could not be read and a statement that withholds the scope. While the mode of a scope that the plan does not
    have is not mapped, its rows cannot be told from others: the whole model is safe. A narrow model is among the safe
    scopes too: a gateway that cannot ask again has the baseline answer all of it.
    """
    modes, armed = list(zip(plan.scopes, state.modes, strict=True)), is_armed(plan, state)
    orphans = [(plan.scopes[0], record.mode) for record in state.retained.orphans.values()]
    moved = [scope for scope, mode in (*modes, *orphans) if mode.safe and (armed or mode.held or mode.is_unproven)]
    safe = list(dict.fromkeys(moved))
    states = {scope: mode.state.value for scope, mode in modes}
    unordered = {scope for scope, mode in (*modes, *orphans) if mode.safe and not mode.by_order}
    ordered = tuple(dict.fromkeys(scope for scope, mode in (*modes, *orphans) if mode.safe and scope not in unordered))
    routes = Routes(plan.model, state.epoch, (*safe,), states, plan=plan.coverage, ordered=ordered, added=plan.added)
    return replace(routes, asked=published_classes(plan, state))
