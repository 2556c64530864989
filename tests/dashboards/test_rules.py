"""The alert rules use existing metrics, are documented, and are tested both firing and silent."""

import re

import pytest

from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import RULES, alerts, expected, rules, severities
from tests.support.observability.promql import selectors
from tightrope.dashboards.installation import ALL_INSTALLATIONS, USUAL_LABELS
from tightrope.monitors.records import Outcome
from tightrope.service.adapters.prometheus.catalogue import METRICS

SHOWN = {metric.full_name(name): metric for name, metric in METRICS.items()}
RECORDED = {rule["record"]: rule for rule in rules("recording.yml")}
FILES = ("recording.yml", "alerts.yml")
TESTS = sorted(path.name for path in RULES.glob("*_test.yml"))
OWN = {"sight", "latency"}
"""Monitors that are not in the catalogue."""


def test_rules_pass_promtool() -> None:
    """It checks syntax, functions, templates and names."""
    code, output = debian_servers.run_tool(
        "promtool", "check", "rules", "--lint=all", "--lint-fatal", *(RULES / f for f in FILES)
    )
    assert code == 0, output


@pytest.mark.parametrize("file", TESTS)
def test_rules_pass_their_promtool_tests(file: str) -> None:
    """With the given series, exactly the expected alerts fire."""
    code, output = debian_servers.run_tool("promtool", "test", "rules", RULES / file)
    assert code == 0, output


@pytest.mark.parametrize("name", alerts())
def test_alert_is_tested_firing_and_silent(name: str) -> None:
    """Only the watchdog has no silent case."""
    cases = expected()[name]
    assert any(cases)
    assert name == "TightropeWatchdog" or not all(cases)


def test_promtool_tests_name_existing_alerts() -> None:
    """A test that expects a removed alert to be silent would always pass."""
    assert set(expected()) == set(alerts())


@pytest.mark.parametrize("rule", [*rules("recording.yml"), *rules("alerts.yml")], ids=lambda r: r.get("alert", ""))
def test_rule_selects_existing_metrics_labels_and_values(rule: dict[str, str]) -> None:
    """They are in the catalogue, in another rule, or Prometheus' own `up`."""
    for name, labels in selectors(rule["expr"]):
        if name in {"up", *RECORDED}:
            continue
        metric = SHOWN[name]
        assert set(labels) <= {*metric.labels, *USUAL_LABELS}
        for label, value in labels.items():
            if label in USUAL_LABELS:
                continue
            listed = metric.labels[label] or {"model", *OWN} if label != "outcome" else metric.labels[label] or Outcome
            assert set(value.split("|")) <= {*map(str, listed)}


@pytest.mark.parametrize(
    "rule", [*rules("recording.yml"), *rules("alerts.yml")], ids=lambda r: r.get("alert", r.get("record"))
)
def test_rule_keeps_and_selects_the_installation(rule: dict[str, str]) -> None:
    """Every selector has the matcher of the namespace, and every grouping and match begins with the labels."""
    expr = " ".join(rule["expr"].split())
    named = [selector for selector in selectors(expr) if selector.name]
    assert expr.count(ALL_INSTALLATIONS) == len(named)
    assert all("namespace" in labels for _, labels in named)
    groups = re.findall(r"\b(?:by|on) \(([^)]*)\)", expr)
    assert all(group.startswith("cluster, namespace") for group in groups if group)
    assert len(re.findall(r"(?<!:)\b(?:sum|max|min|count|avg)\b", expr)) == len(re.findall(r"\bby \(", expr))
    assert rule.get("alert") == "TightropeGatewayDown" or all(groups), "it matches across installations"


@pytest.mark.parametrize("name", alerts())
def test_alert_is_complete(name: str) -> None:
    """It has severity, summary, description, runbook and dashboard, and uses only its own labels."""
    alert = alerts()[name]
    assert {*severities(name)} <= {"page", "ticket", "none"}
    more = {"report_url"} if name == "TightropeDrift" else set()
    more |= ({"page_url"} if "var-scope" in alert["annotations"]["dashboard_url"] else set()) | {
        *({"measured"} & {*alert["annotations"]})
    }
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"} | more
    assert alert["annotations"]["runbook_url"].endswith(f"#{name.lower()}")
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
    fired = next(labels for case in expected()[name] for labels in case)
    assert used <= {*fired, *USUAL_LABELS}
    assert fired["severity"] in severities(name)


@pytest.mark.parametrize("name", alerts())
def test_alert_about_a_model_has_its_owner(name: str) -> None:
    """The label is looked up and no part of the expression: an alert fires without it, too."""
    alert = alerts()[name]
    fired = next(labels for case in expected()[name] for labels in case)
    assert ("owner" in alert["labels"]) == ("owner" in fired) == ("model" in fired)
    assert "tightrope_model_info" not in alert["expr"]


NOT_FOR_PEOPLE = r"(?i)\b(e-values?|scopes?|breach\w*|latched|safe mode|drift\w*|dwell|epoch|baseline|compressed)\b"
"""Words of the program that no text for people has; values of keys are spelled as they are written."""

KEYS = ("at_expiry is baseline", "otherwise is baseline")


@pytest.mark.parametrize("name", alerts())
def test_texts_have_the_words_of_people(name: str) -> None:
    """And say what callers get, or what to do."""
    annotations = alerts()[name]["annotations"]
    for key in {"summary", "description", "measured"} & {*annotations}:
        words = re.sub(r"{{.*?}}", "", annotations[key])
        for one in KEYS:
            words = words.replace(one, "")
        assert not re.search(NOT_FOR_PEOPLE, words), words
    if name != "TightropeWatchdog":
        told = r"[Cc]allers |answers |Look at|Put |Add |Make |Bring |Find |Give |Let |Qualify|says why|Read "
        assert re.search(told, annotations["description"])


def test_recorded_series_are_used() -> None:
    """An alert or a dashboard reads each of them."""
    read = {name for rule in rules("alerts.yml") for name, _ in selectors(rule["expr"])}
    assert set(RECORDED) - read <= DRAWN


DRAWN = {"model:tightrope_requests:rate5m", "model_scope:tightrope_disagreements:ratio_rate5m"}
"""Recorded series that only dashboards use."""
