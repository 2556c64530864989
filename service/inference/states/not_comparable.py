"""The metrics of requests whose states only one model knows, brought up to date before every scrape."""

from collections.abc import Callable, Mapping
from typing import Protocol

from tightrope.monitors.records import Role
from tightrope.service.inference.states.state_tensors import OWNED_STATE, StateTensors


class StatefulPair(Protocol):
    """A pair that may have states."""

    @property
    def states(self) -> StateTensors | None:
        """Its states."""


class StateMetrics(Protocol):
    """Metrics of a gateway."""

    def before_scrape(self, step: Callable[[], None]) -> None:
        """Call ``step`` before every scrape."""

    def record_counts(self, counts: Mapping[str, Mapping[tuple[str, ...], int]]) -> None:
        """Add to counters, by their names in the catalogue and their labels' values."""


class NotComparableCount:
    """Counts the requests of these pairs that would have been sampled, and those that the compressed model answered in
    safe mode, because it wrote their states; ``pairs`` may change while it serves.
    """

    def __init__(self, pairs: Mapping[str, StatefulPair], metrics: StateMetrics) -> None:
        self._pairs = pairs
        self._metrics = metrics
        metrics.before_scrape(self.update)

    def update(self) -> None:
        """Count those since the last time."""
        for name, pair in list(self._pairs.items()):
            if pair.states is None:
                continue
            if count := pair.states.take_not_comparable():
                self._metrics.record_counts({"not_comparable": {(name,): count}})
            if count := pair.states.take_unguarded():
                labels = (name, str(Role.COMPRESSED), OWNED_STATE)
                self._metrics.record_counts({"unmonitored_answers": {labels: count}})
