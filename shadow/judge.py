"""The judge: comparisons in, verdicts and modes out. It owns the monitors' state, and saves it with the place it
stands for.

What happened is saved before anybody is told: a judge that is killed between the two tells it again when it starts.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tightrope.monitors import watch
from tightrope.monitors.decide import Cause
from tightrope.monitors.plan import Plan, State, start
from tightrope.monitors.records import Event, Routes, Stream, Verdict
from tightrope.monitors.status import coverage, dependent, verdicts
from tightrope.service.adapters.ports import Bus, BusAwayError, NoPager, Pager, Place, Record, Store, insist
from tightrope.service.adapters.prometheus.catalogue import Part
from tightrope.service.adapters.prometheus.lag import Behind
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, JUDGES, LABELS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.alerts import standing
from tightrope.shadow.judge_round import Docket
from tightrope.shadow.label_replay import Recall

log = logging.getLogger(__name__)

POLL = 256
"""Records in one round."""

BUSY = 0.01
"""Seconds to wait for records while there is something else to do."""

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
    """Judges those models of ``bench.plans`` whose comparisons come here. `step` does one round; whoever runs it
    decides when to stop.

    A plan that is replaced on the bench is judged by from the next round on. Where others judge too, the models are
    dealt out by partition: whoever gets one goes on from its snapshot. Modes are told again every ``tell_every``
    seconds, so that gateways know that somebody judges.
    """

    def __init__(
        self,
        bus: Bus,
        store: Store,
        bench: Bench,
        metrics: Metrics,
        host: str,
        stopping: threading.Event,
        topics: Sequence[str] = (COMPARISONS, LABELS, CONTROL, EVENTS),
        tell_every: float = float("inf"),
        pager: Pager | None = None,
    ) -> None:
        self._bus = bus
        self._store = store
        self._bench = bench
        self._metrics = metrics
        self._host = host
        self._stopping = stopping
        self._pager = pager or NoPager()
        self._shown = 0.0
        self._unshown: set[str] = set()
        self._told = 0.0
        self._tell_every = tell_every
        self._expired = dict.fromkeys(bench.plans, float("-inf"))
        self._known: Mapping[str, Mapping[Place, int]] = {}
        self._unread: dict[str, str] = {}
        self._recalls: list[Recall] = []
        self._dealt = False
        self._records = bus.subscribe(*map(topic, topics), group=JUDGES, begin=self._begin)
        self._behind = Behind(metrics, JUDGES, self._records)
        self._open()

    def _begin(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Restore the models that are judged here from now on, and say from where their records are read."""
        where = {partition for name, partition in places if name == topic(COMPARISONS)}
        mine = [name for name in self._bench.plans if self._bus.partition(topic(COMPARISONS), name) in where]
        self._known = self._store.positions(self._bus.log, mine)
        self._unread.clear()
        self._recalls = [
            Recall(plan, self._store, time.time()) for plan in self._plans().values() if plan.label_horizon
        ]
        self._bench.states = {name: self._restore(self._bench.plans[name]) for name in mine}
        self._dealt = True
        every = [(place, offset) for known in self._known.values() for place, offset in known.items()]
        return {place: min(at for of, at in every if of == place) for place in dict(every) if place in places}

    def _open(self) -> None:
        """Once models were dealt out: go over to their plans of today, show them, and tell their modes."""
        if self._dealt:
            self._dealt = False
            self._redeploy(self._plans())
            self._unshown = {*self._known}
            self._metrics.mind(Part.JUDGE, self._known)
            self._show()
            self._pager.mind(self._known)
            self._tell_all()

    def _recall(self, plans: Mapping[str, Plan]) -> None:
        """A portion of what the judge before this one knew; no more at once, because there is work to do."""
        if self._recalls:
            docket = self._docket(plans)
            if not self._recalls[0].step(docket):
                self._recalls.pop(0)
            if docket.pending:
                self._settle(docket)

    def _plans(self) -> dict[str, Plan]:
        """Of the models that are judged here; one round goes by one plan each, whatever is deployed meanwhile."""
        return {name: self._bench.plans[name] for name in self._known}

    def _restore(self, plan: Plan) -> State:
        """Of a snapshot that cannot be read nothing is known: the model begins anew, with a number for its modes that
        every gateway takes for newer than what it has.
        """
        saved = self._store.snapshot(plan.model)
        if saved is None:
            return start(plan)
        try:
            return record_codec.decode_state(saved)
        except WireError as error:
            self._unread[plan.model] = f"its snapshot cannot be read: {error}"
            return replace(start(plan), epoch=int(time.time()))

    def step(self, timeout: float) -> int:
        """Judge what has arrived, waiting up to ``timeout`` seconds for it; returns the number of records."""
        records = self._records.poll(POLL, min(timeout, BUSY) if self._recalls else timeout)
        self._open()
        self._look()
        plans = self._plans()
        self._redeploy(plans)
        self._recall(plans)
        if not records:
            self._store.rest(self._records.mine)
            self._show()
            return 0
        docket = self._docket(plans)
        for record, error in docket.take([record for record in records if self._is_new(record)]):
            self._metrics.dead.labels(record.topic).inc()
            log.warning("%s, offset %d passed over: %s", record.topic, record.offset, error)
        self._settle(docket)
        self._records.commit()
        return len(records)

    def close(self) -> None:
        """Leave it to others, who know more of it from now on."""
        self._records.close()
        self._metrics.mind(Part.JUDGE, ())

    def _look(self) -> None:
        """What is due every now and then: how far behind this is, and that it is there."""
        self._behind.look()
        if time.monotonic() - self._told > self._tell_every:
            self._tell_all()

    def _docket(self, plans: Mapping[str, Plan]) -> Docket:
        return Docket(plans, self._bench.states, self._store, self._host)

    def _redeploy(self, plans: Mapping[str, Plan]) -> None:
        """Go over to the plans that are on the bench now, before any row of theirs is counted. Whose snapshot could not
        be read is answered by the baseline, until evidence says otherwise.
        """
        docket = self._docket(plans)
        for name, why in self._unread.items():
            log.error("%s: %s", name, why)
            docket.blind(plans[name], Cause(time.time(), reason=why))
        for name, plan in plans.items():
            if docket.states[name].digest != plan.digest:
                cause = Cause(time.time(), reason="another artefact or configuration")
                docket.deploy(plan, docket.states[name], cause)
        if any(docket.states[name] is not state for name, state in self._bench.states.items()):
            self._settle(docket)
            self._unread.clear()

    def _is_new(self, record: Record) -> bool:
        """Whether the snapshot of the record's model does not stand for it already."""
        known = self._known.get((record.key or "").partition("/")[0], {})
        return record.offset >= known.get((record.topic, record.partition), 0)

    def _settle(self, docket: Docket) -> None:
        """Save, then show, then tell."""
        if not self._records.mine():
            raise BusAwayError("another judge has taken over, or the log is away")
        expired = {name: self._expire(docket, plan) for name, plan in self._plans().items() if plan.label_horizon}
        before = self._bench.states
        changed = {name: state for name, state in docket.states.items() if state is not before[name]}
        snapshots = {name: record_codec.encode_state(state) for name, state in changed.items()}
        self._store.save(self._bus.log, docket.positions, snapshots, docket.events, docket.pending)
        self._expired |= expired
        self._bench.states = docket.states
        self._tell(docket.routes, docket.events)
        self._metrics.decided(docket.events)
        for name, rows in docket.repeated.items():
            self._metrics.repeated.labels(name).inc(rows)
        self._unshown |= changed.keys()
        if docket.routes or time.monotonic() - self._shown > SHOWN_EVERY:
            self._show()

    def _expire(self, docket: Docket, plan: Plan) -> float:
        return docket.expire(plan, time.time(), self._expired[plan.model])

    def _tell_all(self) -> None:
        self._told = time.monotonic()
        self._tell([watch.routes(plan, self._bench.states[name]) for name, plan in self._plans().items()], ())

    def _tell(self, routes: Sequence[Routes], events: Sequence[Event]) -> None:
        """The gateways first; then people, also of what came and went within one round."""
        for route in routes:
            insist(self._bus, topic(CONTROL), record_codec.encode_routes(route), route.model, self._stopping)
        for route in routes:
            self._pager.stand(route.model, standing(route, events))

    def _show(self) -> None:
        """What has changed since it was last shown."""
        for name in self._unshown:
            self._metrics.judge(name, self._bench.verdicts(name))
            self._metrics.learn(self._bench.states[name], name)
        self._unshown.clear()
        self._shown = time.monotonic()
