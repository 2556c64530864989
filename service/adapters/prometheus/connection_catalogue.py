"""The metric of connections that a gateway refuses or ends; `catalogue.py` contains it."""

from collections.abc import Mapping

from tightrope.service.adapters.prometheus.metric import Component, Metric, MetricKind

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
    )
}
