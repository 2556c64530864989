"""The gauges of what lets a model serve, and of who answers for it."""

from collections.abc import Mapping

from tightrope.service.adapters.prometheus.metric_set import MetricSet
from tightrope.service.adapters.prometheus.qualification_catalogue import QUALIFICATION_VERDICTS


class QualificationMetrics(MetricSet):
    """Shows by which statement each model serves, and who answers for it."""

    def set_model_info(self, model: str, owner: str, page: str, mode: str) -> None:
        """Show a model's owner, empty for none, when its alerts page, and its written mode."""
        self.model_info.labels(model, owner, page, mode).set(1)

    def set_qualification(
        self, model: str, verdict: str, expires: float | None, numerics: Mapping[str, tuple[float, float]]
    ) -> None:
        """Show the verdict, the expiry in seconds since the epoch, and each role's distance from the golden answers
        with its bound.
        """
        for each in QUALIFICATION_VERDICTS:
            self.qualification_info.labels(model, each).set(each == verdict)
        if expires is not None:
            self.qualification_expiry_timestamp_seconds.labels(model).set(expires)
        for role, (distance, bound) in numerics.items():
            self.numerics_distance.labels(model, role).set(distance)
            self.numerics_bound.labels(model, role).set(bound)

    def set_requalification(self, model: str, made: float | None, *, changed: bool, failed: bool) -> None:
        """Show when the newest statement on kept rows was ``made`` (seconds since the epoch; None without one), whether
        its verdict is another one, and whether the latest attempt failed.
        """
        self.requalification_changed.labels(model).set(changed)
        self.requalification_failed.labels(model).set(failed)
        if made is not None:
            self.requalification_timestamp_seconds.labels(model).set(made)
