"""The metric of refused connections is part of the catalogue."""

from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.adapters.prometheus.connection_catalogue import CONNECTION_LIMITS, CONNECTION_METRICS, PIPELINED
from tightrope.service.config.process.limits import LimitsSection


def test_catalogue_has_the_metric_of_refused_connections() -> None:
    """Its reasons are keys of `server.limits`, but for the limit that has none."""
    assert CONNECTION_METRICS.items() <= METRICS.items()
    assert set(CONNECTION_LIMITS) - {PIPELINED} <= LimitsSection.model_fields.keys()
