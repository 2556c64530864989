"""Metrics of a judge's models: the verdicts of those that have changed, at most once in five seconds."""

import time
from collections.abc import Callable, Collection, Mapping

from tightrope.monitors.migration import held_breaches
from tightrope.monitors.reliability.curve_sums import CurveSums
from tightrope.service.adapters.metrics_ports import JudgeMetrics
from tightrope.shadow.judgement_view import JudgementView

METRICS_REFRESH_SECONDS = 5.0
"""Time between two updates of the verdicts' metrics, a third of the usual time between two scrapes: hundreds of
verdicts take tens of milliseconds, in which an embedded server gives no answer. An event is shown at once.
"""


class JudgementMetrics:
    """Updates the metrics of the models in ``view`` that are marked as changed. ``clock`` is monotonic."""

    def __init__(self, metrics: JudgeMetrics, view: JudgementView, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._view = view
        self._clock = clock
        self._outdated: set[str] = set()
        self._updated = 0.0
        self._curves: dict[str, CurveSums] = {}

    def restart(self, models: Collection[str]) -> None:
        """Show these models and no others."""
        self._outdated = {*models}
        self._curves.clear()
        self._metrics.keep_judged_models(models)
        self.update()

    def mark(self, models: Collection[str], *, at_once: bool) -> None:
        """Mark models as changed, and update ``at_once`` or if it is time."""
        self._outdated |= {*models}
        if at_once:
            self.update()
        else:
            self.refresh()

    def refresh(self) -> None:
        """Update the metrics if it is time: between bursts of rows that would be several times a second."""
        if self._clock() - self._updated > METRICS_REFRESH_SECONDS:
            self.update()

    def update(self) -> None:
        """Update the metrics of the models that have changed since the last update."""
        for name in self._outdated:
            self._metrics.show_added(name, [added.scope for added in self._view.states[name].added])
            self._metrics.set_verdicts(name, self._view.verdicts(name))
            self._metrics.set_label_figures(self._view.states[name], name)
            self._update_curves(name)
            self._metrics.set_held_breaches(name, held_breaches(self._view.states[name]))
            self._metrics.set_state_unreadable(name, unread=any(mode.unread for mode in self._view.states[name].modes))
        self._outdated.clear()
        self._updated = self._clock()

    def _update_curves(self, name: str) -> None:
        """Show the reliability curves of a model if labels have come: their bands take longer than other figures."""
        sums = self._view.states[name].curves
        if self._curves.get(name) is not sums:
            self._curves[name] = sums
            self._metrics.set_reliability(name, self._view.reliability(name))


def record_uncounted(metrics: JudgeMetrics, repeated: Mapping[str, int], stale: Mapping[tuple[str, str], int]) -> None:
    """Count the rows of a round that are no evidence: delivered before, or, by reason, not covered by the plan."""
    for name, rows in repeated.items():
        metrics.record_repeated(name, rows)
    for (name, reason), rows in stale.items():
        metrics.record_stale(name, reason, rows)
