"""One round of the judge: applies records to the models' states, and collects changes that are saved all or none.

How it works. `process` takes records in log order and dispatches them by schema: comparisons and labels are evidence,
traffic notes feed the blindness check, orders change modes, events are copied to the audit trail.

- Consecutive comparisons with equal model, log, artefacts and scopes are judged as one batch, which is faster and gives
  the same result. If the batch fails, its records are judged one by one, so that only the bad record is skipped.
- A batch must not contain rows that were delivered before: `watch.step` recognises repeats by the offsets that were
  judged up to now, not within a batch. So a batch only grows by records whose offsets lie beyond it, per partition.
- A compared row waits in the store for its label, and an early label for its row. The store is as of the previous
  round, so each look-up is overlaid with this round's changes in ``pending``. Each pair is counted once.
- The caller saves ``positions``, ``states``, ``events`` and ``pending`` in one transaction, then publishes ``routes``.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tightrope.monitors import decide, watch
from tightrope.monitors.detector import BadObservationError
from tightrope.monitors.folding import inputs as fold_inputs
from tightrope.monitors.folding.fold import fold, fold_rows, note_sight
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Event, Order, Routes
from tightrope.monitors.scopes import with_other_scopes
from tightrope.monitors.watched_groups.orders import GROUP_ORDERS
from tightrope.monitors.watched_groups.plans import fitted_rows, judged_plan
from tightrope.service.adapters.ports import NO_RECORDER, JudgedInputs, Record, StepRecorder, Store
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.intake.batching import OpenBatch
from tightrope.shadow.intake.label_intake import LabelIntake
from tightrope.shadow.intake.order_replays import require_new
from tightrope.shadow.intake.published_routes import pass_epoch
from tightrope.shadow.intake.sample_ends import SampleEnds
from tightrope.shadow.output.encoded_states import EncodedStates
from tightrope.shadow.output.group_events import host_events, in_order, watched_event
from tightrope.shadow.plan_changes import change_events
from tightrope.shadow.restoring import clock_jumps
from tightrope.shadow.sight_events import state_events, transition_event

SKIPPED_ERRORS = (WireError, BadObservationError)
"""Errors for which a record is skipped."""


class JudgeRound(LabelIntake):
    """Applies records to the states of the models in ``plans``, and collects what there is to save and to publish.

    ``now`` is the wall clock in seconds since the epoch; a bus that has a clock overrides it. ``ahead`` collects the
    most seconds by which a time of a model lay in the future; ``sample_ends`` tells which samples exist, and
    ``recorder`` gets the steps of the fold once they are saved.
    """

    def __init__(
        self,
        plans: Mapping[str, Plan],
        states: Mapping[str, State],
        store: Store,
        host: str,
        now: float = math.inf,
        sample_ends: SampleEnds | None = None,
        recorder: StepRecorder = NO_RECORDER,
    ) -> None:
        super().__init__(states, store)
        self.ahead: dict[str, float] = {}
        self.events: list[Event] = []
        self._copied: set[str] = set()
        self.routes: list[Routes] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.repeated: Counter[str] = Counter()
        self.stale: Counter[tuple[str, str]] = Counter()
        self._plans, self._host, self.now = plans, host, now
        self._sample_ends, self._recorder = sample_ends, recorder

    def process(self, records: Sequence[Record]) -> Iterator[tuple[Record, Exception]]:
        """Apply records in order; yield each skipped one with the reason: it cannot be decoded, is about a model that
        is not judged here, or holds invalid numbers.
        """
        batch = OpenBatch()
        self._settle_times()
        for record in records:
            self.positions[record.topic, record.partition] = record.offset + 1
            try:
                schema = record_codec.schema_of(record.value)
                rows = self._comparisons(record) if schema == record_codec.COMPARISONS_SCHEMA else None
                if rows is not None and batch.add(record, rows):
                    continue
                yield from self._judge_all(batch.parts)
                batch = OpenBatch()
                if rows is None:
                    self._dispatch(schema, record)
                else:
                    batch.add(record, rows)
            except SKIPPED_ERRORS as error:
                yield record, error
        yield from self._judge_all(batch.parts)

    def own_events(self) -> list[Event]:
        """Return the events of this judge, without those of gateways that it copies."""
        return [event for event in self.events if event.id not in self._copied]

    def inputs(self, records: Sequence[Record], refused: Sequence[tuple[Record, Exception]]) -> JudgedInputs:
        """The records that were applied, of those given to `process`."""
        skipped = {record[:3] for record, _ in refused}
        return JudgedInputs(self.now, [record for record in records if record[:3] not in skipped])

    def save(self, log: str, before: Mapping[str, State], inputs: JudgedInputs | None) -> dict[str, State]:
        """Save the round of a log, or the ``inputs`` that led to it; returns the states that are not those before."""
        changed = {name: state for name, state in self.states.items() if state is not before[name]}
        self.events = [*self._store.redacted(self.events)]  # as pagers and metrics get them, too
        self._store.save(log, self.positions, EncodedStates(changed), self.events, self.pending, inputs)
        self.record(before)
        return changed

    def record(self, before: Mapping[str, State]) -> None:
        """Hand the steps of the round, which followed these states, to the recorder."""
        for name in dict.fromkeys(step.model for step in self.steps):
            own = [step for step in self.steps if step.model == name]
            self._recorder.note(self._plans[name], before[name], own)

    def _comparisons(self, record: Record) -> Comparisons:
        decoded = record_codec.decode_comparisons(record.value)
        plan = self._plan(decoded.model)
        batch = fitted_rows(plan, with_other_scopes(decoded, plan.declared), new=True)
        if self._sample_ends is not None:
            self._sample_ends.check(batch)
        return self._timed(batch, record)

    def _dispatch(self, schema: str, record: Record) -> None:
        if schema == record_codec.TRAFFIC_SCHEMA:
            decoded = record_codec.decode_traffic(record.value)
            note = self._timed(clock_jumps.note_with_log_time(decoded, record), record)
            plan = self._plan(note.model)
            self._fold(plan, fold_inputs.KeptRequests(note))
        elif schema == record_codec.LABELS_SCHEMA:
            labels = record_codec.decode_labels(record.value)
            timed = [self._timed(clock_jumps.with_log_time(label, record), record) for label in labels]
            self.add_labels(timed, vouched=record.genuine)
        elif schema == record_codec.ORDER_SCHEMA:
            order = record_codec.decode_order(record.value)
            require_new(order, record, self.states[self._plan(order.model).model].retained.orders)
            self._apply_order(self._timed(clock_jumps.with_log_time(order, record), record))
        elif schema == record_codec.ROUTES_SCHEMA:
            self._pass_epoch(record_codec.decode_routes(record.value), record.time or self.now)
        elif schema == record_codec.EVENT_SCHEMA:
            self._take_event(record_codec.decode_event(record.value), record.time or self.now)

    def _take_event(self, event: Event, now: float) -> None:
        """Copy an event to the audit trail; one of a gateway may tell that rows of a scope are missing."""
        plan, state = self._plan(event.model), self.states.get(event.model)
        self.events.append(event)
        self._copied.add(event.id)
        if state is not None and event.scope in plan.scopes:
            noted = note_sight(state, event, now)
            if noted is not state:
                self._keep(plan.model, fold_inputs.GatewayEvent(event, now), noted)

    def _pass_epoch(self, routes: Routes, now: float) -> None:
        if (plan := self._plans.get(routes.model)) is not None:
            state, event = pass_epoch(self.states[plan.model], routes, now)
            if event is not None:
                self.events.append(event)
                self._set_state(plan, fold_inputs.PassedEpoch(state.epoch), state, ())

    def _settle_times(self) -> None:
        """Bring stored times that lie in the future back to now: a clock was ahead when they were written."""
        for name, plan in self._plans.items():
            state, ahead = watch.settle_times(plan, self.states[name], self.now)
            if ahead > clock_jumps.CLOCK_TOLERANCE_SECONDS:
                self._keep(name, fold_inputs.ClockReading(self.now), state)
                self.ahead[name] = max(ahead, self.ahead.get(name, 0.0))

    def _timed(self, item: clock_jumps.Timed, record: Record) -> clock_jumps.Timed:
        """A record's content with times no later than the log's clock, or the wall clock if the log has none."""
        timed, ahead = clock_jumps.at_most_now(item, record.time or self.now)
        if ahead and item.model in self._plans:
            self.ahead[item.model] = max(ahead, self.ahead.get(item.model, 0.0))
        return timed

    def deploy(self, plan: Plan, old: State, cause: decide.Cause) -> None:
        """Judge the model by another plan from now on."""
        item = fold_inputs.NewPlan(plan, cause)
        plan, self.states[plan.model] = judged_plan(plan, old), old
        state, transitions = fold(plan, old, item)
        self.events += change_events(plan, old, state, cause.time, self._host)
        self._set_state(plan, item, state, transitions)

    def enter_unreadable(self, plan: Plan, cause: decide.Cause) -> None:
        """Move every scope to safe mode, because the model's state is unknown."""
        plan = self._plan(plan.model)
        self._fold(plan, fold_inputs.UnreadableState(cause))

    def _plan(self, model: str) -> Plan:
        plan = self._plans.get(model)
        if plan is None:
            raise WireError(f"model: {model!r} is not judged here")
        return judged_plan(plan, self.states[model]) if model in self.states else plan

    def _judge_all(self, batches: list[tuple[Record, Comparisons]]) -> Iterator[tuple[Record, Exception]]:
        """Judge the batches as one, or one by one if that fails; yields the skipped records."""
        parts, separate = [batch for _, batch in batches], len(batches) == 1
        try:
            if not separate and parts:
                self._judge(parts[0].join(*parts[1:]), batches[-1][0])
        except SKIPPED_ERRORS:
            separate = True
        for record, batch in batches if separate else ():
            try:
                self._judge(batch, record)
            except SKIPPED_ERRORS as error:
                yield record, error

    def _judge(self, batch: Comparisons, last: Record) -> None:
        plan = self._plan(batch.model)
        before = self.states[plan.model]
        item = fold_inputs.ComparedRows(batch, last.time)
        state, transitions, held = fold_rows(plan, before, item)
        new, stale = state.rows_received - before.rows_received, state.stale - before.stale
        if stale:
            self.stale[plan.model, plan.refusal(batch)] += stale
        self._set_state(plan, item, state, transitions)
        self.repeated[plan.model] += len(batch) - new
        if plan.label_horizon:
            self._await_labels(plan, held)

    def _apply_order(self, order: Order) -> None:
        plan = self._plan(order.model)
        before, item = self.states[plan.model], fold_inputs.GivenOrder(order)
        try:
            state, transitions = fold(plan, before, item)
        except ValueError as error:
            refusal = Event(order.id, order.time, order.model, "order-refused", order.scope, order.actor, str(error))
            self.events.append(refusal)
            return
        if order.order in GROUP_ORDERS:
            self.events.append(watched_event(plan, before, state, order))
        self._set_state(plan, item, state, transitions)

    def _fold(self, plan: Plan, item: fold_inputs.FoldInput) -> None:
        self._set_state(plan, item, *fold(plan, self.states[plan.model], item))

    def _set_state(
        self, plan: Plan, item: fold_inputs.FoldInput, state: State, transitions: Sequence[Transition]
    ) -> None:
        """Replace a model's state by the one after an input, and collect the events and routes that follow from it."""
        plan, before = judged_plan(plan, state), self.states[plan.model]
        order = item.order.id if isinstance(item, fold_inputs.GivenOrder) else ""
        self._keep(plan.model, item, state, transitions)
        moves = [transition_event(plan, transition, order, self._host) for transition in transitions]
        self.events += in_order(moves, host_events(plan, before, state))
        self.events += state_events(plan, before, state)
        if order or state.epoch != before.epoch:
            self.routes.append(replace(watch.build_routes(plan, state), order=order))
