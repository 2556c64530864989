"""One round of the judge: what arrived, and what it changes. Saved together, or not at all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import asdict, replace
from typing import TypeVar

import numpy as np

from tightrope.monitors import decide, watch
from tightrope.monitors.detector import BadObservationError
from tightrope.monitors.label_join import Key, holdings, join, labelled
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Event, Held, Ints, Label, Order, Routes, Stream, Traffic
from tightrope.service.adapters.ports import Changes, Record, Store
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

EXPIRY_STEP = 0.01
"""How far event time moves, as a share of the horizon, before waiting labels and rows are looked through again."""


MOST_ROWS = 8192
"""Rows that are judged as one batch."""

PASSED_OVER = (WireError, BadObservationError)

Dated = TypeVar("Dated", Label, Order, Traffic)


class Docket:
    """Takes records, and collects the states, events, routes, positions and waiting rows that come of them."""

    def __init__(self, plans: Mapping[str, Plan], states: Mapping[str, State], store: Store, host: str) -> None:
        self.states = dict(states)
        self.events: list[Event] = []
        self.routes: list[Routes] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.pending: dict[str, Changes] = {}
        self.repeated: Counter[str] = Counter()
        self._plans = plans
        self._store = store
        self._host = host

    def take(self, records: Sequence[Record]) -> Iterator[tuple[Record, Exception]]:
        """Records in their order; yields those that are passed over, with the reason: they cannot be read, speak of a
        model that is not judged here, or hold numbers that cannot be counted.

        Neighbouring comparisons of one kind are judged as one batch: that comes to the same, and is quicker.
        """
        waiting: list[tuple[Record, Comparisons]] = []
        ends: dict[int, int] = {}
        for record in records:
            self.positions[record.topic, record.partition] = record.offset + 1
            try:
                schema = record_codec.schema_of(record.value)
                batch = record_codec.decode_comparisons(record.value) if schema == record_codec.COMPARISONS else None
                if waiting and (batch is None or not _fits(waiting, ends, batch)):
                    yield from self._judge_all(waiting)
                    ends.clear()
                if batch is None:
                    self._take(schema, record)
                else:
                    waiting.append((record, batch))
                    ends |= {partition: int(offsets.max()) for partition, offsets in _offsets(batch)}
            except PASSED_OVER as error:
                yield record, error
        yield from self._judge_all(waiting)

    def _take(self, schema: str, record: Record) -> None:
        if schema == record_codec.TRAFFIC:
            note = _noted(record_codec.decode_traffic(record.value), record)
            plan = self._plan(note.model)
            self._enter(plan, *watch.hear(plan, self.states[plan.model], note))
        elif schema == record_codec.LABELS:
            self.learn([timed(label, record) for label in record_codec.decode_labels(record.value)])
        elif schema == record_codec.ORDER:
            self._obey(timed(record_codec.decode_order(record.value), record))
        elif schema == record_codec.EVENT:
            self.events.append(record_codec.decode_event(record.value))

    def deploy(self, plan: Plan, old: State, cause: decide.Cause) -> None:
        """Judge by another plan from now on."""
        state, transitions = decide.deploy(plan, old, cause)
        self.states[plan.model] = old
        self._enter(plan, state, transitions)

    def blind(self, plan: Plan, cause: decide.Cause) -> None:
        """Nobody knows any more whether this model is safe."""
        self._enter(plan, *decide.blinded(plan, self.states[plan.model], cause))

    def _plan(self, model: str) -> Plan:
        plan = self._plans.get(model)
        if plan is None:
            raise WireError(f"model: {model!r} is not judged here")
        return plan

    def _judge_all(self, waiting: list[tuple[Record, Comparisons]]) -> Iterator[tuple[Record, Exception]]:
        """As one batch; or, where that has something bad in it, one by one, so that only the bad one is passed over."""
        batches, apart = [batch for _, batch in waiting], len(waiting) == 1
        try:
            if not apart and batches:
                self._judge(batches[0].join(*batches[1:]), waiting[-1][0])
        except PASSED_OVER:
            apart = True
        for record, batch in waiting if apart else ():
            try:
                self._judge(batch, record)
            except PASSED_OVER as error:
                yield record, error
        waiting.clear()

    def _judge(self, batch: Comparisons, last: Record) -> None:
        plan = self._plan(batch.model)
        before = self.states[plan.model]
        state, transitions = watch.step(plan, before, batch)
        new = _taken(state) - _taken(before)
        if new:  # what was asked before these came is answered, whatever the gateways' clocks say
            answered = max(state.unanswered.answered, last.time)
            state = replace(state, unanswered=replace(state.unanswered, answered=answered))
        self._enter(plan, state, transitions)
        self.repeated[plan.model] += len(batch) - new
        if plan.label_horizon:
            self._hold(plan, holdings(plan, batch))

    def _obey(self, order: Order) -> None:
        plan = self._plan(order.model)
        try:
            state, transition = decide.order(plan, self.states[plan.model], order)
        except ValueError as error:
            self.events.append(
                Event(order.id, order.time, order.model, "order-refused", order.scope, order.actor, str(error))
            )
            return
        self._enter(plan, state, [transition], order.id)

    def remember(self, plan: Plan, batch: Comparisons, known: MutableMapping[Key, Label], since: float) -> None:
        """Rows that were counted before. Those that have their label among ``known`` use it up; those from ``since`` on
        are held as the others are.
        """
        rows = list(holdings(plan, batch))
        joined = {row.key for row in rows if known.pop(row.key, None) is not None}
        self._hold(plan, [replace(row, joined=row.key in joined) for row in rows if row.time >= since])

    def _hold(self, plan: Plan, rows: Iterable[Held]) -> None:
        """Sound rows wait for their labels; some labels were here first."""
        change = self.pending.setdefault(plan.model, Changes())
        held = {row.key: row for row in rows if row.key not in change.held}
        change.held |= held
        waiting = self._store.waiting(plan.model, list(held)) | {k: v for k, v in change.waiting.items() if k in held}
        early = [label for key, label in waiting.items() if key not in change.matched]
        change.matched |= set(waiting)
        for key in waiting:
            change.waiting.pop(key, None)
        found = join(early, held, {})
        self._count(plan, duplicate=found.duplicates)
        self._join(plan, found.rows)

    def learn(self, labels: Sequence[Label]) -> None:
        """The truth of some rows: it is joined to them, or waits for them."""
        for model in dict.fromkeys(label.model for label in labels):
            plan = self._plan(model)
            mine = [label for label in labels if label.model == model]
            change = self.pending.setdefault(model, Changes())
            keys = [(label.request_id, label.row) for label in mine]
            known = {key: change.held[key] for key in keys if key in change.held} | self._store.held(model, keys)
            held = {key: replace(row, joined=row.joined or key in change.joined) for key, row in known.items()}
            joined = join(mine, held, self._store.waiting(model, keys) | change.waiting)
            change.waiting |= {(label.request_id, label.row): label for label in joined.waiting}
            self._count(plan, duplicate=joined.duplicates)
            self._join(plan, joined.rows)

    def _join(self, plan: Plan, rows: Sequence[tuple[Held, Label]]) -> None:
        """Rows whose truth is known now; those of another plan say nothing of this one."""
        change = self.pending[plan.model]
        change.joined |= {row.key for row, _ in rows}
        ours = [(row, label) for row, label in rows if row.digest == plan.digest]
        self._count(plan, joined=len(ours), stale=len(rows) - len(ours))
        if ours:
            state = self.states[plan.model]
            self._enter(plan, *watch.step(plan, state, labelled(plan, state.log, ours), Stream.LABELS))

    def expire(self, plan: Plan, now: float, last: float) -> float:
        """Give up what has waited for longer than the horizon; returns the event time up to which that was done."""
        before = now - plan.label_horizon
        if before - last < EXPIRY_STEP * plan.label_horizon:
            return last
        change = self.pending.setdefault(plan.model, Changes())
        rows, labels = self._store.overdue(plan.model, before)
        # What found its other half in this round is on file as waiting still.
        rows -= sum(row.time < before for row in self._store.held(plan.model, list(change.joined)).values())
        labels -= sum(label.time < before for label in self._store.waiting(plan.model, list(change.matched)).values())
        change.before = before
        self._count(plan, expired=rows, unknown=labels)
        return before

    def _count(self, plan: Plan, **more: int) -> None:
        state = self.states[plan.model]
        counts = {name: state.labels.get(name, 0) + more.get(name, 0) for name in {*state.labels, *more}}
        if any(more.values()):
            self.states[plan.model] = replace(state, labels=counts)

    def _enter(self, plan: Plan, state: State, transitions: Sequence[Transition], order: str = "") -> None:
        """Note a new state, and what is to be told of it."""
        before = self.states[plan.model]
        self.states[plan.model] = state
        self.events += [self._entry(plan, transition, order) for transition in transitions]
        if before.latency.breached != state.latency.breached:
            self.events.append(_slow(plan, state))
        if order or state.epoch != before.epoch:
            self.routes.append(replace(watch.routes(plan, state), order=order))

    def _entry(self, plan: Plan, t: Transition, order: str) -> Event:
        detail = {
            "before": asdict(t.before),
            "after": asdict(t.after),
            "moved": t.moved,
            "host": self._host,
            **t.evidence,
        }
        place = f"{t.evidence['log']}/{t.evidence['samples']}/{t.evidence['labels']}"
        identity = order or f"{plan.model}/{place}/{t.scope}/{t.what}/{t.time}"
        return Event(identity, t.time, plan.model, str(t.what), t.scope, t.actor, t.reason, detail)


def _fits(waiting: Sequence[tuple[Record, Comparisons]], ends: Mapping[int, int], batch: Comparisons) -> bool:
    """Whether one more batch may join those that wait and that go as far as ``ends``. One with rows that were delivered
    before may not: that they are old is told by what was judged, and not within a batch.
    """
    rows = sum(len(other) for _, other in waiting) + len(batch)
    beyond = all(offsets.min() > ends.get(partition, -1) for partition, offsets in _offsets(batch))
    return waiting[0][1].kind == batch.kind and rows <= MOST_ROWS and beyond


def _offsets(batch: Comparisons) -> list[tuple[int, Ints]]:
    """Those of each partition."""
    return [(int(one), batch.offset[batch.partition == one]) for one in np.unique(batch.partition)]


def timed(item: Dated, record: Record) -> Dated:
    """Of the moment in which the log took it, where the log has a clock: that of whoever wrote it may be wrong."""
    return replace(item, time=record.time) if record.time else item


def _noted(note: Traffic, record: Record) -> Traffic:
    """The same note by the log's clock."""
    return timed(replace(note, since=note.since + record.time - note.time), record) if record.time else note


def _taken(state: State) -> int:
    """Rows that were taken, each once, whatever became of them."""
    pending = state.pending.get(Stream.COMPARISONS)
    return state.seen[Stream.COMPARISONS] + (0 if pending is None else len(pending)) + state.stale


def _slow(plan: Plan, state: State) -> Event:
    """The latency objective is broken, or met again: told, and nobody is moved."""
    kind = "latency-breach" if state.latency.breached else "latency-met"
    objective = plan.objective
    reason = f"more than {objective.limit:.2%} of answers took over {objective.seconds:g} s" if objective else ""
    at = state.latency.block * (objective.block if objective else 0.0)
    return Event(f"{plan.model}/latency/{state.latency.closed}", at, plan.model, kind, "model", "judge", reason)
