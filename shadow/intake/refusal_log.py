"""Records that a judge refuses: parked on the dead topic, counted, logged, and told in the audit trail."""

import logging
from collections.abc import Callable, Collection, Sequence
from threading import Event as Flag

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.dead_letters import describe_error, park
from tightrope.service.adapters.metrics_ports import ReaderMetrics
from tightrope.service.adapters.ports import Bus, Record

log = logging.getLogger(__name__)

RECORDS_REFUSED = "records-refused"
"""The kind of the event."""

REFUSAL_REPEAT_SECONDS = 3600.0
"""Time between two events about the same model and topic: a flood of records must not flood the audit trail."""


class RefusalLog:
    """Parks and counts refused records; ``clock`` is monotonic."""

    def __init__(self, bus: Bus, metrics: ReaderMetrics, stopping: Flag, clock: Callable[[], float]) -> None:
        self._bus = bus
        self._metrics = metrics
        self._stopping = stopping
        self._clock = clock
        self._last_event: dict[tuple[str, str], float] = {}

    def refuse(self, refused: Sequence[tuple[Record, Exception]], models: Collection[str], now: float) -> list[Event]:
        """Park, count and log refused records; returns the events about those of ``models``, ``now`` on the wall
        clock.
        """
        by_source: dict[tuple[str, str], list[tuple[Record, Exception]]] = {}
        for record, error in refused:
            self._metrics.record_dead(record.topic)
            log.warning("%s, offset %d skipped: %s", record.topic, record.offset, describe_error(error))
            park(self._bus, record, describe_error(error), self._stopping)
            by_source.setdefault(((record.key or "").partition("/")[0], record.topic), []).append((record, error))
        return [
            _event(source[0], *records[0], len(records), self._bus.log, now)
            for source, records in by_source.items()
            if source[0] in models and self._is_due(source)
        ]

    def _is_due(self, source: tuple[str, str]) -> bool:
        moment = self._clock()
        if moment - self._last_event.get(source, float("-inf")) < REFUSAL_REPEAT_SECONDS:
            return False
        self._last_event[source] = moment
        return True


def _event(model: str, record: Record, error: Exception, count: int, log_id: str, now: float) -> Event:
    detail = {"topic": record.topic, "partition": record.partition, "offset": record.offset, "records": count}
    reason = f"{count} of {record.topic} parked, from offset {record.offset} on: {describe_error(error)}"
    name = f"{model}/{RECORDS_REFUSED}/{log_id}/{record.topic}/{record.partition}/{record.offset}"
    return Event(name, now, model, RECORDS_REFUSED, MODEL_SCOPE, "judge", reason, detail)
