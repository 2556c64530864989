"""The runbook explains each alert under its name."""

import re

import pytest

from docs.generate import PAGES
from tests.support.observability.alert_rules import HOME, alerts
from tightrope.service.adapters.prometheus.catalogue import METRICS

TEXT = (HOME / "runbook.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")[1:]}


def test_headings_are_the_alerts() -> None:
    """There is one heading per alert, in the order of the rules."""
    assert list(SECTIONS) == list(alerts())


@pytest.mark.parametrize("name", SECTIONS)
def test_section_has_its_three_parts(name: str) -> None:
    """Meaning, where to look, what to do: in this order."""
    assert re.findall(r"^\*\*(.+?)\.\*\*", SECTIONS[name], re.MULTILINE) == ["Means", "Look at", "Do"]


def test_links_within_the_page_lead_to_headings() -> None:
    """That includes the anchors of the alerts."""
    anchors = {name.lower() for name in SECTIONS}
    assert set(re.findall(r"\]\(#(.+?)\)", TEXT)) <= anchors
    assert {alert["annotations"]["runbook_url"].partition("#")[2] for alert in alerts().values()} == anchors


def test_named_metrics_and_settings_exist() -> None:
    """An outdated name would mislead the reader."""
    metrics = {metric.full_name(name) for name, metric in METRICS.items()}
    assert set(re.findall(r"`(tightrope_\w+)`", TEXT)) <= metrics
    keys = set(re.findall(r"`((?:safe_mode|alarms|labels|latency|sampling)\.\w+)`", TEXT))
    assert len(keys) > 5
    configuration = PAGES["configuration.md"]()
    assert [key for key in keys if f"{key}`" not in configuration] == []


@pytest.mark.parametrize(
    "name",
    ["Blind", "LogWentBack", "ShadowBehind", "PermissionMissing", "TopicMismatch", "JudgesSilent", "JudgeMissing",
     "PlanUnjudged", "RowsStale", "JudgeFailing", "DeadRecords", "RecordsRefused", "UnsignedAccepted"],
)  # fmt: skip
def test_alerts_of_a_cluster_begin_with_the_doctor(name: str) -> None:
    """It is the first thing to look at."""
    look_at = SECTIONS[f"Tightrope{name}"].partition("**Look at.** ")[2]
    assert "`tightrope doctor CONFIG`" in look_at.partition(". ")[0]
