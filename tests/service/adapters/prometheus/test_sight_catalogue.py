from tightrope.service.adapters.prometheus.catalogue import METRICS, SCOPE_LABELS
from tightrope.service.adapters.prometheus.sight_catalogue import SIGHT_LABELS, SIGHT_METRICS


def test_catalogue_has_the_metrics_of_requests_that_no_judge_sees() -> None:
    """By scope, the model among them."""
    assert SIGHT_METRICS.items() <= METRICS.items()
    assert SIGHT_LABELS == SCOPE_LABELS
