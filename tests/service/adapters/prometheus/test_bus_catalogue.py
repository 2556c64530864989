"""The metrics of the bus are part of the catalogue, and their reasons are those of the bus."""

from tightrope.service.adapters.kafka.signature import SIGNED_TOPICS, SignatureCheck
from tightrope.service.adapters.prometheus.bus_catalogue import BUS_METRICS, REFUSAL_REASONS
from tightrope.service.adapters.prometheus.catalogue import METRICS


def test_catalogue_has_the_metrics_of_the_bus() -> None:
    """Under the same names."""
    assert BUS_METRICS.items() <= METRICS.items()


def test_refused_records_are_counted_by_topic_and_reason() -> None:
    """Each signed topic, and each result of a check that refuses a record."""
    labels = BUS_METRICS["records_refused"].labels
    assert set(labels["topic"]) == SIGNED_TOPICS
    assert set(REFUSAL_REASONS) == set(SignatureCheck) - {SignatureCheck.GENUINE, SignatureCheck.ACCEPTED}
