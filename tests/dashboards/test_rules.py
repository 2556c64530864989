"""Every alert is about something that exists, is explained, and has been seen to fire and to stay silent."""

import re

import pytest

from tests.support.observability import debian_servers
from tests.support.observability.alert_rules import RULES, alerts, expected, rules
from tests.support.observability.promql import selectors
from tightrope.monitors.records import Outcome
from tightrope.service.adapters.prometheus.catalogue import CATALOGUE

SHOWN = {metric.full_name(name): metric for name, metric in CATALOGUE.items()}
RECORDED = {rule["record"]: rule for rule in rules("recording.yml")}
FILES = ("recording.yml", "alerts.yml")
TESTS = sorted(path.name for path in RULES.glob("*_test.yml"))
OWN = {"sight", "latency"}
"""Monitors that are none of the catalogue's questions."""


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    """Syntax, functions, templates, names."""
    code, said = debian_servers.said(
        "promtool", "check", "rules", "--lint=all", "--lint-fatal", *(RULES / f for f in FILES)
    )
    assert code == 0, said


@pytest.mark.parametrize("file", TESTS)
def test_promtool_proves_the_rules(file: str) -> None:
    """Given these series, these alerts fire, and no others."""
    code, said = debian_servers.said("promtool", "test", "rules", RULES / file)
    assert code == 0, said


@pytest.mark.parametrize("name", alerts())
def test_alert_has_been_seen_to_fire_and_to_stay_silent(name: str) -> None:
    """Both, in promtool's tests; only the watchdog never is silent."""
    cases = expected()[name]
    assert any(cases)
    assert name == "TightropeWatchdog" or not all(cases)


def test_promtools_tests_are_of_alerts_that_exist() -> None:
    """A test of an alert that is gone would pass for ever if it must be silent."""
    assert set(expected()) == set(alerts())


@pytest.mark.parametrize("rule", [*rules("recording.yml"), *rules("alerts.yml")], ids=lambda r: r.get("alert", ""))
def test_rule_asks_for_metrics_labels_and_values_that_exist(rule: dict[str, str]) -> None:
    """In the catalogue, in another rule, or Prometheus' own `up`."""
    for name, labels in selectors(rule["expr"]):
        if name in {"up", *RECORDED}:
            continue
        metric = SHOWN[name]
        assert set(labels) <= set(metric.labels)
        for label, value in labels.items():
            listed = metric.labels[label] or {"model", *OWN} if label != "outcome" else metric.labels[label] or Outcome
            assert set(value.split("|")) <= {*map(str, listed)}


@pytest.mark.parametrize("name", alerts())
def test_alert_says_all_that_is_needed(name: str) -> None:
    """Whom it wakes, what is wrong, what to do, where to look; in that alert's own labels."""
    alert = alerts()[name]
    assert alert["labels"]["severity"] in {"page", "ticket", "none"}
    more = {"report_url"} if name == "TightropeDrift" else set()
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"} | more
    assert alert["annotations"]["runbook_url"].endswith(f"#{name.lower()}")
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values())))
    fired = next(labels for case in expected()[name] for labels in case)
    assert used <= set(fired)
    assert fired["severity"] == alert["labels"]["severity"]


def test_recorded_series_are_used() -> None:
    """By an alert; a rule that nobody reads is evaluated for nothing."""
    read = {name for rule in rules("alerts.yml") for name, _ in selectors(rule["expr"])}
    assert set(RECORDED) - read <= DRAWN


DRAWN = {"model:tightrope_requests:rate5m", "model_scope:tightrope_disagreements:ratio_rate5m"}
"""Those that are for people to look at."""
