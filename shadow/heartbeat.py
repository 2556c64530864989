"""Heartbeats of the judge: they tell every gateway how many rows are judged, and that the judge lives.

Gateways compare that with the rows that they keep, because a judge that fails, hangs or has ended cannot say so itself.
Rows count once they are saved: a judge whose database is locked or read-only judges nothing that lasts.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from tightrope.monitors.plan import State
from tightrope.monitors.records import Stream
from tightrope.service.adapters.metrics_ports import JudgeMetrics
from tightrope.service.adapters.ports import Bus, BusFullError, Record, Subscription
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_KEY, Heartbeat, encode_heartbeat, is_heartbeat

HEARTBEAT_SECONDS = 1.0
"""Time between two heartbeats while no row is judged."""

PROGRESS_SECONDS = 0.25
"""Least time between two heartbeats when rows were judged."""


class Heart:
    """Counts the rows that one start of a judge has judged, and publishes the counts. ``clock`` is monotonic."""

    def __init__(self, bus: Bus, metrics: JudgeMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._metrics = metrics
        self._clock = clock
        self._judge = uuid.uuid4().hex
        self._judged: Counter[str] = Counter()
        self._has_news = False
        self._sent = float("-inf")

    def count(self, before: Mapping[str, State], after: Mapping[str, State]) -> None:
        """Count the rows that a saved round has added to these states."""
        for model, state in after.items():
            rows = _rows_taken(state) - _rows_taken(before[model])
            if rows > 0:
                self._judged[model] += rows
                self._has_news = True
                self._metrics.record_judged(model, rows)

    def beat(self, models: Iterable[str], *, at_once: bool = False) -> None:
        """Publish one heartbeat for each model, ``at_once`` or if it is time. A full bus drops them, and the next ones
        follow.
        """
        now = self._clock()
        if now - self._sent < (PROGRESS_SECONDS if self._has_news else HEARTBEAT_SECONDS) and not at_once:
            return
        self._sent, self._has_news = now, False
        for model in models:
            heartbeat = Heartbeat(model, self._judge, now, self._judged[model])
            try:
                self._bus.publish(topic(CONTROL), encode_heartbeat(heartbeat), model + HEARTBEAT_KEY)
            except BusFullError:
                self._has_news = True
                return


def poll_without_heartbeats(subscription: Subscription, limit: int, timeout: float) -> list[Record]:
    """Poll records, and commit and skip the judges' own heartbeats: they must neither start a round nor end a drain."""
    polled = subscription.poll(limit, timeout)
    while polled and all(map(is_heartbeat, polled)):
        subscription.commit()
        polled = subscription.poll(limit, 0.0)
    return [record for record in polled if not is_heartbeat(record)]


def _rows_taken(state: State) -> int:
    """Count the rows in the fold, those of the open tick included, without rows of another artefact."""
    open_tick = state.pending.get(Stream.COMPARISONS)
    return state.seen[Stream.COMPARISONS] + (0 if open_tick is None else len(open_tick))
