"""The judge: comparisons in, verdicts and modes out. It owns the monitors' state, and saves it with the place it
stands for.

What happened is saved before anybody is told: a judge that is killed between the two tells it again when it starts.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from monitors import decide, watch
from monitors.detector import BadObservationError
from monitors.plan import Plan, State, Transition, adopt, start
from monitors.records import Event, Order, Routes, Verdict
from service.adapters import wire
from service.adapters.metrics import Metrics
from service.adapters.ports import Bus, Record, Store, insist
from service.adapters.topics import COMPARISONS, CONTROL, EVENTS, JUDGES, topic

POLL = 256
"""Records in one round."""

SHOWN_EVERY = 1.0
"""Seconds between two updates of the verdicts' metrics."""


class Bench:
    """What the judgement has come to, for whoever wants to look; replaced whole after every round."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self.plans = plans
        self.states: Mapping[str, State] = {}

    def verdicts(self, model: str) -> Sequence[Verdict]:
        """What every monitor says of every scope now."""
        state = self.states.get(model)
        return watch.verdicts(self.plans[model], state) if state else []

    def progress(self, model: str) -> Mapping[str, object]:
        """How far the judgement of a model got: rows judged, rows of the open tick, rows of another artefact."""
        state = self.states.get(model) or start(self.plans[model])
        counts = zip(state.scopes, state.compared, state.disagreed, state.errors, strict=True)
        return {
            "seen": state.seen,
            "pending": 0 if state.pending is None else len(state.pending),
            "stale": state.stale,
            "scopes": {
                scope: {"compared": int(rows), "disagreed": int(others), "errors": int(errors)}
                for scope, rows, others, errors in counts
            },
        }


@dataclass
class _Round:
    """What one round changes, saved together or not at all."""

    states: dict[str, State]
    events: list[Event]
    routes: list[Routes]
    positions: dict[tuple[str, int], int]


class Judge:
    """Judges the models of ``bench.plans``. `step` does one round; whoever runs it decides when to stop."""

    def __init__(
        self, bus: Bus, store: Store, bench: Bench, metrics: Metrics, host: str, stopping: threading.Event
    ) -> None:
        self._bus = bus
        self._store = store
        self._bench = bench
        self._metrics = metrics
        self._host = host
        self._stopping = stopping
        self._shown = 0.0
        self._records = bus.subscribe(topic(COMPARISONS), topic(CONTROL), topic(EVENTS), group=JUDGES)
        for (name, partition), offset in store.positions(bus.log).items():
            self._records.seek(name, partition, offset)
        bench.states = {name: self._restore(plan) for name, plan in bench.plans.items()}
        self._tell(watch.routes(plan, bench.states[name]) for name, plan in bench.plans.items())

    def _restore(self, plan: Plan) -> State:
        saved = self._store.snapshot(plan.model)
        return start(plan) if saved is None else adopt(plan, wire.decode_state(saved))

    def step(self, timeout: float) -> int:
        """Judge what has arrived, waiting up to ``timeout`` seconds for it; returns the number of records."""
        records = self._records.poll(POLL, timeout)
        self._metrics.lag.labels(JUDGES).set(self._records.lag())
        if not records:
            return 0
        made = _Round(dict(self._bench.states), [], [], {})
        for record in records:
            made.positions[record.topic, record.partition] = record.offset + 1
            self._take(record, made)
        self._settle(made)
        self._records.commit()
        return len(records)

    def _take(self, record: Record, made: _Round) -> None:
        """One record; what cannot be read is counted and passed over."""
        try:
            schema = wire.schema_of(record.value)
            if schema == wire.COMPARISONS:
                self._judge(record, made)
            elif schema == wire.ORDER:
                self._obey(wire.decode_order(record.value), made)
            elif schema == wire.EVENT:
                made.events.append(wire.decode_event(record.value))
        except (wire.WireError, BadObservationError):
            self._metrics.dead.labels(record.topic).inc()

    def _judge(self, record: Record, made: _Round) -> None:
        batch = wire.decode_comparisons(record.value)
        plan = self._bench.plans.get(batch.model)
        if plan is None:
            raise wire.WireError(f"model: {batch.model!r} is not judged here")
        state, transitions = watch.step(plan, made.states[plan.model], batch)
        self._enter(plan, state, transitions, made)

    def _obey(self, order: Order, made: _Round) -> None:
        plan = self._bench.plans.get(order.model)
        if plan is None:
            raise wire.WireError(f"model: {order.model!r} is not judged here")
        try:
            state, transition = decide.order(plan, made.states[plan.model], order)
        except ValueError as error:
            made.events.append(
                _event(order.id, order.time, order.model, "order-refused", order.scope, order.actor, str(error))
            )
            return
        self._enter(plan, state, [transition], made, order.id)

    def _enter(
        self, plan: Plan, state: State, transitions: Sequence[Transition], made: _Round, order: str = ""
    ) -> None:
        """Note a new state, and what is to be told of it."""
        before = made.states[plan.model].epoch
        made.states[plan.model] = state
        for transition in transitions:
            made.events.append(self._entry(plan, state, transition, order))
            self._metrics.transitions.labels(plan.model, transition.scope, transition.what).inc()
        if order or state.epoch != before:
            made.routes.append(replace(watch.routes(plan, state), order=order))

    def _entry(self, plan: Plan, state: State, t: Transition, order: str) -> Event:
        detail = {
            "before": asdict(t.before),
            "after": asdict(t.after),
            "moved": t.moved,
            "host": self._host,
            **t.evidence,
        }
        identity = order or f"{plan.model}/{state.log}/{state.seen}/{t.scope}/{t.what}"
        return _event(identity, t.time, plan.model, t.what, t.scope, t.actor, t.reason, detail)

    def _settle(self, made: _Round) -> None:
        """Save, then show, then tell."""
        changed = {name: state for name, state in made.states.items() if state is not self._bench.states[name]}
        snapshots = {name: wire.encode_state(state) for name, state in changed.items()}
        self._store.save(self._bus.log, made.positions, snapshots, made.events)
        self._bench.states = made.states
        self._tell(made.routes)
        self._show(changed if made.routes or time.monotonic() - self._shown > SHOWN_EVERY else ())

    def _tell(self, routes: Iterable[Routes]) -> None:
        for route in routes:
            insist(self._bus, topic(CONTROL), wire.encode_routes(route), route.model, self._stopping)

    def _show(self, models: Iterable[str]) -> None:
        for name in models:
            self._metrics.judge(name, self._bench.verdicts(name))
            self._shown = time.monotonic()


def _event(
    identity: str,
    at: float,
    model: str,
    kind: str,
    scope: str,
    actor: str,
    reason: str,
    detail: Mapping[str, object] | None = None,
) -> Event:
    return Event(identity, at, model, str(kind), scope, actor, reason, detail or {})
