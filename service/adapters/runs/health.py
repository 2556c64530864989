"""The metrics of runs that hang, brought up to date before every scrape."""

from collections.abc import Callable, Mapping
from typing import Protocol

from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import Model
from tightrope.service.adapters.prometheus.metric import Component
from tightrope.service.adapters.prometheus.run_catalogue import BREAKER_GAUGES, EXPIRED_COUNTERS
from tightrope.service.adapters.runs.watched_runs import runs_of


class ServedPair(Protocol):
    """Two models that are served under one name."""

    @property
    def models(self) -> Mapping[Role, Model]:
        """The models by their roles."""


class RunMetrics(Protocol):
    """Metrics of the runs of a component."""

    def before_scrape(self, step: Callable[[], None]) -> None:
        """Call ``step`` before every scrape."""

    def record_counts(self, counts: Mapping[str, Mapping[tuple[str, ...], float]]) -> None:
        """Add to counters, by their names in the catalogue and their labels' values."""

    def set_hanging(self, gauge: str, model: str, role: str, *, hanging: bool) -> None:
        """Show whether a model gets no requests because it hangs."""


class RunHealth:
    """The metrics of the models of a component; ``pairs`` may change while it serves."""

    def __init__(self, component: Component, pairs: Mapping[str, ServedPair], metrics: RunMetrics) -> None:
        self._counter, self._gauge = EXPIRED_COUNTERS[component], BREAKER_GAUGES[component]
        self._pairs = pairs
        self._metrics = metrics
        metrics.before_scrape(self.update)

    def update(self) -> None:
        """Count the runs that expired since the last time, and show the models that hang."""
        for name, pair in list(self._pairs.items()):
            for role, model in pair.models.items():
                if (runs := runs_of(model)) is None:
                    continue
                if expired := runs.breaker.take_expired():
                    self._metrics.record_counts({self._counter: {(name, role): expired}})
                self._metrics.set_hanging(self._gauge, name, role, hanging=runs.breaker.is_open)
