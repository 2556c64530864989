"""Publishes the events of one process to the topic of events."""

from collections.abc import Sequence

from tightrope.monitors.records import Event
from tightrope.service.adapters.audit.key_files import keys_of_process
from tightrope.service.adapters.audit.redaction import redacted
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.ports import Bus
from tightrope.service.adapters.topics import EVENTS, topic
from tightrope.service.adapters.wire import record_codec


class EventPublisher:
    """Publishes events over a bus, with digests in place of request ids; the keys are the process's own by default."""

    def __init__(self, bus: Bus, keys: AuditKeys | None = None) -> None:
        self._bus = bus
        self._keys = keys or keys_of_process()

    def redacted(self, events: Sequence[Event]) -> Sequence[Event]:
        """The events as they are published."""
        return redacted(events, self._keys)

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events in order; `Bus.flush` waits for them."""
        for event in self.redacted(events):
            self._bus.publish(topic(EVENTS), record_codec.encode_event(event), event.model)
