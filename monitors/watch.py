"""The judgement as one pure fold: comparisons in, verdicts and safe-mode transitions out.

Rows are counted in ticks of fixed size (or less, when event time moves on), so the state after a stream of rows
depends on the rows alone, not on how they were polled, and a restart in the middle changes nothing. Within a tick
modes are constant. Many ticks are looked at together; when one of them decides something, those after it are looked
at again under the new modes.

A cell counts the requests that its decision would move. Once a subgroup is in safe mode its requests leave every other
cell, because the compressed model no longer answers them; its own cells go on, in reverse shadow, to judge recovery.
Membership is known before the outcome, so the guarantee of the detectors stands.
"""

from dataclasses import replace

import numpy as np

from tightrope.monitors import latency
from tightrope.monitors.decide import Cause, blinded, decide, first_decision
from tightrope.monitors.detector_bank import Course, Run, courses
from tightrope.monitors.plan import Lag, Plan, State, Transition, Unanswered, is_blind
from tightrope.monitors.records import Bools, Comparisons, Fault, Floats, Routes, Stream, Traffic
from tightrope.monitors.ticks import View, next_block, whole


def step(
    plan: Plan, state: State, batch: Comparisons, stream: Stream = Stream.COMPARISONS
) -> tuple[State, list[Transition]]:
    """Fold a batch into the state. Comparisons that were counted before are passed over; labelled rows must come
    once.

    Raises:
        BadObservationError: when a sound row holds what no detector takes; at once, and not when its tick ends.
    """
    state, rows = _take_new(plan, state, batch, stream)
    for rule in plan.rules:
        if rule.question.stream is stream:
            valid, y = rule.question.observe(rows, len(rule.variants))
            rule.alarm.check(y[valid])
    if stream is Stream.COMPARISONS and plan.objective is not None:
        state = replace(state, latency=latency.take(plan.objective, state.latency, rows.time, rows.seconds))
    waiting = state.pending.get(stream)
    if waiting is not None:
        rows = waiting.join(rows)
    transitions: list[Transition] = []
    begin = 0
    while (block := next_block(plan, rows.time, begin)) is not None:
        part = rows.take(slice(block.begin, block.end))
        view = View.of(plan, state, part, block, state.seen[stream])
        state, ticks, made = _judge(plan, state, view, stream)
        transitions += made
        begin += ticks * block.rows
    return replace(state, pending={**state.pending, stream: rows.take(slice(begin, None))}), transitions


def hear(plan: Plan, state: State, note: Traffic) -> tuple[State, list[Transition]]:
    """A gateway's word that it kept requests. When none of them comes back compared, nobody knows whether the model
    is safe: it is blind, and what is blind is answered by the baseline.
    """
    known = state.unanswered
    # Notes come after the samples that they speak of: some of these are compared by now.
    if note.since <= known.answered:
        return state, []
    since = known.since if known.kept else note.since
    heard = replace(known, kept=known.kept + note.kept, since=since, until=max(known.until, note.time))
    state = replace(state, unanswered=heard)
    if not is_blind(plan, state) or state.modes[0].safe:
        return state, []
    reason = f"{heard.kept} requests kept in {heard.until - heard.since:.0f} s, and no comparison of any"
    return blinded(plan, state, Cause(heard.until, reason=reason))


def _take_new(plan: Plan, state: State, batch: Comparisons, stream: Stream) -> tuple[State, Comparisons]:
    """Only rows beyond the watermark of their partition, and only of the pair and scopes that the plan speaks of."""
    new = np.ones(len(batch), dtype=bool)
    pending = {name: replace(rows, log=batch.log) for name, rows in state.pending.items()}
    if stream is Stream.COMPARISONS:
        marks = dict(state.watermarks) if batch.log == state.log else {}
        for partition in np.unique(batch.partition):
            here = batch.partition == partition
            mark = marks.get(int(partition), -1)
            new &= ~here | (batch.offset > mark)
            marks[int(partition)] = max(mark, int(batch.offset[here].max()))
        state = replace(state, log=batch.log, watermarks=marks, pending=pending)
        if new.any():
            answered = max(state.unanswered.answered, float(batch.time[new].max()))
            state = replace(state, unanswered=Unanswered(answered=answered))
    ours = plan.covers(batch)
    if not ours:
        state = replace(state, stale=state.stale + int(new.sum()))
    rows = batch if ours and new.all() else batch.take(new) if ours else _none_of(plan, batch)
    return state, rows if rows.log == state.log else replace(rows, log=state.log)


def _none_of(plan: Plan, batch: Comparisons) -> Comparisons:
    """No rows, of the kind that the plan speaks of: they wait beside its own."""
    scopes = plan.scopes[1:]
    return replace(
        batch.take(slice(0, 0)),
        scopes=scopes,
        member=np.zeros((0, len(scopes)), dtype=bool),
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
    )


def _judge(plan: Plan, state: State, view: View, stream: Stream) -> tuple[State, int, list[Transition]]:
    """Judge a block as far as the first tick that decides something; returns how many ticks that were."""
    ran = _courses(plan, state, view, stream)
    ends = view.rows.time.reshape(view.block.ticks, -1)[:, -1]
    first = first_decision(plan, state, ran, ends)
    ticks = view.block.ticks if first is None else first + 1
    cells = [
        before if course is None else course.at(before, rule, ticks)
        for rule, before, course in zip(plan.rules, state.cells, ran, strict=True)
    ]
    state = replace(
        state, cells=tuple(cells), seen={**state.seen, stream: state.seen[stream] + ticks * view.block.rows}
    )
    if stream is Stream.COMPARISONS:
        state = _counted(state, view, ticks)
    if first is None:
        return state, ticks, []
    last = view.rows.take(slice(first * view.block.rows, ticks * view.block.rows))
    state, made = decide(plan, state, last)
    return state, ticks, made


def _courses(plan: Plan, state: State, view: View, stream: Stream) -> list[Course | None]:
    """What each monitor of this stream comes to in the block; None for those of another one."""
    normal = np.array([not mode.safe for mode in state.modes])
    trial = np.array([mode.trial for mode in state.modes])
    # While the model as a whole is safe, a subgroup in normal mode has nothing to decide.
    runs = {
        index: Run(
            rule, cells, view.tally(rule), np.where(normal, normal[0], ~cells.tripped), cells.tripped & ~normal, trial
        )
        for index, (rule, cells) in enumerate(zip(plan.rules, state.cells, strict=True))
        if rule.question.stream is stream
    }
    made = dict(zip(runs, courses(list(runs.values())), strict=True))
    return [made.get(index) for index in range(len(plan.rules))]


def _counted(state: State, view: View, ticks: int) -> State:
    """The counts that people look at, of every row whoever decides about it."""
    upto = slice(ticks * view.block.rows)
    member, rows = whole(view.rows.member[upto]), view.rows
    faulty = member & (rows.fault[upto] != Fault.NONE)[:, None]
    asked = np.isfinite(rows.self_disagree[upto])
    contradicted = asked & (rows.self_disagree[upto] > 0)
    noise = np.stack([member[asked].sum(axis=0), member[contradicted].sum(axis=0)], axis=1)
    counted = view.member[:ticks, :, 0].ravel() > 0
    return replace(
        state,
        compared=state.compared + member.sum(axis=0),
        disagreed=state.disagreed + member[rows.disagree[upto]].sum(axis=0),
        errors=state.errors + faulty.sum(axis=0),
        faulty=_latest(state, view, ticks),
        noise=state.noise + noise,
        lag=_lagged(state.lag, rows.disagree[upto][counted].astype(np.float64)),
    )


def _latest(state: State, view: View, ticks: int) -> Bools:
    """Whether the latest tick that had rows of a scope had any that could not be measured, (S,)."""
    upto = slice(ticks * view.block.rows)
    member = whole(view.rows.member[upto]).reshape(ticks, view.block.rows, -1)
    faulty = member & (view.rows.fault[upto] != Fault.NONE).reshape(ticks, -1, 1)
    had, last = np.asarray(member.any(axis=1)), np.asarray(faulty.any(axis=1))
    latest = ticks - 1 - had[::-1].argmax(axis=0)
    return np.asarray(np.where(had.any(axis=0), last[latest, np.arange(had.shape[1])], state.faulty))


def _lagged(lag: Lag, y: Floats) -> Lag:
    if not len(y):
        return lag
    before = np.concatenate([[lag.last], y[:-1]])
    return Lag(lag.pairs + len(y), lag.total + float(y.sum()), lag.products + float(before @ y), float(y[-1]))


def routes(plan: Plan, state: State) -> Routes:
    """Which scopes the baseline answers: what every gateway is told. Evidence moves nobody under an advisory plan; an
    operator who holds a scope in safe mode does.
    """
    modes = list(zip(plan.scopes, state.modes, strict=True))
    safe = [scope for scope, mode in modes if mode.safe and (plan.armed or mode.held)]
    states = {scope: mode.state.value for scope, mode in modes}
    return Routes(plan.model, state.epoch, tuple(safe), states)
