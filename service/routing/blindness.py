"""The gateway's own watch over the judgement: when the rows that it keeps are not judged, the baseline answers.

How it works. The gateway counts the rows that its draw keeps, and the judges' heartbeats say how many rows they have
judged. When rows were kept and no row was judged for ``blind_seconds``, there is no evidence that the compressed model
is safe: a judge fails, hangs or has ended, a database is locked, a worker is dead, a bus is lost. Then the router sends
every request of the model to the baseline, above all modes, until rows are judged again.

Only this process's monotonic clock is read, and a thread of its own decides, so that no reader that waits for the bus
delays it. It waits for nothing: the event goes to the outbox, the log and the metric hold without it.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.judge_heartbeats import JudgeHeartbeats
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.service.routing.router import Router

CHECK_SECONDS = 0.1
"""Time between two checks."""

BLIND_BEGAN, BLIND_ENDED = "blind-began", "blind-ended"
"""Kinds of the events in the audit trail."""

ROWS_JUDGED_AGAIN = "rows are judged again: the modes decide which model answers"


@dataclass(slots=True)
class _Sight:
    """One model: when a judge was ``heard`` and when it had ``judged`` a row, the ``waiting`` rows that were kept
    ``since`` (None: no row waits), and the judges' latest heartbeats.
    """

    heard: float
    judged: float
    drawn: int = 0
    waiting: int = 0
    since: float | None = None
    blind: bool = False
    judges: JudgeHeartbeats = field(default_factory=JudgeHeartbeats)


@dataclass(frozen=True, slots=True)
class SightFacts:
    """The sight of a model that a gateway has: kept requests ``waiting`` to be judged, for how many
    seconds, the seconds since a judge was heard and since it judged a row, and the limit in seconds (0: none).
    """

    waiting: int
    waiting_seconds: float
    heard_seconds: float
    judged_seconds: float
    limit: float


class BlindnessWatch:
    """Watches the models in ``blind_seconds``; 0 never makes a model blind.

    ``drawn`` counts the rows that the draw kept, ``add_event`` extends the audit trail; ``clock`` is monotonic.
    """

    def __init__(
        self,
        router: Router,
        blind_seconds: Mapping[str, float],
        drawn: Mapping[str, int],
        add_event: Callable[[Event], None],
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._router = router
        self._blind_seconds = blind_seconds
        self._drawn = drawn
        self._add_event = add_event
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._checked = clock()
        self._sights = {model: _Sight(self._checked, self._checked) for model in blind_seconds}
        self._periodic = PeriodicCheck("blindness", CHECK_SECONDS, self.check)
        metrics.before_scrape(self.show)

    def start(self) -> None:
        """Start to check."""
        self._periodic.start()

    def stop(self, timeout: float) -> None:
        """Stop checking; the modes and the blindness stay as they are."""
        self._periodic.stop(timeout)

    def show(self) -> None:
        """Update the metrics."""
        now = self._clock()
        for model, sight in self._sights.items():
            self._metrics.set_blind(model, blind=bool(self._router.blindness(model)))
            self._metrics.set_judge_age(model, now - sight.heard)

    def facts(self, model: str) -> SightFacts:
        """The sight of a model, as of now."""
        with self._lock:
            sight, now = self._sights[model], self._clock()
            waited = 0.0 if sight.since is None else now - sight.since
            limit = self._blind_seconds[model]
            return SightFacts(sight.waiting, waited, now - sight.heard, now - sight.judged, limit)

    def hear(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat: rows that were judged since the one before end the wait of all rows kept up to now."""
        sight = self._sights.get(heartbeat.model)
        if sight is None:
            return
        with self._lock:
            before = sight.judges.replace(heartbeat)
            if before is None:
                return
            sight.heard = self._clock()
            if heartbeat.judged > before.judged:
                sight.judged = sight.heard
                sight.drawn, sight.waiting, sight.since = self._drawn.get(heartbeat.model, 0), 0, None
                if sight.blind:
                    self._end(heartbeat.model, sight, heartbeat.judged - before.judged)

    def check(self) -> None:
        """Begin the blindness of each model whose kept rows have waited for too long."""
        now = self._clock()
        with self._lock:
            for model, sight in self._sights.items():
                if (drawn := self._drawn.get(model, 0)) != sight.drawn:
                    sight.waiting += max(drawn - sight.drawn, 1)
                    sight.drawn = drawn
                    sight.since = self._checked if sight.since is None else sight.since
                limit = self._blind_seconds[model]
                if limit > 0 and sight.since is not None and now - sight.since >= limit:
                    self._begin(model, sight, now - sight.since)
            self._checked = now

    def _begin(self, model: str, sight: _Sight, seconds: float) -> None:
        reason = f"no row judged for {seconds:.0f} s, {sight.waiting} kept"
        self._router.set_blind(model, reason)
        if not sight.blind:
            sight.blind = True
            detail = {"seconds": round(seconds, 3), "kept": sight.waiting, "limit": self._blind_seconds[model]}
            self._record(model, BLIND_BEGAN, f"{reason}: the full model answers until the judge is back", detail)

    def _end(self, model: str, sight: _Sight, rows: int) -> None:
        sight.blind = False
        self._router.set_blind(model, "")
        self._record(model, BLIND_ENDED, ROWS_JUDGED_AGAIN, {"judged": rows})

    def _record(self, model: str, kind: str, reason: str, detail: Mapping[str, object]) -> None:
        self._add_event(Event(uuid.uuid4().hex, time.time(), model, kind, MODEL_SCOPE, "gateway", reason, detail))
