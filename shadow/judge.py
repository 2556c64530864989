"""The judge: reads comparisons, labels, orders and events; publishes modes; owns the monitors' state.

The state of a model is saved together with the log position that it covers, and before anything is published. A judge
that is killed in between publishes the modes when it starts again.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from tightrope.monitors.decide import Cause
from tightrope.monitors.plan import Plan
from tightrope.service.adapters.dead_letters import is_records_fault
from tightrope.service.adapters.metrics_ports import JudgeMetrics
from tightrope.service.adapters.ports import (
    NO_RECORDER,
    Bus,
    BusUnavailableError,
    JudgedInputs,
    LabelKeeper,
    LogPartition,
    NoLabelKeeper,
    NoPager,
    Pager,
    Record,
    StepRecorder,
    Store,
    require_generation,
)
from tightrope.service.adapters.prometheus.lag import LagGauge
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, JUDGES_GROUP, LABELS, POSITION_TOPICS, topic
from tightrope.shadow.heartbeat import Heart
from tightrope.shadow.intake.gathering import GatheredPolls, is_new
from tightrope.shadow.intake.halving import apply_others
from tightrope.shadow.intake.label_expiry import LabelExpiry
from tightrope.shadow.intake.refusal_log import RefusalLog
from tightrope.shadow.intake.sample_ends import SampleEnds
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.label_replay import LabelReplay
from tightrope.shadow.output.judgement_metrics import JudgementMetrics, record_uncounted
from tightrope.shadow.output.mode_publisher import ModePublisher
from tightrope.shadow.plan_changes import is_changed
from tightrope.shadow.restoring.clock_jumps import ClockJumps
from tightrope.shadow.restoring.restore import Restorer
from tightrope.shadow.resuming.rejudgement import rejudge

log = logging.getLogger(__name__)

REBALANCE_SECONDS = 10.0
"""Time for which a judge waits for the end of a rebalance before it gives up its membership."""

NOT_OWNED = "another judge has taken over, or the log is unreachable"


class Judge:
    """Judges the models of ``view.plans`` whose comparisons arrive here; each call of `step` does one round.

    A plan that is replaced in the view takes effect in the next round. Several judges share the models by partition; a
    judge that receives a partition continues from the models' snapshots. Modes are published again every
    ``heartbeat_seconds`` seconds, so that gateways know that a judge is alive, unless ``is_failing`` says that its
    starts fail again and again: then it keeps silent until it has judged and saved records.
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
        is_failing: Callable[[], bool] = lambda: False,
        recorder: StepRecorder = NO_RECORDER,
        labels: LabelKeeper | None = None,
    ) -> None:
        self._bus, self._store = bus, store
        self._view, self._metrics = view, metrics
        self._host, self._stopping = host, stopping
        self._pager, self._recorder, self._label_keeper = pager or NoPager(), recorder, labels or NoLabelKeeper()
        self._is_failing, self._has_judged = is_failing, False
        self._figures = JudgementMetrics(metrics, view)
        self._modes = ModePublisher(bus, view, self._pager, stopping, heartbeat_seconds, self._is_silent)
        self._expiry, self._sample_ends = LabelExpiry(store), SampleEnds(bus)
        self._positions: Mapping[str, Mapping[LogPartition, int]] = {}
        self._restorer = Restorer(store, lambda plan, state: rejudge(store, host, plan, state, recorder))
        self._clock_jumps = ClockJumps(time.monotonic)
        self._refusals = RefusalLog(bus, metrics, stopping, time.monotonic)
        self._replays: list[LabelReplay] = []
        self._assigned: float | None = None
        self._generation = bus.generation(*POSITION_TOPICS)
        self._heart = Heart(bus, metrics)
        self._records = bus.subscribe(*map(topic, topics), group=JUDGES_GROUP, start_offsets=self._assign)
        self._polls = GatheredPolls(self._records, stopping)
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
        self._assigned = time.monotonic()
        self._generation = self._bus.generation(*POSITION_TOPICS)
        covered = [item for positions in self._positions.values() for item in positions.items()]
        return {
            partition: min(o for p, o in covered if p == partition)
            for partition in dict(covered)
            if partition in partitions
        }

    def _start_assigned(self) -> bool:
        """After an assignment: deploy the current plans, update the metrics and the pager, and publish the modes.

        False while the group is being rebalanced again: another judge may get these models.
        """
        if self._assigned is not None:
            if not self._records.owns_partitions():
                if time.monotonic() - self._assigned > REBALANCE_SECONDS:
                    raise BusUnavailableError(NOT_OWNED)
                return False
            self._assigned = None
            self._redeploy(self._plans())
            self._figures.restart(self._positions)
            self._pager.set_models(self._positions)
            self._modes.repeat(self._plans(), at_once=True)
            if not self._is_silent():
                self._heart.beat(self._plans(), at_once=True)  # gateways count from here, before the first row
        return True

    def _replay_labels(self, plans: Mapping[str, Plan]) -> None:
        """Replay one batch of old labels and rows; only one, because new records must not wait."""
        if self._replays:
            before, judge_round = self._view.states, self._new_round(plans)
            try:
                if not self._replays[0].step(judge_round):
                    self._replays.pop(0)
                if judge_round.pending:
                    self._finish(judge_round)
            except Exception as error:
                if self._view.states is not before or not is_records_fault(error):
                    raise
                log.exception("old rows and labels cannot be restored: labels of these rows will be unknown")

    def _expire(self, plans: Mapping[str, Plan]) -> None:
        """Give up one portion of the rows and labels that waited too long."""
        if self._expiry.add_portion(judge_round := self._new_round(plans), plans, time.time()):
            self._finish(judge_round)

    def _plans(self) -> dict[str, Plan]:
        """The plans of the models that are judged here; each round uses one copy, so a deployment cannot change it."""
        return {name: self._view.plans[name] for name in self._positions}

    def step(self, timeout: float) -> int:
        """Judge the records that arrive within ``timeout`` seconds; returns their number.

        Raises:
            BusUnavailableError: when another judge has taken over, or the log is unreachable.
        """
        require_generation(self._bus, self._generation, *POSITION_TOPICS)
        if self._assigned is None and not self._is_silent():
            self._heart.beat(self._plans())
        records = self._polls.poll(timeout, has_work=bool(self._replays) or self._expiry.has_more)
        if not self._start_assigned():
            for record in reversed(records):
                self._records.seek(record.topic, record.partition, record.offset)
            return 0
        self._lag.update()
        plans = self._plans()
        self._modes.repeat(plans)
        self._redeploy(plans)
        self._replay_labels(plans)
        if records:
            self._take(plans, [record for record in records if is_new(record, self._positions)])
        self._expire(plans)
        if not records:
            self._store.flush_deferred(self._records.owns_partitions)
            self._figures.refresh()
            return 0
        self._records.commit()
        self._has_judged = True
        return len(records)

    def _take(self, plans: Mapping[str, Plan], records: Sequence[Record]) -> None:
        """Judge records in one round. If it fails on some of them, they are refused and the others are judged."""
        before, judge_round = self._view.states, self._new_round(plans)
        refused: Sequence[tuple[Record, Exception]] = ()
        try:
            refused = list(judge_round.process(records))
            self._complete(judge_round, refused, judge_round.inputs(records, refused))
        except Exception as error:
            if self._view.states is not before:  # it was saved: the failure came later
                raise
            judge_round, left_out = apply_others(self._new_round(plans), records, error)
            self._complete(judge_round, [item for item in left_out if item[0] not in [record for record, _ in refused]])

    def _complete(
        self, judge_round: JudgeRound, refused: Sequence[tuple[Record, Exception]], inputs: JudgedInputs | None = None
    ) -> None:
        judge_round.events += self._refusals.refuse(refused, self._positions, time.time())
        judge_round.events += self._clock_jumps.events(judge_round.ahead, time.time())
        self._finish(judge_round, inputs)

    def close(self) -> None:
        """Leave the group, and drop the metrics of models that another judge takes over."""
        self._records.close()
        self._metrics.keep_judged_models(())

    def _is_silent(self) -> bool:
        """Whether its starts fail again and again, and this one has judged nothing yet."""
        return self._is_failing() and not self._has_judged

    def _new_round(self, plans: Mapping[str, Plan]) -> JudgeRound:
        states, now = self._view.states, time.time()
        return JudgeRound(plans, states, self._store, self._host, now, self._sample_ends, self._recorder)

    def _redeploy(self, plans: Mapping[str, Plan]) -> None:
        """Switch to plans that were replaced, before their rows are counted. Every scope of a model without a readable
        snapshot goes to safe mode until evidence or an operator brings it back.
        """
        judge_round = self._new_round(plans)
        self._restorer.add_events(judge_round, plans, self._bus.log, time.time())
        for name, plan in plans.items():
            if is_changed(plan, judge_round.states[name]):
                cause = Cause(time.time(), reason="another artefact or configuration")
                judge_round.deploy(plan, judge_round.states[name], cause)
        if any(judge_round.states[name] is not state for name, state in self._view.states.items()):
            self._finish(judge_round)
            for reset in self._restorer.log_resets:
                self._metrics.record_log_reset(reset.topic, reset.cause)
            self._restorer.forget()

    def _finish(self, judge_round: JudgeRound, inputs: JudgedInputs | None = None) -> None:
        """Save the round, or the ``inputs`` that led to it; then publish it, then update the metrics."""
        if not self._records.owns_partitions():
            raise BusUnavailableError(NOT_OWNED)
        before = self._view.states
        changed = judge_round.save(self._bus.log, before, inputs)
        self._heart.count(before, changed)
        self._view.states = judge_round.states
        self._label_keeper.keep_labels(judge_round.labels)
        self._modes.publish(judge_round.routes, judge_round.events)
        self._view.report(judge_round.own_events())
        record_uncounted(self._metrics, judge_round.repeated, judge_round.stale)
        # The figures come first: an added scope has series then.
        self._figures.mark(changed.keys(), at_once=bool(judge_round.routes or judge_round.events))
        self._metrics.record_transitions(judge_round.events)
