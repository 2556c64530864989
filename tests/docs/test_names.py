"""Every setting, chart value, metric, alert, dashboard, heading and file that a hand-written page names exists."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from docs.generate import HERE, PAGES
from tests.house.sources import ROOT
from tests.support.observability.alert_rules import HOME, alerts, document
from tests.support.observability.dashboard_queries import all_queries
from tightrope.dashboards.boards import GATEWAY, GRAFANA, RUNBOOK, boards
from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.config.process.alerts import AlertsSection

WRITTEN = [path for path in (*HERE.glob("*.md"), *ROOT.glob("*.md"), HOME / "runbook.md") if path.name not in PAGES]
KEYS = set(re.findall(r"^\| `([\w.]+)`", PAGES["configuration.md"](), re.MULTILINE))
SECTIONS = {key.partition(".")[0] for key in KEYS if "." in key} - {"models"}
VALUES = YAML(typ="safe").load(ROOT / "helm" / "values.yaml")
METRIC_NAMES = {metric.full_name(name) for name, metric in METRICS.items()}
DASHBOARD_TITLES = {board["title"].rpartition(" / ")[2] for board in boards().values()}
PANEL_TITLES = {tuple(query.where.split(" / ")[1:3]) for query in all_queries()}
FILES = re.compile(r"\.(db|py|yml|json|onnx)$")
FOLDERS = ("service", "tightrope", "monitors", "shadow", "dashboards", "demo", "docs", "tests", "helm", "benchmarks")


def is_setting(name: str) -> bool:
    """Return whether a name is a configuration key or section; pages may leave out the prefix of a model."""
    return any(name in (key, key.rpartition(".")[0], key.removeprefix("models.NAME.")) for key in KEYS)


def is_value(name: str) -> bool:
    """Return whether a name is a value of the chart; below `config` it is a configuration key."""
    first, _, rest = name.partition(".")
    if first == "config":
        return is_setting(rest) or rest in SECTIONS | {"bus.kafka"}
    values = VALUES
    for part in name.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def named(text: str) -> set[str]:
    """Return the dotted names of settings and values in a page's code spans, with a role in place of ROLE."""
    spans = {span.replace(".ROLE.", ".baseline.") for span in re.findall(r"`([A-Za-z_]+(?:\.[A-Za-z_]+)+)`", text)}
    return {s for s in spans if s.partition(".")[0] in {*SECTIONS, "models", *VALUES} and not FILES.search(s)}


def boards_named(text: str) -> list[tuple[str, str]]:
    """Return the dashboards that a page names, each with the panel that follows it, if any."""
    return re.findall(r"dashboard\s+\*(\w+)\*(?:,\s+\*([^*]+)\*)?", text)


def links(text: str) -> list[tuple[str, str]]:
    """Return the links to headings: page and anchor."""
    return re.findall(r"\]\(([^)#]*)#([^)]+)\)", text)


def files_named(text: str) -> set[str]:
    """Return the files below the source folders that a page names in code spans; patterns and placeholders stay out."""
    return set(re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+\.\w+)`", text))


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_settings_and_values_that_a_page_names_exist(page: Path) -> None:
    """The program and the chart accept every key that a page recommends."""
    assert [name for name in sorted(named(page.read_text())) if not is_setting(name) and not is_value(name)] == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A module that moves is moved in the pages too."""
    assert [name for name in sorted(files_named(page.read_text())) if not (ROOT / name).is_file()] == []


def test_names_are_found() -> None:
    """The checks see names in the pages, and they reject wrong ones."""
    whole = "".join(page.read_text() for page in WRITTEN)
    assert len(named(whole)) > 20
    assert len(boards_named(whole)) > 5
    assert len(links(whole)) > 5
    assert len(files_named(whole)) > 20
    assert not any(map(is_setting, ("alerts.gatewy", "models.NAME.limit", "safe_mode.dwell")))
    assert not any(map(is_value, ("metrics.rule", "worker.keda.lag", "config.alert")))


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_metrics_and_alerts_that_a_page_names_exist(page: Path) -> None:
    """Pages use full names, in code or in a link."""
    text = page.read_text()
    assert set(re.findall(r"`(tightrope_\w+)", text)) <= METRIC_NAMES
    assert set(re.findall(r"[`\[](Tightrope[A-Z]\w+)[`\]]", text)) <= set(alerts())


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_dashboards_and_panels_that_a_page_names_exist(page: Path) -> None:
    """The phrase "dashboard *Pipeline*, *Models elsewhere*" names a dashboard and one of its panels."""
    for board, panel in boards_named(page.read_text()):
        assert board in DASHBOARD_TITLES
        assert not panel or (board, panel) in PANEL_TITLES


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_headings_that_a_page_links_to_exist(page: Path) -> None:
    """The anchor of a link is a heading of the same or of another page."""
    for target, anchor in links(page.read_text()):
        if not target.startswith("http"):
            other = page.parent / target if target else page
            headings = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_addresses_in_the_rules_are_the_settings_defaults() -> None:
    """Without addresses of its own, an installation gets the same alert from the judge and from Prometheus."""
    assert (AlertsSection().grafana, AlertsSection().runbook, AlertsSection().gateway) == (GRAFANA, RUNBOOK, GATEWAY)


def test_scrape_job_matches_rules_and_dashboards() -> None:
    """The shipped Prometheus configuration names its job as the queries expect; tests/helm checks the chart's jobs."""
    expressions = [*(query.plain for query in all_queries()), *(alert["expr"] for alert in alerts().values())]
    jobs = {job for expression in expressions for job in re.findall(r'job=~"([^"]+)"', expression)}
    assert jobs
    for job in document(HOME / "prometheus.yml")["scrape_configs"]:
        assert all(re.fullmatch(pattern, job["job_name"]) for pattern in jobs)
    assert all(name.startswith("Tightrope") for name in alerts()), "dashboards and inhibitions select by this prefix"
