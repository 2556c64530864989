"""The metrics of the record of incidents; the catalogue of verdicts contains them, for a judge keeps both."""

from collections.abc import Mapping

from tightrope.service.adapters.prometheus.metric import Component, Metric, MetricKind

RECORD_METRICS: Mapping[str, Metric] = {
    "record_skipped_inputs": Metric(
        MetricKind.COUNTER,
        Component.JUDGE,
        "Inputs of the judgement that are not in the record of incidents: the disk was full, or slower than the judge.",
        "inputs",
        {},
    ),
    "record_bytes": Metric(
        MetricKind.GAUGE, Component.JUDGE, "Size of the segments of the record of incidents.", "bytes", {}
    ),
    "record_disk_short": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "1 while the volume has less free space than `record.reserve_bytes`: what belongs to no incident is deleted, "
        "and nothing is recorded if that is not enough.",
        "0 or 1",
        {},
    ),
    "incidents_open": Metric(
        MetricKind.GAUGE, Component.JUDGE, "Incidents that are open in the record.", "incidents", {"model": ()}
    ),
}
"""The metrics of the size of the record, of what it lacks, and of open incidents."""
