"""A gateway's view of a judgement that happens elsewhere: it follows the judges' snapshots and the audit trail."""

import logging
import threading
from collections import deque

from tightrope.monitors.records import Event
from tightrope.service.adapters.kafka import snapshot_store
from tightrope.service.adapters.ports import Bus, Record
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import EVENTS, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.judge import Bench

log = logging.getLogger(__name__)

PATIENCE = 0.5
"""Seconds to wait for a record before looking whether to stop."""

MOST_EVENTS = 10_000
"""The newest events that are kept to be shown."""


class Follower:
    """Keeps a bench up to date, and implements `ports.Trail`."""

    def __init__(self, bus: Bus, bench: Bench, metrics: Metrics) -> None:
        self._records = bus.subscribe(topic(SNAPSHOTS), topic(EVENTS))
        self._bench = bench
        self._metrics = metrics
        self._events: deque[tuple[int, Event]] = deque(maxlen=MOST_EVENTS)
        self._ids: set[str] = set()
        self._seq = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop following."""
        self._stopping.set()
        self._thread.join(timeout)

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """Events in the order in which this replica heard of them: its sequence numbers are its own."""
        known = list(self._events)
        return [(seq, event) for seq, event in known if seq > after and model in {None, event.model}][:limit]

    def _run(self) -> None:
        while not self._stopping.is_set():
            for record in self._records.poll(100, PATIENCE):
                try:
                    self._take(record)
                except WireError as error:
                    self._metrics.dead.labels(record.topic).inc()
                    log.warning("%s, offset %d passed over: %s", record.topic, record.offset, error)
        self._records.close()

    def _take(self, record: Record) -> None:
        if record.topic == topic(EVENTS):
            self._note(record_codec.decode_event(record.value))
            return
        plan = self._bench.plans.get(str(record.key))
        if plan is None:
            return
        state = record_codec.decode_state(snapshot_store.decode(record.value).state)
        if state.digest == plan.digest:  # of another configuration nothing can be shown
            self._bench.states = {**self._bench.states, plan.model: state}

    def _note(self, event: Event) -> None:
        """The trail holds an event twice where a judge was killed between writing it and its snapshot."""
        if event.id in self._ids:
            return
        if len(self._events) == MOST_EVENTS:
            self._ids.discard(self._events[0][1].id)
        self._ids.add(event.id)
        self._seq += 1
        self._events.append((self._seq, event))
