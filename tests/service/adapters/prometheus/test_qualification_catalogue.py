from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.adapters.prometheus.qualification_catalogue import OF_STATEMENT, QUALIFICATION_METRICS
from tightrope.service.adapters.prometheus.verdict_catalogue import MODEL_LABELS


def test_catalogue_has_the_metrics_of_what_lets_a_model_serve() -> None:
    """By model."""
    assert QUALIFICATION_METRICS.items() <= METRICS.items()
    assert OF_STATEMENT == MODEL_LABELS
