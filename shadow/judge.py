"""The judge: comparisons in, verdicts and modes out. It owns the monitors' state, and saves it with the place it
stands for.

What happened is saved before anybody is told: a judge that is killed between the two tells it again when it starts.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from monitors import watch
from monitors.decide import Cause
from monitors.findings import coverage, dependent, verdicts
from monitors.plan import Plan, State, start
from monitors.records import Routes, Stream, Verdict
from service.adapters import wire
from service.adapters.metrics import Metrics
from service.adapters.ports import Bus, Store, insist
from service.adapters.topics import COMPARISONS, CONTROL, EVENTS, JUDGES, LABELS, topic
from shadow.docket import Docket

log = logging.getLogger(__name__)

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
        return verdicts(self.plans[model], state) if state else []

    def progress(self, model: str) -> Mapping[str, object]:
        """How far the judgement of a model got: rows judged, rows of the open tick, rows of another artefact."""
        state = self.states.get(model) or start(self.plans[model])
        counts = zip(state.scopes, state.compared, state.disagreed, state.errors, strict=True)
        waiting = state.pending.get(Stream.COMPARISONS)
        return {
            "seen": state.seen[Stream.COMPARISONS],
            "pending": 0 if waiting is None else len(waiting),
            "stale": state.stale,
            "labels": dict(state.labels),
            "coverage": coverage(state),
            "autocorrelation": state.lag.correlation,
            "dependent": dependent(state),
            "noise": {"asked_twice": int(state.noise[0, 0]), "contradictions": int(state.noise[0, 1])},
            "scopes": {
                scope: {"compared": int(rows), "disagreed": int(others), "errors": int(errors)}
                for scope, rows, others, errors in counts
            },
        }


class Judge:
    """Judges the models of ``bench.plans``. `step` does one round; whoever runs it decides when to stop.

    A plan that is replaced on the bench is judged by from the next round on.
    """

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
        self._expired = dict.fromkeys(bench.plans, float("-inf"))
        self._records = bus.subscribe(*map(topic, (COMPARISONS, LABELS, CONTROL, EVENTS)), group=JUDGES)
        for (name, partition), offset in store.positions(bus.log).items():
            self._records.seek(name, partition, offset)
        bench.states = {name: self._restore(plan) for name, plan in bench.plans.items()}
        self._redeploy(dict(self._bench.plans))
        self._show(bench.plans)
        self._tell(watch.routes(plan, bench.states[name]) for name, plan in bench.plans.items())

    def _restore(self, plan: Plan) -> State:
        saved = self._store.snapshot(plan.model)
        return start(plan) if saved is None else wire.decode_state(saved)

    def step(self, timeout: float) -> int:
        """Judge what has arrived, waiting up to ``timeout`` seconds for it; returns the number of records."""
        records = self._records.poll(POLL, timeout)
        self._metrics.lag.labels(JUDGES).set(self._records.lag())
        plans = dict(self._bench.plans)  # one round goes by one plan, whatever is deployed meanwhile
        self._redeploy(plans)
        if not records:
            return 0
        docket = self._docket(plans)
        for record, error in docket.take(records):
            self._metrics.dead.labels(record.topic).inc()
            log.warning("%s, offset %d passed over: %s", record.topic, record.offset, error)
        self._settle(docket)
        self._records.commit()
        return len(records)

    def _docket(self, plans: Mapping[str, Plan]) -> Docket:
        return Docket(plans, self._bench.states, self._store, self._host)

    def _redeploy(self, plans: Mapping[str, Plan]) -> None:
        """Go over to the plans that are on the bench now, before any row of theirs is counted."""
        docket = self._docket(plans)
        for name, plan in plans.items():
            if docket.states[name].digest != plan.digest:
                cause = Cause(time.time(), reason="another artefact or configuration")
                docket.deploy(plan, docket.states[name], cause)
        if any(docket.states[name] is not state for name, state in self._bench.states.items()):
            self._settle(docket)

    def _settle(self, docket: Docket) -> None:
        """Save, then show, then tell."""
        expired = {name: self._expire(docket, plan) for name, plan in self._bench.plans.items() if plan.label_horizon}
        before = self._bench.states
        changed = {name: state for name, state in docket.states.items() if state is not before[name]}
        snapshots = {name: wire.encode_state(state) for name, state in changed.items()}
        self._store.save(self._bus.log, docket.positions, snapshots, docket.events, docket.pending)
        self._expired |= expired
        self._bench.states = docket.states
        self._tell(docket.routes)
        self._metrics.decided(docket.events)
        self._show(changed if docket.routes or time.monotonic() - self._shown > SHOWN_EVERY else ())

    def _expire(self, docket: Docket, plan: Plan) -> float:
        return docket.expire(plan, time.time(), self._expired[plan.model])

    def _tell(self, routes: Iterable[Routes]) -> None:
        for route in routes:
            insist(self._bus, topic(CONTROL), wire.encode_routes(route), route.model, self._stopping)

    def _show(self, models: Iterable[str]) -> None:
        for name in models:
            self._metrics.judge(name, self._bench.verdicts(name))
            self._metrics.learn(self._bench.states[name], name)
            self._shown = time.monotonic()
