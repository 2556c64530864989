"""The judgement as one pure fold: comparisons in, verdicts and safe-mode transitions out.

Rows are counted in ticks of fixed size (or less, when event time moves on), so the state after a stream of rows
depends on the rows alone, not on how they were polled, and a restart in the middle changes nothing. Within a tick
modes are constant.

A cell counts the requests that its decision would move. Once a subgroup is in safe mode its requests leave every other
cell, because the compressed model no longer answers them; its own cells go on, in reverse shadow, to judge recovery.
Membership is known before the outcome, so the guarantee of the detectors stands.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitors import cells as cell
from monitors import safemode
from monitors.cells import Tick, recent
from monitors.decide import LN10, decide
from monitors.plan import Plan, State, Transition
from monitors.records import Bools, Comparisons, Fault, Floats, Routes, Verdict
from monitors.safemode import Mode
from monitors.verdict import outcomes


def step(plan: Plan, state: State, batch: Comparisons) -> tuple[State, list[Transition]]:
    """Fold a batch of comparisons into the state. Rows that were counted before are passed over.

    Raises:
        BadObservationError: when a sound row holds what no detector takes; at once, and not when its tick ends.
    """
    state, rows = _take_new(plan, state, batch)
    for rule in plan.rules:
        valid, y = rule.question.observe(rows)
        rule.alarm.check(y[valid])
    if state.pending is not None:
        rows = state.pending.join(rows)
    transitions: list[Transition] = []
    begin = 0
    while (end := _tick_end(plan, rows.time, begin)) is not None:
        state, made = _tick(plan, state, rows.take(slice(begin, end)))
        transitions += made
        begin = end
    return replace(state, pending=rows.take(slice(begin, None))), transitions


def _take_new(plan: Plan, state: State, batch: Comparisons) -> tuple[State, Comparisons]:
    """Only rows beyond the watermark of their partition, and only of the pair and scopes that the plan speaks of."""
    marks = dict(state.watermarks) if batch.log == state.log else {}
    new = np.zeros(len(batch), dtype=bool)
    for partition in np.unique(batch.partition):
        here = batch.partition == partition
        mark = marks.get(int(partition), -1)
        new |= here & (batch.offset > mark)
        marks[int(partition)] = max(mark, int(batch.offset[here].max()))
    ours = (batch.baseline_digest, batch.compressed_digest) == (plan.baseline_digest, plan.compressed_digest)
    ours = ours and batch.scopes == plan.scopes[1:]
    pending = None if state.pending is None else replace(state.pending, log=batch.log)
    stale = state.stale + (0 if ours else int(new.sum()))
    state = replace(state, log=batch.log, watermarks=marks, stale=stale, pending=pending)
    return state, batch.take(new) if ours else _none_of(plan, batch)


def _none_of(plan: Plan, batch: Comparisons) -> Comparisons:
    scopes = plan.scopes[1:]
    return replace(batch.take(slice(0, 0)), scopes=scopes, member=np.zeros((0, len(scopes)), dtype=bool))


def _tick_end(plan: Plan, times: Floats, begin: int) -> int | None:
    """Where the tick that starts at ``begin`` ends, or None while it is open."""
    window = times[begin : begin + plan.tick_rows]
    if not len(window):
        return None
    late = np.flatnonzero(window - window[0] >= plan.tick_seconds)
    if len(late):
        return begin + int(late[0])
    return begin + plan.tick_rows if len(window) == plan.tick_rows else None


def _tick(plan: Plan, state: State, rows: Comparisons) -> tuple[State, list[Transition]]:
    member = np.concatenate([np.ones((len(rows), 1), dtype=bool), rows.member], axis=1)
    mine = counted(plan, state.modes, member, rows.draw)
    normal = np.array([not mode.safe for mode in state.modes])
    faulty = member & (rows.fault != Fault.NONE)[:, None]
    advanced = []
    for rule, cells in zip(plan.rules, state.cells, strict=True):
        valid, y = rule.question.observe(rows)
        tripped = cells.tripped & ~normal
        # While the model as a whole is safe, a subgroup in normal mode has nothing to decide.
        alarming = np.where(normal, normal[0], ~tripped)
        advanced.append(cell.advance(rule, cells, Tick(mine, valid, y, alarming, tripped)))
    state = replace(
        state,
        seen=state.seen + len(rows),
        compared=state.compared + member.sum(axis=0),
        disagreed=state.disagreed + (member & rows.disagree[:, None]).sum(axis=0),
        errors=state.errors + faulty.sum(axis=0),
        faulty=np.where(member.any(axis=0), faulty.any(axis=0), state.faulty),
        cells=tuple(advanced),
    )
    return decide(plan, state, rows)


def counted(plan: Plan, modes: Sequence[Mode], member: Bools, draw: Floats) -> Bools:
    """Which rows each scope's cells count, shape (n, S), from membership (n, S) and the rows' draws (n,)."""
    safe = np.array([mode.safe for mode in modes])
    saved = (member[:, 1:] & safe[1:]).any(axis=1)
    taken = saved[:, None] & ~safe
    taken[:, 0] = saved  # the return of the model as a whole would not move them either
    return np.asarray(member & ~taken & (draw[:, None] < plan.rates))


def verdicts(plan: Plan, state: State) -> list[Verdict]:
    """What every monitor says of every scope now, scope by scope, the model first."""
    by_monitor = [_of_monitor(plan, state, index) for index in range(len(plan.rules))]
    return [verdict for of_scope in zip(*by_monitor, strict=True) for verdict in of_scope]


def _of_monitor(plan: Plan, state: State, index: int) -> list[Verdict]:
    rule, cells = plan.rules[index], state.cells[index]
    evidence, recovery = rule.alarm.evidence(cells.log_mass) / LN10, rule.recovery.evidence(cells.recovery) / LN10
    threshold = plan.budget.threshold / LN10
    said = outcomes((evidence >= threshold) | cells.tripped, state.faulty, cells.count, rule.needed)
    return [
        Verdict(
            scope=scope,
            monitor=rule.question.name,
            outcome=said[s],
            count=int(cells.count[s]),
            needed=float(rule.needed[s]),
            mean=float(cells.total[s] / cells.count[s]) if cells.count[s] else None,
            recent=recent(cells, s)[1],
            limit=float(rule.limits[s]),
            evidence=float(evidence[s]),
            threshold=threshold,
            recovery=float(recovery[s]) if cells.tripped[s] else None,
            recovery_threshold=float(np.log10(safemode.recovery_samples(state.modes[s], plan.policy))),
            errors=int(state.errors[s]),
        )
        for s, scope in enumerate(plan.scopes)
    ]


def routes(plan: Plan, state: State) -> Routes:
    """Which scopes the baseline answers: what every gateway is told. An advisory plan moves nobody."""
    safe = [scope for scope, mode in zip(plan.scopes, state.modes, strict=True) if mode.safe]
    states = {scope: mode.state.value for scope, mode in zip(plan.scopes, state.modes, strict=True)}
    return Routes(plan.model, state.epoch, tuple(safe) if plan.armed else (), states)
