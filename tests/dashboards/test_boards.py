"""The committed dashboards are those that are built, and each panel is complete."""

import json
import re
from pathlib import Path

import pytest

from tests.support.observability.alert_rules import alerts, rules
from tests.support.observability.dashboard_queries import Json, PanelQuery, all_queries, board_queries, panels
from tests.support.observability.promql import selectors
from tightrope.dashboards.boards import (
    DASHBOARDS_FOLDER,
    GATEWAY,
    GRAFANA,
    RULES,
    RUNBOOK,
    SHIPPED,
    boards,
    render,
    to_text,
)
from tightrope.dashboards.installation import USUAL_LABELS
from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.adapters.prometheus.metric import MetricKind

BOARDS = boards()
SHOWN = {metric.full_name(name): metric for name, metric in METRICS.items()}
RECORDED = {rule["record"] for rule in rules("recording.yml")}
PARTS = ("_bucket", "_sum", "_count")
OTHERS = {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}


@pytest.mark.parametrize("uid", BOARDS)
def test_committed_dashboard_is_what_is_built(uid: str) -> None:
    """`make docs` writes the files."""
    assert (SHIPPED / f"{uid}.json").read_text() == to_text(BOARDS[uid])


def test_no_obsolete_dashboard_is_committed() -> None:
    """A dashboard that is no longer built would be provisioned for ever."""
    assert {path.stem for path in SHIPPED.glob("*.json")} == set(BOARDS)


@pytest.mark.parametrize("uid", BOARDS)
def test_dashboard_has_tag_links_and_variables(uid: str) -> None:
    """Uid and tag are stable, it links to the others, the data source is a choice, and variables refresh."""
    board = BOARDS[uid]
    assert uid.startswith("tightrope-")
    assert board["tags"] == ["tightrope"]
    assert board["editable"] is False
    assert board["description"]
    assert board["links"][0]["tags"] == ["tightrope"]
    assert "id" not in board
    assert "version" not in board
    source, *others = board["templating"]["list"]
    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    assert all(one["refresh"] == 2 and one["datasource"]["uid"] == "${datasource}" for one in others)


@pytest.mark.parametrize("uid", BOARDS)
def test_panel_is_complete(uid: str) -> None:
    """It has a title, a description, a unit and a query to the chosen source; ids and letters are unique."""
    found = list(panels(BOARDS[uid]))
    assert len(found) > 5
    numbers = [panel["id"] for panel in found]
    assert len(set(numbers)) == len(numbers)
    for panel in found:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        letters = [target["refId"] for target in panel["targets"]]
        assert letters
        assert len(set(letters)) == len(letters)
        for target in [panel, *panel["targets"]]:
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("query", all_queries(), ids=lambda one: one.where)
def test_expression_selects_existing_metrics(query: PanelQuery) -> None:
    """Metrics and labels are in the catalogue or a recording rule; counters are used with rate or increase."""
    for name, labels in selectors(query.plain):
        if name in OTHERS | RECORDED:
            continue
        base = next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)
        metric = SHOWN[base]
        assert (base == name) == (metric.kind is not MetricKind.HISTOGRAM)
        assert set(labels) <= {*metric.labels, *USUAL_LABELS}
        if metric.kind is not MetricKind.GAUGE and name != "tightrope_reports_total":
            assert re.search(rf"(rate|increase)\({name}\b", query.plain)


SEVERAL = {"tightrope-fleet", "tightrope-pipeline"}
"""The dashboards that show several installations side by side."""


@pytest.mark.parametrize("uid", BOARDS)
def test_dashboard_keeps_and_selects_the_installation(uid: str) -> None:
    """Every selector is of the chosen installation; where several may be chosen, every series keeps the labels."""
    queries = [*board_queries(BOARDS[uid])]
    equals = "=~" if uid in SEVERAL else "="
    for expr in (query.expr for query in queries):
        named = [name for name, _ in selectors(expr.replace("$__rate_interval", "1m")) if name]
        for label in USUAL_LABELS:
            assert expr.count(f'{label}{equals}"${label}"') == len(named), expr
    for one in BOARDS[uid]["templating"]["list"][3:]:
        assert f'cluster{equals}"$cluster", namespace{equals}"$namespace"' in one["definition"]
    sums = {panel["title"] for panel in panels(BOARDS[uid]) if panel["type"] == "stat"}
    for query in queries if uid in SEVERAL else ():
        groups = re.findall(r"\bby \(([^)]*)\)", query.expr)
        assert all("cluster, namespace" in group for group in groups), query.expr
        assert groups or query.where.split(" / ")[2] in sums or not re.search(r"\b(sum|max|min)\b", query.expr)


@pytest.mark.parametrize("uid", BOARDS)
def test_variables_are_defined_and_used(uid: str) -> None:
    """Each variable lists the values of an existing metric's label."""
    board = BOARDS[uid]
    known = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", to_text(board)))
    assert used - {"__url_time_range", "__value"} == known
    for one in board["templating"]["list"][1:]:
        (name,) = re.findall(r"label_values\((\w+)", one["definition"])
        assert name in SHOWN


def test_alerts_link_to_existing_dashboards_and_variables() -> None:
    """Each alert has the address of a dashboard, and all but the watchdog of its installation and time; one about a
    scope leads to the dashboard about it.
    """
    for name, alert in alerts().items():
        uid, _, choice = alert["annotations"]["dashboard_url"].removeprefix(f"{GRAFANA}/d/").partition("?")
        uids = [uid] if uid in BOARDS else re.findall(r"tightrope-\w+", uid)
        chosen = re.findall(r"var-(\w+)=", choice)
        for one in uids:
            names = {variable["name"] for variable in BOARDS[one]["templating"]["list"]}
            assert {*chosen} - names <= ({"scope"} if len(uids) > 1 else set())
        if name != "TightropeWatchdog":
            assert chosen[:2] == [*USUAL_LABELS]
            assert re.search(r"&from={{.*}}&to=now$", choice)
        groups = re.match(r"\w+ by \(([^)]*)\)", " ".join(alert["expr"].split()))
        if groups and "scope" in groups[1]:
            assert (uids[-1], "scope" in chosen) == ("tightrope-subgroups", True)


def test_annotations_are_of_the_chosen_model() -> None:
    """One annotation query uses the metrics, the other the annotations that Tightrope posts."""
    for uid, board in BOARDS.items():
        measured, posted = board["annotations"]["list"]
        assert posted["datasource"]["uid"] == "-- Grafana --"
        tags = posted["target"]["tags"]
        one = uid in {"tightrope-model", "tightrope-subgroups"}
        assert tags == ["safe-mode", *(["model:$model", "cluster:$cluster", "namespace:$namespace"] if one else [])]
        assert ('model="$model"' in measured["expr"]) == one


SHOWN_ELSEWHERE = {
    "tightrope_drift_rows",
    "tightrope_drift_disagreement",
    "tightrope_answered_requests_total",
    "tightrope_cost_ledger_failures_total",
    "tightrope_reviews_total",
    "tightrope_review_skipped_rows_total",
    *("tightrope_spans_exported_total", "tightrope_spans_dropped_total"),
    *("tightrope_record_bytes", "tightrope_record_disk_short", "tightrope_audit_head_number"),
    *("tightrope_incidents_open", "tightrope_incidents_unpublished", "tightrope_incident_faults_total"),
    "tightrope_requalification_timestamp_seconds",
}
"""Metrics for queries of people's own, as in docs/cost.md, review.md, incidents.md, operations.md and the runbook."""


def test_metrics_are_drawn_or_alerted_on() -> None:
    """An unused metric need not be measured."""
    drawn = {name for one in all_queries() for name, _ in selectors(one.plain)}
    ruled = {name for file in ("recording.yml", "alerts.yml") for r in rules(file) for name, _ in selectors(r["expr"])}
    seen = {next((name.removesuffix(p) for p in PARTS if name.endswith(p)), name) for name in drawn | ruled}
    assert set(SHOWN) - seen == SHOWN_ELSEWHERE


def test_rendered_files_have_the_given_addresses(tmp_path: Path) -> None:
    """Nothing else differs from the shipped files."""
    written = render(tmp_path, "http://grafana:3000", "http://wiki/tightrope", "http://tightrope:8080")
    assert {path.relative_to(tmp_path).as_posix() for path in written} == {
        *(f"json/{uid}.json" for uid in BOARDS),
        *RULES,
    }
    for name in RULES:
        rendered = (tmp_path / name).read_text()
        assert "example.org" not in rendered
        back = rendered.replace("http://grafana:3000", GRAFANA).replace("http://wiki/tightrope", RUNBOOK)
        back = back.replace("http://tightrope:8080", GATEWAY)
        assert back == (DASHBOARDS_FOLDER / name).read_text()
    assert json.loads((tmp_path / "json/tightrope-model.json").read_text()) == BOARDS["tightrope-model"]


def test_panels_of_folded_rows_are_found() -> None:
    """The tests above include them."""
    panel = {"title": "p", "type": "stat", "targets": [{"refId": "A", "expr": "up"}]}
    folded = {"type": "row", "panels": [panel]}
    board: Json = {"title": "t", "annotations": {"list": []}, "panels": [folded]}
    assert [one.where for one in board_queries(board)] == ["t / p / A"]


def test_panels_of_what_a_kind_may_lack_say_so() -> None:
    """A model without a confidence, refusals or labels shows a sentence instead of an empty panel; a bias has the place
    of the confidence.
    """
    shown = {panel["title"]: panel for panel in panels(boards()["tightrope-model"])}
    shift = shown["Shift of confidence or value"]
    assert all('monitor=~"confidence|bias"' in target["expr"] for target in shift["targets"])
    for title in (
        shift["title"],
        "Is the small model surer than it is right?",
        "How wrong each model is about itself",
        "How sure, and how often right",
        "Refusals that the small model drops",
        "Surer or less sure than before",
    ):
        assert "no" in shown[title]["fieldConfig"]["defaults"]["noValue"].lower().split(), title
