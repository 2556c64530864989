"""Whoever is woken finds the alert's name in the runbook, and under it what to do."""

import re

import pytest

from docs.generate import PAGES
from tests.support.observability.alert_rules import HOME, alerts
from tightrope.service.adapters.prometheus.catalogue import CATALOGUE

TEXT = (HOME / "runbook.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")[1:]}


def test_headings_are_the_alerts() -> None:
    """All of them, in the order of the rules, and nothing that is gone."""
    assert list(SECTIONS) == list(alerts())


@pytest.mark.parametrize("name", SECTIONS)
def test_section_says_what_it_means_where_to_look_and_what_to_do(name: str) -> None:
    """In this order."""
    assert re.findall(r"^\*\*(.+?)\.\*\*", SECTIONS[name], re.MULTILINE) == ["Means", "Look at", "Do"]


def test_links_within_the_page_lead_to_headings() -> None:
    """The anchors that alerts point to, too."""
    anchors = {name.lower() for name in SECTIONS}
    assert set(re.findall(r"\]\(#(.+?)\)", TEXT)) <= anchors
    assert {alert["annotations"]["runbook_url"].partition("#")[2] for alert in alerts().values()} == anchors


def test_metrics_and_settings_that_it_names_exist() -> None:
    """A name that has changed would send people looking for nothing."""
    metrics = {metric.full_name(name) for name, metric in CATALOGUE.items()}
    assert set(re.findall(r"`(tightrope_\w+)`", TEXT)) <= metrics
    keys = set(re.findall(r"`((?:safe_mode|alarms|labels|latency|sampling)\.\w+)`", TEXT))
    assert len(keys) > 5
    configuration = PAGES["configuration.md"]()
    assert [key for key in keys if f"{key}`" not in configuration] == []
