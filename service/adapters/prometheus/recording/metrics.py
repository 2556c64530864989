"""The metrics of the record of incidents and of the audit trail, as their watches set them."""

from typing import Protocol, TypeVar

from prometheus_client import Counter, Gauge, Histogram

T = TypeVar("T", bound=Counter | Gauge | Histogram)


class AddMetric(Protocol):
    """Adds the metric of a name in the catalogue."""

    def __call__(self, kind: type[T], name: str) -> T:
        """Return the new metric, of this type."""


class RecordMetrics:
    """The metrics in `RECORD_METRICS` and `AUDIT_METRICS`."""

    def __init__(self, add: AddMetric) -> None:
        self.record_skipped_inputs = add(Counter, "record_skipped_inputs")
        self.record_bytes = add(Gauge, "record_bytes")
        self.record_disk_short = add(Gauge, "record_disk_short")
        self.record_stopped = add(Gauge, "record_stopped")
        self.incidents_open = add(Gauge, "incidents_open")
        self.incidents_unpublished = add(Gauge, "incidents_unpublished")
        self.incident_faults = add(Counter, "incident_faults")
        self.audit_head_number = add(Gauge, "audit_head_number")
        self.audit_head_timestamp_seconds = add(Gauge, "audit_head_timestamp_seconds")
        self.audit_verified_timestamp_seconds = add(Gauge, "audit_verified_timestamp_seconds")
        self.audit_problems = add(Gauge, "audit_problems")
