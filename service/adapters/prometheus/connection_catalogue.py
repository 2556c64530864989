"""The metrics of connections that a gateway refuses or ends, and of spans that it exports; `catalogue.py` has them."""

from collections.abc import Mapping

from tightrope.service.adapters.prometheus.metric import Component, Metric, MetricKind
from tightrope.service.adapters.telemetry.span_queue import EXPORT_FAILED, QUEUE_FULL

PIPELINED = "pipelined"
"""The reason of a connection on which too many requests wait: this limit has no key."""

CONNECTION_LIMITS = (
    "url_bytes",
    "headers",
    "header_bytes",
    "head_seconds",
    "body_seconds",
    "connections",
    "connections_per_peer",
    PIPELINED,
)
"""The keys of `server.limits` that bound connections, heads and the time of bodies."""

CONNECTION_METRICS: Mapping[str, Metric] = {
    "refused_connections": Metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "HTTP connections that were refused or ended, by the key of `server.limits` that they exceeded.",
        "connections",
        {"reason": CONNECTION_LIMITS},
    ),
    "spans_exported": Metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "Spans of requests that the collector of `telemetry.otlp_endpoint` took.",
        "spans",
        {},
    ),
    "spans_dropped": Metric(
        MetricKind.COUNTER,
        Component.GATEWAY,
        "Spans of requests that no collector got: the queue was full, or an export failed.",
        "spans",
        {"reason": (QUEUE_FULL, EXPORT_FAILED)},
    ),
}
