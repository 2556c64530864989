"""What the pages written by hand name is there: settings, values of the chart, metrics, alerts, boards, headings."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from docs.generate import HERE, PAGES
from tests.support.observability.alert_rules import HOME, alerts, document
from tests.support.observability.dashboard_queries import everything
from tightrope.dashboards.boards import GATEWAY, GRAFANA, RUNBOOK, boards
from tightrope.service.adapters.prometheus.catalogue import CATALOGUE
from tightrope.service.config.loader import Alerts

ROOT = HERE.parent
WRITTEN = [path for path in (*HERE.glob("*.md"), ROOT / "README.md", HOME / "runbook.md") if path.name not in PAGES]
KEYS = set(re.findall(r"^\| `([\w.]+)`", PAGES["configuration.md"](), re.MULTILINE))
SECTIONS = {key.partition(".")[0] for key in KEYS if "." in key} - {"models"}
VALUES = YAML(typ="safe").load(ROOT / "helm" / "values.yaml")
METRICS = {metric.full_name(name) for name, metric in CATALOGUE.items()}
FILES = re.compile(r"\.(db|py|yml|json|onnx)$")


def is_setting(name: str) -> bool:
    """A key of the configuration, or a section of it; a page may leave out what is the same for every model."""
    return any(name in (key, key.rpartition(".")[0], key.removeprefix("models.NAME.")) for key in KEYS)


def is_value(name: str) -> bool:
    """A value of the chart; below `config` it is a key of the configuration."""
    first, _, rest = name.partition(".")
    if first == "config":
        return is_setting(rest) or rest in SECTIONS | {"bus.kafka"}
    found = VALUES
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def named(text: str) -> set[str]:
    """Dotted names of settings and values in a page's code spans; of a model's, without the roles."""
    spans = {span.replace(".ROLE.", ".baseline.") for span in re.findall(r"`([A-Za-z_]+(?:\.[A-Za-z_]+)+)`", text)}
    return {s for s in spans if s.partition(".")[0] in {*SECTIONS, "models", *VALUES} and not FILES.search(s)}


def boards_named(text: str) -> list[tuple[str, str]]:
    """Dashboards by their names, each with a panel of it where one follows."""
    return re.findall(r"dashboard\s+\*(\w+)\*(?:,\s+\*([^*]+)\*)?", text)


def links(text: str) -> list[tuple[str, str]]:
    """Pages and headings."""
    return re.findall(r"\]\(([^)#]*)#([^)]+)\)", text)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_settings_and_values_that_a_page_names_exist(page: Path) -> None:
    """A key that was renamed would be refused by whoever the page sends there."""
    assert [name for name in sorted(named(page.read_text())) if not is_setting(name) and not is_value(name)] == []


def test_names_are_found() -> None:
    """The look above sees what it should, and would see a mistake."""
    whole = "".join(page.read_text() for page in WRITTEN)
    assert len(named(whole)) > 20
    assert len(boards_named(whole)) > 5
    assert len(links(whole)) > 5
    assert not any(map(is_setting, ("alerts.gatewy", "models.NAME.limit", "safe_mode.dwell")))
    assert not any(map(is_value, ("metrics.rule", "worker.keda.lag", "config.alert")))


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_metrics_and_alerts_that_a_page_names_exist(page: Path) -> None:
    """By their full names, in code or in a link."""
    text = page.read_text()
    assert set(re.findall(r"`(tightrope_\w+)", text)) <= METRICS
    assert set(re.findall(r"[`\[](Tightrope[A-Z]\w+)[`\]]", text)) <= set(alerts())


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_dashboards_and_panels_that_a_page_names_exist(page: Path) -> None:
    """The dashboard *Pipeline*, *Models elsewhere*: a board, and after a comma one of its panels."""
    titles = {board["title"].rpartition(" / ")[2] for board in boards().values()}
    panels = {tuple(one.where.split(" / ")[1:3]) for one in everything()}
    for board, panel in boards_named(page.read_text()):
        assert board in titles
        assert not panel or (board, panel) in panels


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_headings_that_a_page_links_to_exist(page: Path) -> None:
    """In itself or in another page."""
    for target, anchor in links(page.read_text()):
        if not target.startswith("http"):
            other = page.parent / target if target else page
            headings = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings}


def test_addresses_in_the_rules_are_the_settings_defaults() -> None:
    """Whoever sets none gets the same alert from the judge and from Prometheus."""
    assert (Alerts().grafana, Alerts().runbook, Alerts().gateway) == (GRAFANA, RUNBOOK, GATEWAY)


def test_job_is_called_what_rules_and_dashboards_ask_for() -> None:
    """In the shipped configuration of Prometheus; the chart's jobs are in tests/helm."""
    asked = [*(one.plain for one in everything()), *(alert["expr"] for alert in alerts().values())]
    jobs = {found for expression in asked for found in re.findall(r'job=~"([^"]+)"', expression)}
    assert jobs
    for job in document(HOME / "prometheus.yml")["scrape_configs"]:
        assert all(re.fullmatch(pattern, job["job_name"]) for pattern in jobs)
    assert all(name.startswith("Tightrope") for name in alerts()), "what dashboards and inhibitions ask for"
