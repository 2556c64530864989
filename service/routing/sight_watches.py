"""The gateway's watches over what the judge can see of its requests: starved, lost, and not judged at all."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tightrope.monitors.intake.starvation import ServedTotals
from tightrope.monitors.records import Event, Ints
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.routing.blindness import BlindnessWatch, SightFacts
from tightrope.service.routing.loss_watch import LossWatch
from tightrope.service.routing.router import Router
from tightrope.service.routing.scope_watch import ScopeWatch
from tightrope.service.routing.starvation_watch import StarvationWatch


class DrawnCounts(Protocol):
    """The counts of what the draw kept; they only grow."""

    @property
    def drawn(self) -> Mapping[str, int]:
        """Requests by model."""

    @property
    def drawn_rows(self) -> Mapping[str, int]:
        """Rows by model."""

    @property
    def drawn_by_scope(self) -> Mapping[str, Ints]:
        """Rows by model, one entry a subgroup."""

    def add_event(self, event: Event) -> None:
        """Extend the audit trail."""


class SightWatches:
    """The watches of a gateway over the models in ``blind_seconds``, with their subgroups in ``scopes``.

    ``totals`` gives what a model should have kept, and what it kept; ``clock`` is monotonic.
    """

    def __init__(
        self,
        router: Router,
        scopes: Mapping[str, Sequence[str]],
        blind_seconds: Mapping[str, float],
        counts: DrawnCounts,
        totals: Callable[[str], ServedTotals | None],
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        add_event = counts.add_event
        self._blindness = BlindnessWatch(router, blind_seconds, counts.drawn, add_event, metrics, clock)
        self._scopes = ScopeWatch(router, scopes, blind_seconds, counts.drawn_by_scope, add_event, metrics, clock)
        self._starvation = StarvationWatch(router, scopes, blind_seconds, totals, add_event, metrics, clock)
        self._loss = LossWatch(scopes, counts.drawn_rows, counts.drawn_by_scope, add_event, metrics, clock)
        self._watches = (self._blindness, self._scopes, self._starvation, self._loss)

    def start(self) -> None:
        """Start to check."""
        for watch in self._watches:
            watch.start()

    def stop(self, timeout: float) -> None:
        """Stop checking; each watch gets ``timeout`` seconds."""
        for watch in self._watches:
            watch.stop(timeout)

    def facts(self, model: str) -> SightFacts:
        """The sight of a model, as of now."""
        return self._blindness.facts(model)

    def hear(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat of a judge."""
        for watch in (self._blindness, self._scopes, self._loss):
            watch.hear(heartbeat)
