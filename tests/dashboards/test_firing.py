"""The evaluator that the fault suite asks which alerts two scrapes make fire."""

import pytest

from tests.support.observability.alert_rules import alerts
from tests.support.observability.firing import Scrapes, firing

QUIET = """
tightrope_requests_total{model="m",outcome="ok"} 1
tightrope_safe_mode_active{model="m",scope="model"} 0
tightrope_model_failures_total{model="m",role="baseline",reason="failed"} 1
"""


def test_quiet_process_fires_nothing() -> None:
    """A failure before the first scrape is no increase, and a mode of 0 is no safe mode."""
    assert firing(QUIET, QUIET) == []


def test_level_increase_and_their_conjunction_fire() -> None:
    """A gauge fires by its value, a counter by its growth, and `and` where both sides have the model."""
    after = QUIET.replace('scope="model"} 0', 'scope="model"} 1').replace('"failed"} 1', '"failed"} 2')
    assert firing(QUIET, after) == ["TightropeSafeMode", "TightropeModelFailing", "TightropeBaselineFailing"]


def test_absent_series_fires() -> None:
    """A process without any request counter is no gateway."""
    assert firing("", "") == ["TightropeGatewayDown"]


@pytest.mark.parametrize("name", alerts())
def test_every_rule_can_be_evaluated(name: str) -> None:
    """A rule with syntax that the evaluator does not know would be an error in the fault suite."""
    assert isinstance(Scrapes({}, {}).holds(alerts()[name]["expr"]), bool)


@pytest.mark.parametrize(
    ("expression", "fires"),
    [
        ('x{a="1"} > 2', True),
        ('x{a="2"} > 2', False),
        ('x{a=~"2|1"} > 2', True),
        ('x{a!="1"} > 2', False),
        ("sum by (a) (rate(x[5m])) > 2", True),
        ("sum by (a) (rate(x[5m])) > 3", False),
        ("max(x) / on () max(y) < 2", True),
        ("x > 2 unless on (a) y", False),
        ("z or y > 1", True),
        ("-x > 0", False),
        ("(x - 4) / (x - 4) >= 0", False),
    ],
)
def test_syntax_means_the_same_as_in_prometheus(expression: str, fires: bool) -> None:  # noqa: FBT001 - a case
    """Matchers, ranges, arithmetic and set operations."""
    key = frozenset({("a", "1")})
    scrapes = Scrapes({"x": {key: 1.0}}, {"x": {key: 4.0}, "y": {key: 3.0}})
    assert scrapes.holds(expression) is fires
