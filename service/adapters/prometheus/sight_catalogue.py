"""The metrics of requests that no judge sees; `catalogue.py` contains them."""

from collections.abc import Mapping

from tightrope.service.adapters.prometheus.metric import Component, LabelValues, Metric, MetricKind

SIGHT_LABELS: LabelValues = {"model": (), "scope": ()}

SIGHT_METRICS: Mapping[str, Metric] = {
    "starved": Metric(
        MetricKind.GAUGE,
        Component.GATEWAY,
        "1 while fewer than half of the requests that the draw should keep are kept: the baseline answers the scope.",
        "0 or 1",
        SIGHT_LABELS,
    ),
    "lost": Metric(
        MetricKind.GAUGE,
        Component.GATEWAY,
        "1 while fewer than half of the rows that were kept up to a minute ago are judged.",
        "0 or 1",
        SIGHT_LABELS,
    ),
}
"""The metrics of the draw, and of the way to the judge."""
