"""The gateway's watch over the way of kept rows to the judge: it tells where more than half of them do not arrive.

How it works. `BlindnessWatch` and `ScopeWatch` act where no row is judged at all. Here the rows that the draw kept up
to a minute ago are compared with the rows that the judges have counted since, by the evidence of starvation
(`monitors/intake/starvation.py`): while each kept row is judged within a minute with a chance of a half, a false alarm
comes once in a million kept rows. Rows that were kept before, and those of other gateways, can only make the loss look
smaller. It moves no request, because a shadow that is too slow must not load the baseline, too; it is told by an event,
a metric and an alert, and the judge gives no pass to such a scope.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tightrope.monitors.intake.sight_notes import LOST_BEGAN, LOST_ENDED, REPEAT_SECONDS
from tightrope.monitors.intake.starvation import mass_of_starts, starved_scopes
from tightrope.monitors.records import MODEL_SCOPE, Event, Floats, Ints
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.judge_heartbeats import JudgeHeartbeats
from tightrope.service.routing.periodic_check import PeriodicCheck

LOSS_CHECK_SECONDS = 5.0
"""Time between two checks."""

ARRIVAL_SECONDS = 60.0
"""Time in which a kept row should be judged."""

LOSS_WINDOW_SECONDS = 1_800.0
"""Time over which kept rows are counted."""

AGAIN_SECONDS, ENOUGH_KEPT = 300.0, 30
"""Time, and rows kept in it, after which a scope that loses rows is judged anew."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """The rows of a model and its subgroups that were kept and judged up to a time, (scopes,)."""

    time: float
    kept: Ints
    judged: Ints


@dataclass(slots=True)
class _Way:
    """One model: its scopes, the model first; the latest marks, the rows judged so far, and the time from which each
    scope is watched; for scopes that lose rows the mark from which they are judged anew, and when that was told.
    """

    scopes: Sequence[str]
    judged: Ints
    begun: Floats
    marks: deque[_Mark] = field(default_factory=deque)
    lost: dict[str, _Mark] = field(default_factory=dict)
    reported: dict[str, float] = field(default_factory=dict)
    judges: JudgeHeartbeats = field(default_factory=JudgeHeartbeats)


class LossWatch:
    """Watches the subgroups in ``scopes`` of each model. ``drawn`` gives the rows that the draw kept, one entry a
    subgroup, and ``drawn_rows`` those of the model; ``clock`` is monotonic.
    """

    def __init__(
        self,
        scopes: Mapping[str, Sequence[str]],
        drawn_rows: Mapping[str, int],
        drawn: Mapping[str, Ints],
        add_event: Callable[[Event], None],
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._drawn_rows = drawn_rows
        self._drawn = drawn
        self._add_event = add_event
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._models = {
            model: _Way(
                (MODEL_SCOPE, *names), np.zeros(1 + len(names), np.int64), np.full(1 + len(names), float("-inf"))
            )
            for model, names in scopes.items()
        }
        self._periodic = PeriodicCheck("loss-watch", LOSS_CHECK_SECONDS, self.check)
        metrics.before_scrape(self.show, counts=False)

    def start(self) -> None:
        """Start to check."""
        self._periodic.start()

    def stop(self, timeout: float) -> None:
        """Stop checking."""
        self._periodic.stop(timeout)

    def show(self) -> None:
        """Update the metrics."""
        for model, way in self._models.items():
            self._metrics.set_lost(model, {scope: scope in way.lost for scope in way.scopes})

    def hear(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat: rows that were judged since the one before."""
        way = self._models.get(heartbeat.model)
        if way is None:
            return
        with self._lock:
            before = way.judges.replace(heartbeat)
            if before is not None:
                more = [heartbeat.scopes.get(scope, 0) - before.scopes.get(scope, 0) for scope in way.scopes[1:]]
                way.judged = way.judged + np.array([heartbeat.judged - before.judged, *more], np.int64)

    def check(self) -> None:
        """Begin or end the loss of each scope."""
        with self._lock:
            for model, way in self._models.items():
                self._check(model, way)

    def _check(self, model: str, way: _Way) -> None:
        now, subgroups = self._clock(), self._drawn.get(model)
        if subgroups is None or len(subgroups) != len(way.scopes) - 1 or not way.judges.by_judge:
            return
        way.marks.append(_Mark(now, np.array([self._drawn_rows.get(model, 0), *subgroups], np.int64), way.judged))
        while now - way.marks[0].time > ARRIVAL_SECONDS + LOSS_WINDOW_SECONDS:
            way.marks.popleft()
        due = [mark for mark in way.marks if now - mark.time >= ARRIVAL_SECONDS]
        if len(due) > 1:
            self._end(model, way, due[-1])
            self._begin(model, way, due)

    def _begin(self, model: str, way: _Way, due: Sequence[_Mark]) -> None:
        """Note the scopes that lose rows by now; tell again which ones still do."""
        *starts, last = due
        kept = np.array([mark.kept for mark in due])
        is_watched = np.array([mark.time for mark in starts])[:, None] >= way.begun
        seeds, since = np.where(is_watched, np.diff(kept, axis=0), 0.0), (last.kept - kept[:-1]).astype(np.float64)
        judged = way.judged - np.array([mark.judged for mark in starts])
        for index in np.flatnonzero(starved_scopes(mass_of_starts(seeds, since, judged.astype(np.float64)))).tolist():
            if (scope := way.scopes[index]) not in way.lost:
                way.lost[scope] = way.marks[-1]
                first = max(range(len(starts)), key=lambda start: since[start, index] - 2 * judged[start, index])
                self._report(model, way, index, LOST_BEGAN, int(since[first, index]), int(judged[first, index]))

    def _end(self, model: str, way: _Way, last: _Mark) -> None:
        """End the loss of the scopes whose rows arrive again, at least half of them: their evidence begins anew."""
        for scope, start in list(way.lost.items()):
            index = way.scopes.index(scope)
            kept, judged = int(last.kept[index] - start.kept[index]), int(way.judged[index] - start.judged[index])
            is_enough = kept >= ENOUGH_KEPT and last.time - start.time >= AGAIN_SECONDS
            if is_enough and 2 * judged >= kept:
                del way.lost[scope]
                way.begun[index] = way.marks[-1].time
                self._report(model, way, index, LOST_ENDED, kept, judged)
                continue
            if is_enough:
                way.lost[scope] = last
            if self._clock() - way.reported[scope] >= REPEAT_SECONDS:
                self._report(model, way, index, LOST_BEGAN, kept, judged)

    def _report(self, model: str, way: _Way, index: int, kind: str, kept: int, judged: int) -> None:
        scope = way.scopes[index]
        reason = f"{kept} rows kept, {judged} judged at the latest {ARRIVAL_SECONDS:.0f} s later"
        way.reported[scope] = self._clock()
        detail = {"kept": kept, "judged": judged}
        self._add_event(Event(uuid.uuid4().hex, time.time(), model, kind, scope, "gateway", reason, detail))
