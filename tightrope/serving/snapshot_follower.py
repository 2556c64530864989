"""A gateway's copy of the judges' work in a cluster: it follows their snapshots and the audit trail."""

import logging
import threading
from collections import deque

from tightrope.monitors.records import Event
from tightrope.service.adapters.dead_letters import describe_error
from tightrope.service.adapters.kafka import snapshot_store
from tightrope.service.adapters.metrics_ports import ReaderMetrics
from tightrope.service.adapters.ports import NO_BOUND, Bus, Record
from tightrope.service.adapters.topics import EVENTS, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.restoring.snapshot_check import snapshot_fault

log = logging.getLogger(__name__)

FOLLOWER_POLL_SECONDS = 0.5

MAX_EVENTS = 10_000
"""The newest events are kept to be shown."""


class SnapshotFollower:
    """Keeps a `JudgementView` up to date, and implements `ports.AuditTrail`."""

    def __init__(self, bus: Bus, view: JudgementView, metrics: ReaderMetrics) -> None:
        self._bus = bus
        self._topics = topic(SNAPSHOTS), topic(EVENTS)
        self._generation = bus.generation(*self._topics)
        self._records = bus.subscribe(*self._topics)
        self._view = view
        self._metrics = metrics
        self._events: deque[tuple[int, Event]] = deque(maxlen=MAX_EVENTS)
        self._ids: set[str] = set()
        self._seq = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Start to follow."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(timeout)

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Return events with sequence numbers of this replica, in the order in which it received them."""
        events = list(self._events)
        return [(seq, event) for seq, event in events if seq > after and model in {None, event.model}][:limit]

    def latest_events(
        self, model: str | None = None, before: int = NO_BOUND, limit: int = 100
    ) -> list[tuple[int, Event]]:
        """Return events with sequence numbers of this replica, the last one that it received first."""
        events = reversed(list(self._events))
        return [(seq, event) for seq, event in events if seq < before and model in {None, event.model}][:limit]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step(FOLLOWER_POLL_SECONDS)
            except Exception:  # the follower must outlive every error
                log.exception("snapshots and events cannot be read; trying again")
                self._stopping.wait(FOLLOWER_POLL_SECONDS)
        self._records.close()

    def step(self, timeout: float) -> None:
        """Take the records that arrive within ``timeout`` seconds. A record that cannot be used is skipped."""
        if self._bus.generation(*self._topics) != self._generation:  # made anew: read from its start
            self._generation = self._bus.generation(*self._topics)
            self._records.close()
            self._records = self._bus.subscribe(*self._topics)
        for record in self._records.poll(100, timeout):
            try:
                self._apply(record)
            except Exception as error:  # noqa: BLE001 - the next record must be read, after any error
                self._metrics.record_dead(record.topic)
                log.warning("%s, offset %d skipped: %s", record.topic, record.offset, describe_error(error))

    def _apply(self, record: Record) -> None:
        if record.topic == topic(EVENTS):
            event = record_codec.decode_event(record.value)
            if event.model in self._view.plans:
                self._add(event)
            return
        plan = self._view.plans.get(str(record.key))
        if plan is None:
            return
        state = record_codec.decode_state(snapshot_store.decode_snapshot(record.value).state)
        if state.digest == plan.digest and (fault := snapshot_fault(plan, state)):
            raise WireError(fault)
        if state.digest == plan.digest:  # a snapshot of another configuration cannot be shown
            self._view.states = {**self._view.states, plan.model: state}

    def _add(self, event: Event) -> None:
        """Add an event once: the trail holds it twice if a judge was killed between the event and its snapshot."""
        if event.id in self._ids:
            return
        if len(self._events) == MAX_EVENTS:
            self._ids.discard(self._events[0][1].id)
        self._ids.add(event.id)
        self._seq += 1
        self._events.append((self._seq, event))
