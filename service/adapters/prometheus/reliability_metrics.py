"""The gauges of reliability curves."""

from prometheus_client import Gauge

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.monitors.reliability.curves import ReliabilityCurve
from tightrope.monitors.status.reliability import ModelReliability
from tightrope.service.adapters.prometheus.metric_set import MetricSet
from tightrope.service.adapters.prometheus.verdict_catalogue import BIN_NUMBERS, SUBGROUP_BINS


class ReliabilityMetrics(MetricSet):
    """The part of all metrics that shows reliability curves."""

    def set_reliability(self, model: str, found: ModelReliability | None) -> None:
        """Show both models' curves; a bin without labels is not a number. Nothing where there are no curves."""
        for scope in found.scopes if found else ():
            for curve in scope.curves:
                _set(self.calibration_error, (model, curve.role, scope.scope), curve.ece)
                if scope.scope == MODEL_SCOPE:
                    self._set_model_curve(model, curve)
                    continue
                for name, each in zip(SUBGROUP_BINS, curve.bins, strict=False):
                    error = (
                        None if each.confidence is None or each.accuracy is None else each.confidence - each.accuracy
                    )
                    _set(self.subgroup_overconfidence, (model, curve.role, scope.scope, name), error)

    def _set_model_curve(self, model: str, curve: ReliabilityCurve) -> None:
        for number, each in zip(BIN_NUMBERS, curve.bins, strict=False):
            labels = model, curve.role, number
            _set(self.reliability_confidence, labels, each.confidence)
            _set(self.reliability_accuracy, labels, each.accuracy)
            _set(self.reliability_lower, labels, each.low)
            _set(self.reliability_upper, labels, each.high)


def _set(gauge: Gauge, labels: tuple[str, ...], value: float | None) -> None:
    gauge.labels(*labels).set(float("nan") if value is None else value)
