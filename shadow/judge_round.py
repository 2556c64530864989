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

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import asdict, replace
from typing import TypeVar

import numpy as np

from tightrope.monitors import decide, watch
from tightrope.monitors.detector import BadObservationError
from tightrope.monitors.label_join import labelled_comparisons, match_labels, rows_awaiting_labels
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Event, Label, Order, PendingRow, Routes, RowKey, Stream, Traffic
from tightrope.service.adapters.ports import PendingChanges, Record, Store
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError

EXPIRY_STEP_SHARE = 0.01
"""Share of the label horizon by which event time must advance before pending rows and labels are expired again."""

MAX_JUDGED_ROWS = 8192
"""Rows that are judged as one batch."""

SKIPPED_ERRORS = (WireError, BadObservationError)
"""Errors for which a record is skipped."""

Timestamped = TypeVar("Timestamped", Label, Order, Traffic)


class JudgeRound:
    """Applies records to the states of the models in ``plans``, and collects what there is to save and to publish."""

    def __init__(self, plans: Mapping[str, Plan], states: Mapping[str, State], store: Store, host: str) -> None:
        self.states = dict(states)
        self.events: list[Event] = []
        self.routes: list[Routes] = []
        self.positions: dict[tuple[str, int], int] = {}
        self.pending: dict[str, PendingChanges] = {}
        self.repeated: Counter[str] = Counter()
        self._plans = plans
        self._store = store
        self._host = host

    def process(self, records: Sequence[Record]) -> Iterator[tuple[Record, Exception]]:
        """Apply records in order; yield each skipped one with the reason: it cannot be decoded, is about a model that
        is not judged here, or holds invalid numbers.
        """
        batches: list[tuple[Record, Comparisons]] = []
        ends: dict[int, int] = {}
        for record in records:
            self.positions[record.topic, record.partition] = record.offset + 1
            try:
                schema = record_codec.schema_of(record.value)
                is_batch = schema == record_codec.COMPARISONS_SCHEMA
                batch = record_codec.decode_comparisons(record.value) if is_batch else None
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
            note = _note_with_log_time(record_codec.decode_traffic(record.value), record)
            plan = self._plan(note.model)
            self._set_state(plan, *watch.note_traffic(plan, self.states[plan.model], note))
        elif schema == record_codec.LABELS_SCHEMA:
            self.add_labels([with_log_time(label, record) for label in record_codec.decode_labels(record.value)])
        elif schema == record_codec.ORDER_SCHEMA:
            self._apply_order(with_log_time(record_codec.decode_order(record.value), record))
        elif schema == record_codec.EVENT_SCHEMA:
            self.events.append(record_codec.decode_event(record.value))

    def deploy(self, plan: Plan, old: State, cause: decide.Cause) -> None:
        """Judge the model by another plan from now on."""
        state, transitions = decide.deploy(plan, old, cause)
        self.states[plan.model] = old
        self._set_state(plan, state, transitions)

    def enter_blind(self, plan: Plan, cause: decide.Cause) -> None:
        """Move the model to safe mode, because its state is unknown."""
        self._set_state(plan, *decide.enter_blind(plan, self.states[plan.model], cause))

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
        if before - last < EXPIRY_STEP_SHARE * plan.label_horizon:
            return last
        changes = self.pending.setdefault(plan.model, PendingChanges())
        rows, labels = self._store.count_overdue(plan.model, before)
        # The store does not know yet what was matched in this round, and counts it as waiting.
        joined = self._store.pending_rows(plan.model, list(changes.joined)).values()
        matched = self._store.pending_labels(plan.model, list(changes.matched)).values()
        rows -= sum(row.time < before for row in joined)
        labels -= sum(label.time < before for label in matched)
        changes.before = before
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
        self.events += [self._transition_event(plan, transition, order) for transition in transitions]
        if before.latency.breached != state.latency.breached:
            self.events.append(_latency_event(plan, state))
        if order or state.epoch != before.epoch:
            self.routes.append(replace(watch.build_routes(plan, state), order=order))

    def _transition_event(self, plan: Plan, t: Transition, order: str) -> Event:
        change = {"before": asdict(t.before), "after": asdict(t.after), "moved": t.moved, "host": self._host}
        position = f"{t.evidence['log']}/{t.evidence['samples']}/{t.evidence['labels']}"
        identity = order or f"{plan.model}/{position}/{t.scope}/{t.trigger}/{t.time}"
        return Event(identity, t.time, plan.model, str(t.trigger), t.scope, t.actor, t.reason, {**change, **t.evidence})


def _fits(batches: Sequence[tuple[Record, Comparisons]], ends: Mapping[int, int], batch: Comparisons) -> bool:
    """Whether a batch can be judged together with ``batches``, whose last offset in each partition is in ``ends``."""
    rows = sum(len(other) for _, other in batches) + len(batch)
    beyond = all(first > ends.get(partition, -1) for partition, (first, _) in _offset_ranges(batch).items())
    return batches[0][1].group_key == batch.group_key and rows <= MAX_JUDGED_ROWS and beyond


def _offset_ranges(batch: Comparisons) -> dict[int, tuple[int, int]]:
    """The first and the last offset in each partition."""
    offsets = {int(partition): batch.offset[batch.partition == partition] for partition in np.unique(batch.partition)}
    return {partition: (int(column.min()), int(column.max())) for partition, column in offsets.items()}


def with_log_time(item: Timestamped, record: Record) -> Timestamped:
    """Use the broker's timestamp if there is one; producers' clocks may be wrong."""
    return replace(item, time=record.time) if record.time else item


def _note_with_log_time(note: Traffic, record: Record) -> Traffic:
    """Shift both times of a traffic note to the broker's clock."""
    return with_log_time(replace(note, since=note.since + record.time - note.time), record) if record.time else note


def _received_rows(state: State) -> int:
    """Rows received so far, each once: judged, in the open tick, or stale."""
    pending = state.pending.get(Stream.COMPARISONS)
    return state.seen[Stream.COMPARISONS] + (0 if pending is None else len(pending)) + state.stale


def _latency_event(plan: Plan, state: State) -> Event:
    """The event of a latency objective that was broken or is met again; it changes no mode."""
    kind = "latency-breach" if state.latency.breached else "latency-met"
    objective = plan.objective
    reason = f"more than {objective.limit:.2%} of answers took over {objective.seconds:g} s" if objective else ""
    time = state.latency.block * (objective.block if objective else 0.0)
    return Event(f"{plan.model}/latency/{state.latency.closed}", time, plan.model, kind, "model", "judge", reason)
