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
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace

import numpy as np

from tightrope.monitors import decide, watch
from tightrope.monitors.detector import BadObservationError
from tightrope.monitors.elapsed import not_after
from tightrope.monitors.label_join import labelled_comparisons, match_labels, rows_awaiting_labels
from tightrope.monitors.label_records import Label, PendingRow, RowKey
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Event, Order, Routes, Stream
from tightrope.service.adapters.ports import PendingChanges, Record, Store
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.plan_changes import change_events
from tightrope.shadow.restoring import clock_jumps
from tightrope.shadow.sight_events import state_events, transition_event

EXPIRY_STEP_SHARE = 0.01
"""Share of the label horizon by which event time must advance before pending rows and labels are expired again."""

MAX_JUDGED_ROWS = 8192
"""Rows that are judged as one batch."""

SKIPPED_ERRORS = (WireError, BadObservationError)
"""Errors for which a record is skipped."""


class JudgeRound:
    """Applies records to the states of the models in ``plans``, and collects what there is to save and to publish.

    ``now`` is the wall clock in seconds since the epoch; a bus that has a clock overrides it. ``ahead`` collects the
    most seconds by which a time of a model lay in the future.
    """

    def __init__(
        self, plans: Mapping[str, Plan], states: Mapping[str, State], store: Store, host: str, now: float = math.inf
    ) -> None:
        self.states = dict(states)
        self.ahead: dict[str, float] = {}
        self.events: list[Event] = []
        self.routes: list[Routes] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.pending: dict[str, PendingChanges] = {}
        self.repeated: Counter[str] = Counter()
        self._plans, self._store, self._host, self._now = plans, store, host, now

    def process(self, records: Sequence[Record]) -> Iterator[tuple[Record, Exception]]:
        """Apply records in order; yield each skipped one with the reason: it cannot be decoded, is about a model that
        is not judged here, or holds invalid numbers.
        """
        batches: list[tuple[Record, Comparisons]] = []
        ends: dict[int, int] = {}
        self._settle_times()
        for record in records:
            self.positions[record.topic, record.partition] = record.offset + 1
            try:
                schema = record_codec.schema_of(record.value)
                is_batch = schema == record_codec.COMPARISONS_SCHEMA
                batch = self._timed(record_codec.decode_comparisons(record.value), record) if is_batch else None
                if batches and (batch is None or not _fits(batches, ends, batch)):
                    yield from self._judge_all(batches)
                    ends.clear()
                if batch is None:
                    self._dispatch(schema, record)
                else:
                    batches.append((record, batch))
                    ends |= {partition: last for partition, (_, last) in _offset_ranges(batch).items()}
            except SKIPPED_ERRORS as error:
                yield record, error
        yield from self._judge_all(batches)

    def _dispatch(self, schema: str, record: Record) -> None:
        if schema == record_codec.TRAFFIC_SCHEMA:
            decoded = record_codec.decode_traffic(record.value)
            note = self._timed(clock_jumps.note_with_log_time(decoded, record), record)
            plan = self._plan(note.model)
            self._set_state(plan, *watch.note_traffic(plan, self.states[plan.model], note))
        elif schema == record_codec.LABELS_SCHEMA:
            labels = record_codec.decode_labels(record.value)
            self.add_labels([self._timed(clock_jumps.with_log_time(label, record), record) for label in labels])
        elif schema == record_codec.ORDER_SCHEMA:
            order = clock_jumps.with_log_time(record_codec.decode_order(record.value), record)
            self._apply_order(self._timed(order, record))
        elif schema == record_codec.EVENT_SCHEMA:
            self.events.append(record_codec.decode_event(record.value))

    def _settle_times(self) -> None:
        """Bring stored times that lie in the future back to now: a clock was ahead when they were written."""
        for name, plan in self._plans.items():
            state, ahead = watch.settle_times(plan, self.states[name], self._now)
            if ahead > clock_jumps.CLOCK_TOLERANCE_SECONDS:
                self.states[name] = state
                self.ahead[name] = max(ahead, self.ahead.get(name, 0.0))

    def _timed(self, item: clock_jumps.Timed, record: Record) -> clock_jumps.Timed:
        """A record's content with times no later than the log's clock, or the wall clock if the log has none."""
        timed, ahead = clock_jumps.at_most_now(item, record.time or self._now)
        if ahead and item.model in self._plans:
            self.ahead[item.model] = max(ahead, self.ahead.get(item.model, 0.0))
        return timed

    def deploy(self, plan: Plan, old: State, cause: decide.Cause) -> None:
        """Judge the model by another plan from now on."""
        state, transitions = decide.deploy(plan, old, cause)
        self.states[plan.model] = old
        self.events += change_events(plan, old, state, cause.time, self._host)
        self._set_state(plan, state, transitions)

    def enter_unreadable(self, plan: Plan, cause: decide.Cause) -> None:
        """Move every scope to safe mode, because the model's state is unknown."""
        self._set_state(plan, *decide.enter_unreadable(plan, self.states[plan.model], cause))

    def _plan(self, model: str) -> Plan:
        plan = self._plans.get(model)
        if plan is None:
            raise WireError(f"model: {model!r} is not judged here")
        return plan

    def _judge_all(self, batches: list[tuple[Record, Comparisons]]) -> Iterator[tuple[Record, Exception]]:
        """Judge the batches as one, or one by one if that fails, and clear the list; yields the skipped records."""
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
        batches.clear()

    def _judge(self, batch: Comparisons, last: Record) -> None:
        plan = self._plan(batch.model)
        before = self.states[plan.model]
        state, transitions = watch.step(plan, before, batch)
        new = _received_rows(state) - _received_rows(before)
        if new:  # requests before this record count as compared; gateways' clocks may be wrong
            answered = max(state.unanswered.answered, last.time)
            state = replace(state, unanswered=replace(state.unanswered, answered=answered))
        self._set_state(plan, state, transitions)
        self.repeated[plan.model] += len(batch) - new
        if plan.label_horizon:
            self._await_labels(plan, rows_awaiting_labels(plan, batch))

    def _apply_order(self, order: Order) -> None:
        plan = self._plan(order.model)
        try:
            state, transition = decide.apply_order(plan, self.states[plan.model], order)
        except ValueError as error:
            refusal = Event(order.id, order.time, order.model, "order-refused", order.scope, order.actor, str(error))
            self.events.append(refusal)
            return
        self._set_state(plan, state, [transition], order.id)

    def restore_rows(self, plan: Plan, batch: Comparisons, labels: MutableMapping[RowKey, Label], since: float) -> None:
        """Keep rows that an earlier judge counted, if they are not older than ``since``, for labels to come.

        A row whose label is in ``labels`` is kept as joined, and the label is removed from there.
        """
        rows = list(rows_awaiting_labels(plan, batch))
        joined = {row.key for row in rows if labels.pop(row.key, None) is not None}
        self._await_labels(plan, [replace(row, joined=row.key in joined) for row in rows if row.time >= since])

    def _await_labels(self, plan: Plan, rows: Iterable[PendingRow]) -> None:
        """Keep sound rows for their labels, and join those whose label came first."""
        changes = self.pending.setdefault(plan.model, PendingChanges())
        held = {row.key: row for row in rows if row.key not in changes.held}
        changes.held |= held
        new = {key: label for key, label in changes.waiting.items() if key in held}
        waiting = self._store.pending_labels(plan.model, list(held)) | new
        early = [label for key, label in waiting.items() if key not in changes.matched]
        changes.matched |= set(waiting)
        for key in waiting:
            changes.waiting.pop(key, None)
        matches = match_labels(early, held, {})
        self._count_labels(plan, duplicate=matches.duplicates)
        self._judge_labels(plan, matches.rows)

    def add_labels(self, labels: Sequence[Label]) -> None:
        """Join labels with their rows; a label without a row waits for it."""
        for model in dict.fromkeys(label.model for label in labels):
            plan = self._plan(model)
            own = [label for label in labels if label.model == model]
            changes = self.pending.setdefault(model, PendingChanges())
            keys = [(label.request_id, label.row) for label in own]
            new = {key: changes.held[key] for key in keys if key in changes.held}
            rows = new | self._store.pending_rows(model, keys)
            held = {key: replace(row, joined=row.joined or key in changes.joined) for key, row in rows.items()}
            matches = match_labels(own, held, self._store.pending_labels(model, keys) | changes.waiting)
            changes.waiting |= {(label.request_id, label.row): label for label in matches.waiting}
            self._count_labels(plan, duplicate=matches.duplicates)
            self._judge_labels(plan, matches.rows)

    def _judge_labels(self, plan: Plan, rows: Sequence[tuple[PendingRow, Label]]) -> None:
        """Judge labelled rows; rows of another plan are counted as stale."""
        changes = self.pending[plan.model]
        changes.joined |= {row.key for row, _ in rows}
        current = [(row, label) for row, label in rows if row.digest == plan.digest]
        self._count_labels(plan, joined=len(current), stale=len(rows) - len(current))
        if current:
            state = self.states[plan.model]
            comparisons = labelled_comparisons(plan, state.log, current)
            self._set_state(plan, *watch.step(plan, state, comparisons, Stream.LABELS))

    def expire(self, plan: Plan, now: float, last: float) -> float:
        """Drop rows and labels that waited longer than the horizon; returns the event time up to which this was done.

        Does nothing until event time has moved on from ``last`` by `EXPIRY_STEP_SHARE`, because it reads all of them.
        """
        before = now - plan.label_horizon
        last = not_after(last, before)  # a clock that was ahead must not stop the expiry
        if before - last < EXPIRY_STEP_SHARE * plan.label_horizon:
            return last
        changes = self.pending.setdefault(plan.model, PendingChanges())
        rows, labels = self._store.count_overdue(plan.model, before)
        # The store does not know yet what was matched in this round, and counts it as waiting.
        joined = self._store.pending_rows(plan.model, list(changes.joined)).values()
        matched = self._store.pending_labels(plan.model, list(changes.matched)).values()
        rows -= sum(row.time < before for row in joined)
        labels -= sum(label.time < before for label in matched)
        changes.before, changes.now = before, now
        self._count_labels(plan, expired=rows, unknown=labels)
        return before

    def _count_labels(self, plan: Plan, **more: int) -> None:
        state = self.states[plan.model]
        counts = {name: state.labels.get(name, 0) + more.get(name, 0) for name in {*state.labels, *more}}
        if any(more.values()):
            self.states[plan.model] = replace(state, labels=counts)

    def _set_state(self, plan: Plan, state: State, transitions: Sequence[Transition], order: str = "") -> None:
        """Replace a model's state, and collect the events and routes that follow from it."""
        before = self.states[plan.model]
        self.states[plan.model] = state
        self.events += [transition_event(plan, transition, order, self._host) for transition in transitions]
        self.events += state_events(plan, before, state)
        if order or state.epoch != before.epoch:
            self.routes.append(replace(watch.build_routes(plan, state), order=order))


def _fits(batches: Sequence[tuple[Record, Comparisons]], ends: Mapping[int, int], batch: Comparisons) -> bool:
    """Whether a batch can be judged together with ``batches``, whose last offset in each partition is in ``ends``."""
    rows = sum(len(other) for _, other in batches) + len(batch)
    beyond = all(first > ends.get(partition, -1) for partition, (first, _) in _offset_ranges(batch).items())
    return batches[0][1].group_key == batch.group_key and rows <= MAX_JUDGED_ROWS and beyond


def _offset_ranges(batch: Comparisons) -> dict[int, tuple[int, int]]:
    """The first and the last offset in each partition."""
    offsets = {int(partition): batch.offset[batch.partition == partition] for partition in np.unique(batch.partition)}
    return {partition: (int(column.min()), int(column.max())) for partition, column in offsets.items()}


def _received_rows(state: State) -> int:
    """Rows received so far, each once: judged, in the open tick, or stale."""
    pending = state.pending.get(Stream.COMPARISONS)
    return state.seen[Stream.COMPARISONS] + (0 if pending is None else len(pending)) + state.stale
