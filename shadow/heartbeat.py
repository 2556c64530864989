"""Heartbeats of the judge: they tell every gateway how many rows are judged, and that the judge lives.

Gateways compare that with the rows that they keep, because a judge that fails, hangs or has ended cannot say so itself.
Rows count once they are saved: a judge whose database is locked or read-only judges nothing that lasts.
"""

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

import numpy as np

from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Fault, Ints, Stream
from tightrope.monitors.scopes import with_model_scope
from tightrope.service.adapters.metrics_ports import JudgeMetrics
from tightrope.service.adapters.ports import Bus, BusFullError, Record, Subscription
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_KEY, Heartbeat, encode_heartbeat, is_heartbeat

HEARTBEAT_SECONDS = 1.0
"""Time between two heartbeats while no row is judged."""

PROGRESS_SECONDS = 0.25
"""Least time between two heartbeats when rows were judged."""


class Heart:
    """Counts the rows that one start of a judge has judged, and publishes the counts. ``clock`` is monotonic. Rows with
    a fault do not count: nothing was compared, so they are no sight.
    """

    def __init__(self, bus: Bus, metrics: JudgeMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._metrics = metrics
        self._clock = clock
        self._judge = uuid.uuid4().hex
        self._judged: Counter[str] = Counter()
        self._in_scopes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._has_news = False
        self._sent = float("-inf")
        self._began = clock()

    def count(self, before: Mapping[str, State], after: Mapping[str, State]) -> None:
        """Count the rows that a saved round has added to these states."""
        for model, state in after.items():
            earlier, now = _sound_rows(before[model]), _sound_rows(state)
            rows = int(now[0] - earlier[0])
            if rows > 0:
                self._judged[model] += rows
                if before[model].scopes == state.scopes:
                    in_scopes = np.maximum(now - earlier, 0).tolist()[1:]
                    self._in_scopes[model].update(dict(zip(state.scopes[1:], in_scopes, strict=True)))
                self._has_news = True
                self._metrics.record_judged(model, rows)

    def beat(self, plans: Mapping[str, Plan], *, at_once: bool = False) -> None:
        """Publish one heartbeat for each model, ``at_once`` or if it is time. A full bus drops them, and the next ones
        follow. Where rows were judged before the first one, a heartbeat as of the start precedes it: gateways count
        from there.
        """
        now = self._clock()
        if now - self._sent < (PROGRESS_SECONDS if self._has_news else HEARTBEAT_SECONDS) and not at_once:
            return
        is_first, self._sent, self._has_news = self._sent == float("-inf"), now, False
        for model, plan in plans.items():
            rows, in_scopes = self._judged[model], dict(self._in_scopes[model])
            start = Heartbeat(model, self._judge, self._began, 0, dict.fromkeys(in_scopes, 0), plan.coverage)
            heartbeat = Heartbeat(model, self._judge, now, rows, in_scopes, plan.coverage)
            try:
                for each in (start, heartbeat) if is_first and rows else (heartbeat,):
                    self._bus.publish(topic(CONTROL), encode_heartbeat(each), model + HEARTBEAT_KEY)
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


def _sound_rows(state: State) -> Ints:
    """Count the rows of each scope without a fault in the fold, those of the open tick included, (S,); rows of another
    artefact are not in it.
    """
    open_tick, rows = state.pending.get(Stream.COMPARISONS), state.compared - state.errors
    if open_tick is not None:
        rows = rows + with_model_scope(open_tick.member[open_tick.fault == Fault.NONE]).sum(axis=0)
    return rows
