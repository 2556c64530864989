"""The judge: reads comparisons, labels, orders and events; publishes modes; owns the monitors' state.

The state of a model is saved together with the log position that it covers, and before anything is published. A judge
that is killed in between publishes the modes when it starts again.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from tightrope.monitors import watch
from tightrope.monitors.decide import Cause
from tightrope.monitors.migration import held_breaches
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Event, Routes
from tightrope.service.adapters.metrics_ports import JudgeMetrics
from tightrope.service.adapters.ports import (
    Bus,
    BusUnavailableError,
    LogPartition,
    NoPager,
    Pager,
    Record,
    Store,
    publish_blocking,
)
from tightrope.service.adapters.prometheus.lag import LagGauge
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, JUDGES_GROUP, LABELS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.alerts import active_alerts
from tightrope.shadow.heartbeat import Heart, poll_without_heartbeats
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.label_replay import LabelReplay
from tightrope.shadow.restoring.clock_jumps import ClockJumps
from tightrope.shadow.restoring.restore import Restorer

log = logging.getLogger(__name__)

JUDGE_POLL_RECORDS = 256
"""Records in one round."""

REPLAY_POLL_SECONDS = 0.01
"""Time to wait for records while a label replay is under way."""

METRICS_REFRESH_SECONDS = 1.0
"""Time between two updates of the verdicts' metrics."""


class Judge:
    """Judges the models of ``view.plans`` whose comparisons arrive here; each call of `step` does one round.

    A plan that is replaced in the view takes effect in the next round. Several judges share the models by partition; a
    judge that receives a partition continues from the models' snapshots. Modes are published again every
    ``heartbeat_seconds`` seconds, so that gateways know that a judge is alive.
    """

    def __init__(
        self,
        bus: Bus,
        store: Store,
        view: JudgementView,
        metrics: JudgeMetrics,
        host: str,
        stopping: threading.Event,
        topics: Sequence[str] = (COMPARISONS, LABELS, CONTROL, EVENTS),
        heartbeat_seconds: float = float("inf"),
        pager: Pager | None = None,
    ) -> None:
        self._bus = bus
        self._store = store
        self._view = view
        self._metrics = metrics
        self._host = host
        self._stopping = stopping
        self._pager = pager or NoPager()
        self._metrics_updated = 0.0
        self._outdated_metrics: set[str] = set()
        self._published = 0.0
        self._heartbeat_seconds = heartbeat_seconds
        self._expired = dict.fromkeys(view.plans, float("-inf"))
        self._positions: Mapping[str, Mapping[LogPartition, int]] = {}
        self._restorer = Restorer(store)
        self._clock_jumps = ClockJumps(time.monotonic)
        self._replays: list[LabelReplay] = []
        self._assigned = False
        self._heart = Heart(bus, metrics)
        self._records = bus.subscribe(*map(topic, topics), group=JUDGES_GROUP, start_offsets=self._assign)
        self._lag = LagGauge(metrics, JUDGES_GROUP, self._records)
        self._start_assigned()

    def _assign(self, partitions: Sequence[LogPartition]) -> Mapping[LogPartition, int]:
        """Restore the models of newly assigned partitions; returns the offsets from which their records are read."""
        numbers = {number for name, number in partitions if name == topic(COMPARISONS)}
        models = [name for name in self._view.plans if self._bus.partition(topic(COMPARISONS), name) in numbers]
        self._positions = self._store.positions(self._bus.log, models)
        self._restorer.forget()
        now = time.time()
        self._replays = [LabelReplay(plan, self._store, now) for plan in self._plans().values() if plan.label_horizon]
        self._view.states = {name: self._restorer.restore(self._view.plans[name], now) for name in models}
        self._assigned = True
        covered = [item for positions in self._positions.values() for item in positions.items()]
        return {
            partition: min(o for p, o in covered if p == partition)
            for partition in dict(covered)
            if partition in partitions
        }

    def _start_assigned(self) -> None:
        """After an assignment: deploy the current plans, update the metrics and the pager, and publish the modes."""
        if self._assigned:
            self._assigned = False
            self._redeploy(self._plans())
            self._outdated_metrics = {*self._positions}
            self._metrics.keep_judged_models(self._positions)
            self._update_metrics()
            self._pager.set_models(self._positions)
            self._publish_all()
            self._heart.beat(self._positions, at_once=True)  # gateways count from here, before the first row

    def _replay_labels(self, plans: Mapping[str, Plan]) -> None:
        """Replay one batch of old labels and rows; only one, because new records must not wait."""
        if self._replays:
            judge_round = self._new_round(plans)
            if not self._replays[0].step(judge_round):
                self._replays.pop(0)
            if judge_round.pending:
                self._finish(judge_round)

    def _plans(self) -> dict[str, Plan]:
        """The plans of the models that are judged here; each round uses one copy, so a deployment cannot change it."""
        return {name: self._view.plans[name] for name in self._positions}

    def step(self, timeout: float) -> int:
        """Judge the records that arrive within ``timeout`` seconds; returns their number.

        Raises:
            BusUnavailableError: when another judge has taken over, or the log is unreachable.
        """
        self._heart.beat(self._positions)
        wait = min(timeout, REPLAY_POLL_SECONDS) if self._replays else timeout
        records = poll_without_heartbeats(self._records, JUDGE_POLL_RECORDS, wait)
        self._start_assigned()
        self._lag.update()
        if time.monotonic() - self._published > self._heartbeat_seconds:
            self._publish_all()
        plans = self._plans()
        self._redeploy(plans)
        self._replay_labels(plans)
        if not records:
            self._store.flush_deferred(self._records.owns_partitions)
            self._update_metrics()
            return 0
        judge_round = self._new_round(plans)
        for record, error in judge_round.process([record for record in records if self._is_new(record)]):
            self._metrics.record_dead(record.topic)
            log.warning("%s, offset %d skipped: %s", record.topic, record.offset, error)
        judge_round.events += self._clock_jumps.events(judge_round.ahead, time.time())
        self._finish(judge_round)
        self._records.commit()
        return len(records)

    def close(self) -> None:
        """Leave the group, and drop the metrics of models that another judge takes over."""
        self._records.close()
        self._metrics.keep_judged_models(())

    def _new_round(self, plans: Mapping[str, Plan]) -> JudgeRound:
        return JudgeRound(plans, self._view.states, self._store, self._host, time.time())

    def _redeploy(self, plans: Mapping[str, Plan]) -> None:
        """Switch to plans that were replaced, before their rows are counted. Every scope of a model without a readable
        snapshot goes to safe mode until evidence or an operator brings it back.
        """
        judge_round = self._new_round(plans)
        self._restorer.add_events(judge_round, plans, self._bus.log, time.time())
        for name, plan in plans.items():
            state = judge_round.states[name]
            if state.digest != plan.digest or state.retained.settings != plan.settings:
                cause = Cause(time.time(), reason="another artefact or configuration")
                judge_round.deploy(plan, judge_round.states[name], cause)
        if any(judge_round.states[name] is not state for name, state in self._view.states.items()):
            self._finish(judge_round)
            self._restorer.forget()

    def _is_new(self, record: Record) -> bool:
        """Whether the record lies beyond the position that its model's snapshot covers."""
        positions = self._positions.get((record.key or "").partition("/")[0], {})
        return record.offset >= positions.get((record.topic, record.partition), 0)

    def _finish(self, judge_round: JudgeRound) -> None:
        """Save the round, then publish it, then update the metrics."""
        if not self._records.owns_partitions():
            raise BusUnavailableError("another judge has taken over, or the log is unreachable")
        now = time.time()
        expired = {
            name: judge_round.expire(plan, now, self._expired[name])
            for name, plan in self._plans().items()
            if plan.label_horizon and name not in self._restorer.fresh
        }
        before = self._view.states
        changed = {name: state for name, state in judge_round.states.items() if state is not before[name]}
        snapshots = {name: record_codec.encode_state(state) for name, state in changed.items()}
        self._store.save(self._bus.log, judge_round.positions, snapshots, judge_round.events, judge_round.pending)
        self._heart.count(before, changed)
        self._expired |= expired
        self._view.states = judge_round.states
        self._publish(judge_round.routes, judge_round.events)
        self._metrics.record_transitions(judge_round.events)
        for name, rows in judge_round.repeated.items():
            self._metrics.record_repeated(name, rows)
        self._outdated_metrics |= changed.keys()
        if judge_round.routes or time.monotonic() - self._metrics_updated > METRICS_REFRESH_SECONDS:
            self._update_metrics()

    def _publish_all(self) -> None:
        self._published = time.monotonic()
        self._publish([watch.build_routes(plan, self._view.states[name]) for name, plan in self._plans().items()], ())

    def _publish(self, routes: Sequence[Routes], events: Sequence[Event]) -> None:
        """Publish the modes to the gateways, then pass the alerts to the pager.

        All routes of a round go to the pager, so that an alert that came and went within it is sent, too.
        """
        for route in routes:
            publish_blocking(self._bus, topic(CONTROL), record_codec.encode_routes(route), route.model, self._stopping)
        for route in routes:
            held = held_breaches(self._view.states[route.model])
            self._pager.set_alerts(route.model, active_alerts(route, events, held))

    def _update_metrics(self) -> None:
        """Update the metrics of the models that have changed since the last update."""
        for name in self._outdated_metrics:
            self._metrics.set_verdicts(name, self._view.verdicts(name))
            self._metrics.set_label_figures(self._view.states[name], name)
            self._metrics.set_held_breaches(name, held_breaches(self._view.states[name]))
            self._metrics.set_state_unreadable(name, unread=any(mode.unread for mode in self._view.states[name].modes))
        self._outdated_metrics.clear()
        self._metrics_updated = time.monotonic()
