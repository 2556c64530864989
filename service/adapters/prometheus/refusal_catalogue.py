"""The metrics of refusals, and of classes that are asked again; `catalogue.py` contains them.

A gateway counts on the rows that it ran: exact, and the same sums as the answers' own parameters. A worker counts on
the compared rows, which both models ran: a share of them is a rate of either model, also of the one that does not
answer.
"""

from collections.abc import Mapping

from tightrope.monitors.records import Role
from tightrope.service.adapters.prometheus.metric import Component, LabelValues, Metric, MetricKind

REFUSAL_ACTIONS = ("flag", "escalate", "abstain")
"""The actions of a refusal rule."""

OF_MODEL: LabelValues = {"model": ()}
OF_ROLE: LabelValues = {**OF_MODEL, "role": tuple(Role)}


def _rows(component: Component, text: str, labels: LabelValues) -> Metric:
    return Metric(MetricKind.COUNTER, component, text, "rows", labels)


REFUSAL_METRICS: Mapping[str, Metric] = {
    "refusals": _rows(
        Component.GATEWAY,
        "Rows on which the answering role was too uncertain.",
        {**OF_ROLE, "action": REFUSAL_ACTIONS},
    ),
    "would_refuse": _rows(
        Component.GATEWAY,
        "Rows that a role ran for callers and was too uncertain of, also where the other role's answer was given.",
        OF_ROLE,
    ),
    "escalations": _rows(
        Component.GATEWAY,
        "Rows run again on the baseline: the compressed model refused them, or said a class that is asked again.",
        OF_MODEL,
    ),
    "asked_classes": Metric(
        MetricKind.GAUGE,
        Component.GATEWAY,
        "Classes to which the safe mode of the whole model is narrowed: answers that say one are asked again.",
        "classes",
        OF_MODEL,
    ),
    "compared_refusals": _rows(
        Component.WORKER, "Compared rows that a role refuses, answered by it or by the other.", OF_ROLE
    ),
}
