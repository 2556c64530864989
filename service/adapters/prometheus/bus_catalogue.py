"""The metrics of the log between gateways, workers and judges; `catalogue.py` contains them."""

from collections.abc import Mapping

from tightrope.service.adapters.prometheus.metric import Component, LabelValues, Metric, MetricKind
from tightrope.service.adapters.topics import (
    ALL_TOPICS,
    COMPARISONS,
    CONTROL,
    EVENTS,
    INCIDENTS,
    INTAKE_GROUP,
    JUDGES_GROUP,
    LABELS,
    PAYLOADS,
    POSITION_TOPICS,
    SAMPLES,
    SNAPSHOTS,
    WORKERS_GROUP,
    topic,
)

UNDELIVERED_REASONS = ("too_large", "refused", "not_permitted", "after_a_loss", "shutdown")
"""Reasons for which a record was never delivered."""

REFUSAL_REASONS = ("unsigned", "forged", "old")
"""Reasons for which a record's signature is refused; old: from before the secret, which compacted topics keep."""

LOG_RESET_REASONS = ("made_anew", "beyond_end", "lost", "older")
"""Made anew: another topic under the same name. Beyond end: a stored position lies there. Lost: a model's snapshot is
gone. Older: the snapshot is older than the published modes.
"""

READ_TOPICS = tuple(map(topic, (SAMPLES, COMPARISONS, LABELS, CONTROL, SNAPSHOTS, EVENTS, PAYLOADS, INCIDENTS)))
WRITTEN_TOPICS = tuple(map(topic, ALL_TOPICS))
CHECKED_LABELS: LabelValues = {"topic": tuple(map(topic, (CONTROL, COMPARISONS, SNAPSHOTS, INCIDENTS)))}


def _metric(kind: MetricKind, component: Component, unit: str, text: str, labels: LabelValues) -> Metric:
    return Metric(kind, component, text, unit, labels)


BUS_METRICS: Mapping[str, Metric] = {
    "dead_records": _metric(
        MetricKind.COUNTER,
        Component.WORKER,
        "records",
        "Records that could not be read, by topic.",
        {"topic": READ_TOPICS},
    ),
    "records_refused": _metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "records",
        "Records that no reader got, because the secret of the cluster did not sign them.",
        {**CHECKED_LABELS, "reason": REFUSAL_REASONS},
    ),
    "records_accepted_unsigned": _metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "records",
        "Records without a signature that `signing.unsigned: accept` let through.",
        CHECKED_LABELS,
    ),
    "lag_records": _metric(
        MetricKind.GAUGE,
        Component.WORKER,
        "records",
        "Records published and not read yet.",
        {"reader": (WORKERS_GROUP, JUDGES_GROUP, INTAKE_GROUP)},
    ),
    "rebalances": _metric(
        MetricKind.COUNTER,
        Component.WORKER,
        "times",
        "Rebalances of a consumer group.",
        {"reader": (WORKERS_GROUP, JUDGES_GROUP)},
    ),
    "undelivered_records": _metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "records",
        "Records that were never delivered to the bus.",
        {"topic": WRITTEN_TOPICS, "reason": UNDELIVERED_REASONS},
    ),
    "topic_mismatch": _metric(
        MetricKind.GAUGE,
        Component.GATEWAY,
        "0 or 1",
        "1 while a topic is missing, or has another number of partitions than the configuration.",
        {"topic": WRITTEN_TOPICS},
    ),
    "log_resets": _metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "times",
        "Logs that went back: what was read of them means nothing now, and their readers began again.",
        {"topic": POSITION_TOPICS, "reason": LOG_RESET_REASONS},
    ),
    "permission_missing": _metric(
        MetricKind.GAUGE,
        Component.GATEWAY,
        "0 or 1",
        "1 while the brokers do not grant this process a permission that it needs on a topic or a group.",
        {"resource": (*WRITTEN_TOPICS, WORKERS_GROUP, JUDGES_GROUP, INTAKE_GROUP)},
    ),
    "bus_waiting_records": _metric(
        MetricKind.GAUGE, Component.GATEWAY, "records", "Records that the bus has not acknowledged yet.", {}
    ),
}
