from prometheus_client import CollectorRegistry

from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.prometheus.recording.catalogue import AUDIT_METRICS, RECORD_METRICS


def test_every_metric_of_the_record_and_of_the_trail_can_be_set() -> None:
    """Each has one attribute."""
    metrics = Metrics(CollectorRegistry())
    names = {f"tightrope_{name}" for name in (*RECORD_METRICS, *AUDIT_METRICS)}
    assert {each._name for each in vars(metrics.record).values()} == names
    metrics.record.audit_head_number.set(7)
    assert metrics.registry.get_sample_value("tightrope_audit_head_number") == 7
