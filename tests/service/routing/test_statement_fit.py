"""A statement fits a configuration that is no looser; test_qualification_gate.py judges whole statements."""

import msgspec
import pytest

from tightrope.service.routing.statement_fit import MAX_LIVE_LIMIT, statement_limits
from tightrope.service.statements.qualification import CriterionRecord


@pytest.mark.parametrize(
    ("criteria", "limits", "subgroup_limits"),
    [
        ({"disagreement": {"model": 0.07, "subgroups": 0.1}}, {"disagreement": 0.07}, {"disagreement": 0.1}),
        ({"disagreement": {"subgroups": {"limit": 0.1, "proof": "not_over"}}}, {}, {"disagreement": 0.1}),
        ({"class_miss": {"classes": 0.05}}, {"class_miss": 0.05}, {}),
        ({"disagreement": {"model": 0.9}}, {"disagreement": MAX_LIVE_LIMIT}, {}),
        ({"flip_gap": {"model": 0.02}, "latency_p99": {"ratio": 1.0}}, {}, {}),
    ],
)
def test_limits_of_live_monitors_are_taken_over(
    criteria: dict[str, object], limits: dict[str, float], subgroup_limits: dict[str, float]
) -> None:
    """No other criterion has a monitor; none is looser than evidence can hold."""
    read = msgspec.convert(criteria, dict[str, CriterionRecord])
    assert statement_limits(read) == (limits, subgroup_limits)
