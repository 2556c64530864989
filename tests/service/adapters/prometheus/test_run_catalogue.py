"""The metrics of runs are part of the catalogue."""

from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.adapters.prometheus.run_catalogue import BREAKER_GAUGES, EXPIRED_COUNTERS, RUN_METRICS


def test_catalogue_has_the_metrics_of_runs() -> None:
    """Under the same names, each set by the component that uses its name."""
    assert RUN_METRICS.items() <= METRICS.items()
    for names in (EXPIRED_COUNTERS, BREAKER_GAUGES):
        assert {component: METRICS[name].component for component, name in names.items()} == {one: one for one in names}
