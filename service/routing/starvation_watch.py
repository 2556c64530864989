"""The gateway's watch over the draw: a scope goes to the baseline while too few of its requests are kept.

How it works. `BlindnessWatch` and `ScopeWatch` see kept rows that are not judged. Where nothing is kept, no row waits
and they see nothing, while harm goes unnoticed all the same: the draw or the sampling fails. Here the requests that the
draw keeps are compared with the sum of their probabilities (`monitors/intake/starvation.py`). The baseline answers a
starved scope, above the modes, until at least half of what should be kept is kept again.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tightrope.monitors.intake.sight_notes import REPEAT_SECONDS, STARVED_BEGAN, STARVED_ENDED
from tightrope.monitors.intake.starvation import ServedTotals, add_requests, no_evidence, starved_scopes
from tightrope.monitors.records import MODEL_SCOPE, Event, Floats
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.routing.periodic_check import PeriodicCheck
from tightrope.service.routing.router import Router

STARVATION_CHECK_SECONDS = 1.0
"""Time between two checks."""

ENOUGH_EXPECTED = 30.0
"""Expected requests after which a starved scope is judged anew."""

LEAST_KEPT_SHARE = 0.5
"""The share of the expected requests that must be kept for a scope to return."""

TOO_FEW_KEPT = "fewer than half of the requests that the draw should keep are kept"


@dataclass(slots=True)
class _Draws:
    """One model: its scopes, the model first; the totals of the last check, the evidence, and for the starved scopes
    the requests expected and kept since they are starved, and when that was told.
    """

    scopes: Sequence[str]
    last: ServedTotals
    log_mass: Floats
    since: dict[str, tuple[float, float]] = field(default_factory=dict)
    reported: dict[str, float] = field(default_factory=dict)


class StarvationWatch:
    """Watches the subgroups in ``scopes`` of the models in ``blind_seconds``; 0 never makes one starved.

    ``totals`` gives what a model should have kept, and what it kept; ``clock`` is monotonic.
    """

    def __init__(
        self,
        router: Router,
        scopes: Mapping[str, Sequence[str]],
        blind_seconds: Mapping[str, float],
        totals: Callable[[str], ServedTotals | None],
        add_event: Callable[[Event], None],
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._router = router
        self._totals = totals
        self._add_event = add_event
        self._metrics = metrics
        self._clock = clock
        self._models = {
            model: _Draws((MODEL_SCOPE, *names), _nothing(1 + len(names)), no_evidence(1 + len(names)))
            for model, names in scopes.items()
            if blind_seconds[model] > 0
        }
        self._periodic = PeriodicCheck("starvation-watch", STARVATION_CHECK_SECONDS, self.check)
        metrics.before_scrape(self.show, counts=False)

    def start(self) -> None:
        """Start to check."""
        self._periodic.start()

    def stop(self, timeout: float) -> None:
        """Stop checking; what is starved stays so."""
        self._periodic.stop(timeout)

    def show(self) -> None:
        """Update the metrics."""
        for model, draws in self._models.items():
            self._metrics.set_starved(model, {scope: scope in draws.since for scope in draws.scopes})

    def check(self) -> None:
        """Begin or end the starvation of each scope."""
        for model, draws in self._models.items():
            self._repeat(model, draws)
            now = self._totals(model)
            if now is None or now.expected.shape != draws.last.expected.shape:
                continue
            expected, kept = now.expected - draws.last.expected, now.kept - draws.last.kept
            draws.last = now
            draws.log_mass = add_requests(draws.log_mass, expected, kept)
            changed = self._end(model, draws, expected, kept) | self._begin(model, draws)
            if changed:
                self._router.set_starved(model, draws.since)

    def _begin(self, model: str, draws: _Draws) -> bool:
        """Note the scopes that are starved by now, the model alone if it is; returns whether there are any."""
        found = [draws.scopes[index] for index in np.flatnonzero(starved_scopes(draws.log_mass)).tolist()]
        new = [scope for scope in found if scope not in draws.since and MODEL_SCOPE not in draws.since]
        new = [MODEL_SCOPE] if MODEL_SCOPE in new else new
        for scope in new:
            draws.since[scope] = (0.0, 0.0)
            draws.reported[scope] = self._clock()
            self._record(model, scope, STARVED_BEGAN, TOO_FEW_KEPT)
        return bool(new)

    def _repeat(self, model: str, draws: _Draws) -> None:
        """Tell again which scopes are starved: a judge believes nothing for long."""
        for scope in draws.since:
            if self._clock() - draws.reported[scope] >= REPEAT_SECONDS:
                draws.reported[scope] = self._clock()
                self._record(model, scope, STARVED_BEGAN, f"still {TOO_FEW_KEPT}")

    def _end(self, model: str, draws: _Draws, expected: Floats, kept: Floats) -> bool:
        """Count for the starved scopes; returns whether one is starved no longer. Its evidence begins anew."""
        ended = []
        for scope, before in list(draws.since.items()):
            index = draws.scopes.index(scope)
            wanted, got = before[0] + float(expected[index]), before[1] + float(kept[index])
            is_enough = wanted >= ENOUGH_EXPECTED
            draws.since[scope] = (0.0, 0.0) if is_enough else (wanted, got)
            if is_enough and got >= LEAST_KEPT_SHARE * wanted:
                del draws.since[scope]
                ended.append(scope)
                self._record(model, scope, STARVED_ENDED, "its requests are kept again")
        if ended:
            chosen = [True] * len(draws.scopes) if MODEL_SCOPE in ended else [s in ended for s in draws.scopes]
            draws.log_mass = np.where(np.array(chosen)[:, None], -np.inf, draws.log_mass)
        return bool(ended)

    def _record(self, model: str, scope: str, kind: str, reason: str) -> None:
        self._add_event(Event(uuid.uuid4().hex, time.time(), model, kind, scope, "gateway", reason, {}))


def _nothing(scopes: int) -> ServedTotals:
    return ServedTotals(np.zeros(scopes), np.zeros(scopes))
