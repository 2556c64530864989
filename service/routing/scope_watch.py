"""The gateway's watch over the judgement of each subgroup: one whose kept rows are not judged goes to the baseline.

How it works. `BlindnessWatch` sees a judgement that stops as a whole. Here the rows that the draw keeps are counted by
subgroup, and the judges' heartbeats say how many rows of each they have judged. Samples of one subgroup alone may never
arrive: they are too large for a record, or the worker fails on them. When at least `MIN_WAITING_ROWS` rows of a
subgroup were kept and none of it was judged for ``blind_seconds``, the router sends its requests to the baseline, above
the modes, until rows of it are judged again. A heartbeat that names no subgroups, of an older judge, changes nothing.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tightrope.monitors.records import Event, Ints
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.judge_heartbeats import JudgeHeartbeats
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.service.routing.router import Router

MIN_WAITING_ROWS = 20
"""Rows of a subgroup that wait: a single request may be lost without any harm."""

SCOPE_CHECK_SECONDS = 1.0
"""Time between two checks."""

SCOPE_BLIND_BEGAN, SCOPE_BLIND_ENDED = "scope-blind-began", "scope-blind-ended"
"""Kinds of the events in the audit trail."""


@dataclass(slots=True)
class _Scopes:
    """One model: rows kept when its subgroups were last seen judged, when the rows began to wait (NaN: none does), and
    the judges' latest counts.
    """

    names: Sequence[str]
    kept: Ints
    since: list[float]
    blind: set[str] = field(default_factory=set)
    judges: JudgeHeartbeats = field(default_factory=JudgeHeartbeats)


class ScopeWatch:
    """Watches the subgroups in ``scopes`` of the models in ``blind_seconds``; 0 never makes one blind.

    ``drawn`` gives the rows that the draw kept, by model, one entry a subgroup; ``clock`` is monotonic.
    """

    def __init__(
        self,
        router: Router,
        scopes: Mapping[str, Sequence[str]],
        blind_seconds: Mapping[str, float],
        drawn: Mapping[str, Ints],
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
        self._models = {
            model: _Scopes(names, np.zeros(len(names), np.int64), [float("nan")] * len(names))
            for model, names in scopes.items()
            if names
        }
        self._periodic = PeriodicCheck("scope-watch", SCOPE_CHECK_SECONDS, self.check)
        metrics.before_scrape(self.show, counts=False)

    def start(self) -> None:
        """Start to check."""
        if self._models:
            self._periodic.start()

    def stop(self, timeout: float) -> None:
        """Stop checking; the blindness stays as it is."""
        self._periodic.stop(timeout)

    def show(self) -> None:
        """Update the metrics."""
        for model, watched in self._models.items():
            self._metrics.set_blind_scopes(model, {scope: scope in watched.blind for scope in watched.names})

    def hear(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat: rows of a subgroup that were judged since the one before end the wait of its rows."""
        watched = self._models.get(heartbeat.model)
        if watched is None:
            return
        with self._lock:
            before = watched.judges.replace(heartbeat)
            if before is None:
                return
            drawn, ended = self._drawn.get(heartbeat.model), []
            for index, scope in enumerate(watched.names):
                if heartbeat.scopes.get(scope, 0) > before.scopes.get(scope, 0):
                    watched.since[index] = float("nan")
                    watched.kept[index] = 0 if drawn is None else drawn[index]
                    ended += [scope] if scope in watched.blind else []
            if ended:
                self._change(heartbeat.model, watched, SCOPE_BLIND_ENDED, ended, "its rows are judged again")

    def check(self) -> None:
        """Begin the blindness of each subgroup whose kept rows have waited for too long."""
        now = self._clock()
        with self._lock:
            for model, watched in self._models.items():
                drawn, limit = self._drawn.get(model), self._blind_seconds[model]
                if self._router.blindness(model):  # the whole model is on the baseline: the wait begins anew after it
                    watched.since = [float("nan")] * len(watched.names)
                    continue
                if drawn is None or limit <= 0:
                    continue
                waiting, began = drawn - watched.kept, []
                for index in np.flatnonzero(waiting >= MIN_WAITING_ROWS).tolist():
                    since = watched.since[index]
                    watched.since[index] = now if since != since else since  # noqa: PLR0124 - NaN differs from itself
                    if now - watched.since[index] >= limit and watched.names[index] not in watched.blind:
                        began.append(watched.names[index])
                if began and any(judge.scopes for judge in watched.judges.by_judge.values()):
                    reason = f"none of its rows was judged for {limit:.0f} s, {MIN_WAITING_ROWS} or more were kept"
                    self._change(model, watched, SCOPE_BLIND_BEGAN, began, reason)

    def _change(self, model: str, watched: _Scopes, kind: str, scopes: Sequence[str], reason: str) -> None:
        """Begin or end the blindness of these subgroups."""
        watched.blind = watched.blind | {*scopes} if kind == SCOPE_BLIND_BEGAN else watched.blind - {*scopes}
        self._router.set_blind_scopes(model, watched.blind)
        for scope in scopes:
            self._add_event(Event(uuid.uuid4().hex, time.time(), model, kind, scope, "gateway", reason, {}))
