"""The metrics of the record of incidents and of the audit trail; the catalogue of verdicts contains them, for a judge
keeps both.
"""

from collections.abc import Mapping

from tightrope.service.adapters.prometheus.metric import Component, Metric, MetricKind

COPY_FAULTS = ("incomplete", "damaged", "no_room")
"""Incomplete: the last piece came, and another one is missing. Damaged: the pieces do not match the digest. No room:
the gateway's disk is full, or the pieces are more than `record.most_bytes`.
"""

RECORD_METRICS: Mapping[str, Metric] = {
    "record_skipped_inputs": Metric(
        MetricKind.COUNTER,
        Component.JUDGE,
        "Inputs of the judgement that are not in the record of incidents: the disk was full, slower than the judge, or "
        "could not be written; the log and the event `record-stopped` say why.",
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
    "record_stopped": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "1 while the judgement of a model is not recorded; the event `record-stopped` says why.",
        "0 or 1",
        {"model": ()},
    ),
    "incidents_open": Metric(
        MetricKind.GAUGE, Component.JUDGE, "Incidents that are open in the record.", "incidents", {"model": ()}
    ),
    "incidents_unpublished": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "Incidents of the record that the gateways of the cluster do not have yet as they are.",
        "incidents",
        {},
    ),
    "incident_faults": Metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "Times that the published file of an incident was not whole: when its last piece came, or it was asked for.",
        "times",
        {"reason": COPY_FAULTS},
    ),
}
"""The metrics of the size of the record, of what it lacks, of open incidents, and of their way to the gateways."""

AUDIT_METRICS: Mapping[str, Metric] = {
    "audit_head_number": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "The number of the event that the signed head of the trail has; in a cluster, that of all compared events.",
        "events",
        {},
    ),
    "audit_head_timestamp_seconds": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "Time at which the head of the audit trail was signed last: with each event, and each hour; in a cluster, at"
        " which the judge kept the heads of all writers.",
        "seconds since 1970",
        {},
    ),
    "audit_verified_timestamp_seconds": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "Time at which all links of the audit trail were compared last; at first that of the start.",
        "seconds since 1970",
        {},
    ),
    "audit_problems": Metric(
        MetricKind.GAUGE,
        Component.JUDGE,
        "Places at which the audit trail was changed, up to 20; `tightrope audit verify` names them.",
        "places",
        {},
    ),
}
"""The metrics of the chain of events; in a cluster, of all chains on the topic of events, at each judge."""
