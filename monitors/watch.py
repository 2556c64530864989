"""The judgement as one pure fold: comparisons in, verdicts and safe-mode transitions out.

How it works. Rows are counted in ticks of fixed size (or less, when event time moves on), so the state after a stream
of rows depends on the rows alone, not on how they were polled, and a restart in the middle changes nothing. Modes are
constant within a tick. Many ticks are judged together; when one of them decides something, the ticks after it are
judged again under the new modes.

A cell counts the requests that its decision would move. Once a subgroup is in safe mode its requests leave every other
cell, because the compressed model no longer answers them; its own cells go on, in reverse shadow, to judge recovery.
The requests of a subgroup that breached while an operator held it in normal mode leave them too: no evidence moves
them. Membership is known before the outcome, so the guarantee of the detectors holds.
"""

from dataclasses import replace

import numpy as np

from tightrope.monitors import latency
from tightrope.monitors.decide import Cause, decide, enter_blind, first_decision
from tightrope.monitors.detector_bank import MonitorRun, Trajectory, run_detectors
from tightrope.monitors.elapsed import elapsed, not_after
from tightrope.monitors.intake.hosts import count_hosts
from tightrope.monitors.intake.refusals import count_refusals
from tightrope.monitors.intake.repeats import RepeatMemory, remember_rows
from tightrope.monitors.plan import Autocorrelation, Plan, State, Transition, is_blind
from tightrope.monitors.records import Bools, Comparisons, Fault, Floats, Routes, Stream, Traffic
from tightrope.monitors.scopes import last_sighted
from tightrope.monitors.ticks import BlockView, next_block, with_model_scope


def step(
    plan: Plan, state: State, batch: Comparisons, stream: Stream = Stream.COMPARISONS
) -> tuple[State, list[Transition]]:
    """Fold a batch into the state. Redelivered comparisons are skipped; labelled rows must come once.

    Raises:
        BadObservationError: when a sound row holds a value that no detector accepts; at once, not when its tick ends.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=(), tick_rows=4)
    >>> rows = Comparisons.from_columns(6, baseline_digest="b", compressed_digest="c", time=0.0, offset=np.arange(6))
    >>> state, transitions = step(plan, initial_state(plan), rows)
    >>> state.seen[Stream.COMPARISONS], len(state.pending[Stream.COMPARISONS]), transitions
    (4, 2, [])
    """
    state, rows = _take_new(plan, state, batch, stream)
    for rule in plan.rules:
        if rule.monitor.stream is stream:
            valid, y = rule.monitor.observe(rows, len(rule.variants))
            rule.alarm.check(y[valid])
    if stream is Stream.COMPARISONS and plan.objective is not None:
        state = replace(state, latency=latency.fold_rows(plan.objective, state.latency, rows.time, rows.seconds))
    pending = state.pending.get(stream)
    if pending is not None:
        rows = pending.join(rows)
    transitions: list[Transition] = []
    begin = 0
    while (block := next_block(plan, rows.time, begin)) is not None:
        part = rows.take(slice(block.begin, block.end))
        view = BlockView.build(plan, state, part, block, state.seen[stream])
        state, ticks, decided = _judge(plan, state, view, stream)
        transitions += decided
        begin += ticks * block.rows
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
        if state.modes[0].safe:
            return state, []
        reason = f"a gateway of an older release sends rows of another plan for {stale:.0f} s"
        return enter_blind(plan, state, Cause(before.stale_until, reason=reason))
    # Notices arrive after the samples that they count: some of these are compared by now.
    if notice.since <= before.answered:
        return state, []
    since = before.since if before.kept else notice.since
    after = replace(before, kept=before.kept + notice.kept, since=since, until=max(before.until, notice.time))
    state = replace(state, unanswered=after)
    if not is_blind(plan, state) or state.modes[0].safe:
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
    new = np.ones(len(batch), dtype=bool)
    pending = {name: replace(rows, log=batch.log) for name, rows in state.pending.items()}
    if stream is Stream.COMPARISONS:
        watermarks = dict(state.watermarks) if batch.log == state.log else {}
        for partition in np.unique(batch.partition):
            in_partition = batch.partition == partition
            last = watermarks.get(int(partition), -1)
            new &= ~in_partition | (batch.offset > last)
            watermarks[int(partition)] = max(last, int(batch.offset[in_partition].max()))
        state = replace(state, log=batch.log, watermarks=watermarks, pending=pending)
    covered = plan.covers(batch)
    if covered and stream is Stream.COMPARISONS and new.any():
        answered = max(state.unanswered.answered, float(batch.time[new].max()))
        state = replace(state, unanswered=replace(state.unanswered, kept=0, since=0.0, until=0.0, answered=answered))
    if not covered:
        state = replace(state, stale=state.stale + int(new.sum()))
    taken = _no_rows(plan, batch) if not covered else batch if new.all() else batch.take(new)
    return state, taken if taken.log == state.log else replace(taken, log=state.log)


def _no_rows(plan: Plan, batch: Comparisons) -> Comparisons:
    """Build an empty batch with the scopes and digests of the plan, which can be joined with its rows."""
    scopes = plan.scopes[1:]
    return replace(
        batch.take(slice(0, 0)),
        scopes=scopes,
        member=np.zeros((0, len(scopes)), dtype=bool),
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
    )


def _judge(plan: Plan, state: State, view: BlockView, stream: Stream) -> tuple[State, int, list[Transition]]:
    """Judge a block up to the first tick that decides something; returns the number of ticks judged."""
    trajectories = _trajectories(plan, state, view, stream)
    ends = view.rows.time.reshape(view.block.ticks, -1).max(axis=1)  # a clock behind must not set a mode's time back
    first = first_decision(plan, state, trajectories, ends)
    ticks = view.block.ticks if first is None else first + 1
    cells = [
        cells if trajectory is None else trajectory.cells_after(cells, rule, ticks)
        for rule, cells, trajectory in zip(plan.rules, state.cells, trajectories, strict=True)
    ]
    state = replace(
        state, cells=tuple(cells), seen={**state.seen, stream: state.seen[stream] + ticks * view.block.rows}
    )
    if stream is Stream.COMPARISONS:
        state = _count(state, view, ticks)
    if first is None:
        return state, ticks, []
    last = view.rows.take(slice(first * view.block.rows, ticks * view.block.rows))
    state, decided = decide(plan, state, last)
    return state, ticks, decided


def _trajectories(plan: Plan, state: State, view: BlockView, stream: Stream) -> list[Trajectory | None]:
    """Run each monitor of this stream through the block; None for monitors of the other stream."""
    normal = np.array([not mode.safe for mode in state.modes])
    free = np.array([not mode.apart for mode in state.modes])
    trial = np.array([mode.trial for mode in state.modes])
    # While the model as a whole is safe, a subgroup in normal mode has no decision to make.
    runs = {
        index: MonitorRun(
            rule, cells, view.tally(rule), np.where(free, normal[0], ~cells.tripped), cells.tripped & ~normal, trial
        )
        for index, (rule, cells) in enumerate(zip(plan.rules, state.cells, strict=True))
        if rule.monitor.stream is stream
    }
    decided = dict(zip(runs, run_detectors(list(runs.values())), strict=True))
    return [decided.get(index) for index in range(len(plan.rules))]


def _count(state: State, view: BlockView, ticks: int) -> State:
    """Update the counts that people see: all rows of each scope, counted by a cell or not."""
    upto = slice(ticks * view.block.rows)
    member, rows = with_model_scope(view.rows.member[upto]), view.rows
    faulty = member & (rows.fault[upto] != Fault.NONE)[:, None]
    repeated = np.isfinite(rows.self_disagree[upto])
    contradicted = repeated & (rows.self_disagree[upto] > 0)
    noise = np.stack([member[repeated].sum(axis=0), member[contradicted].sum(axis=0)], axis=1)
    counted = view.member[:ticks, :, 0].ravel() > 0
    return replace(
        state,
        compared=state.compared + member.sum(axis=0),
        disagreed=state.disagreed + member[rows.disagree[upto]].sum(axis=0),
        errors=state.errors + faulty.sum(axis=0),
        faulty=_latest_faulty(state, view, ticks),
        noise=state.noise + noise,
        sighted=last_sighted(state.sighted, int(state.compared[0]), member),
        repeats=_remember(state, view, upto),
        hosts=count_hosts(state.hosts, view.rows.take(upto), member),
        refused=count_refusals(state.refused, view.rows.take(upto), member),
        lag=_update_autocorrelation(state.lag, rows.disagree[upto][counted].astype(np.float64)),
    )


def _remember(state: State, view: BlockView, upto: slice) -> RepeatMemory:
    """Add judged rows to the memory of repeats."""
    retries, inputs = (int(mask[upto].sum()) for mask in (view.uncounted.retries, view.uncounted.inputs))
    return remember_rows(state.repeats, view.rows.take(upto), retries, inputs)


def _latest_faulty(state: State, view: BlockView, ticks: int) -> Bools:
    """Tell, per scope, whether the latest tick with rows of it had a fault, (S,)."""
    upto = slice(ticks * view.block.rows)
    member = with_model_scope(view.rows.member[upto]).reshape(ticks, view.block.rows, -1)
    faulty = member & (view.rows.fault[upto] != Fault.NONE).reshape(ticks, -1, 1)
    present, failed = np.asarray(member.any(axis=1)), np.asarray(faulty.any(axis=1))
    latest = ticks - 1 - present[::-1].argmax(axis=0)
    return np.asarray(np.where(present.any(axis=0), failed[latest, np.arange(present.shape[1])], state.faulty))


def _update_autocorrelation(lag: Autocorrelation, y: Floats) -> Autocorrelation:
    if not len(y):
        return lag
    before = np.concatenate([[lag.last], y[:-1]])
    return Autocorrelation(
        lag.pairs + len(y), lag.total + float(y.sum()), lag.products + float(before @ y), float(y[-1])
    )


def build_routes(plan: Plan, state: State) -> Routes:
    """Build the routes for the gateways: the scopes that the baseline answers.

    Under an advisory plan evidence moves no scope; an operator who holds a scope in safe mode does, and so does a state
    that could not be read. While the mode of a scope that the plan does not have is not mapped, its rows cannot be told
    from others: the whole model is safe.
    """
    modes = list(zip(plan.scopes, state.modes, strict=True))
    orphans = [(plan.scopes[0], record.mode) for record in state.retained.orphans.values()]
    moved = [scope for scope, mode in (*modes, *orphans) if mode.safe and (plan.armed or mode.held or mode.unread)]
    safe = list(dict.fromkeys(moved))
    states = {scope: mode.state.value for scope, mode in modes}
    unordered = {scope for scope, mode in (*modes, *orphans) if mode.safe and not mode.by_order}
    ordered = tuple(scope for scope in safe if scope not in unordered)
    return Routes(plan.model, state.epoch, tuple(safe), states, plan=plan.coverage, ordered=ordered)
