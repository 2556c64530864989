"""What is committed is what is built, and every panel keeps to the rules that make a dashboard usable."""

import json
import re
from pathlib import Path

import pytest

from tests.support.observability.alert_rules import alerts, rules
from tests.support.observability.dashboard_queries import Asked, Json, asked, everything, panels
from tests.support.observability.promql import selectors
from tightrope.dashboards.boards import GATEWAY, GRAFANA, HERE, RULES, RUNBOOK, SHIPPED, boards, render, text
from tightrope.service.adapters.prometheus.catalogue import CATALOGUE, Kind

BOARDS = boards()
SHOWN = {metric.full_name(name): metric for name, metric in CATALOGUE.items()}
RECORDED = {rule["record"] for rule in rules("recording.yml")}
PARTS = ("_bucket", "_sum", "_count")
OTHERS = {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}


@pytest.mark.parametrize("uid", BOARDS)
def test_committed_dashboard_is_what_is_built(uid: str) -> None:
    """`make docs` writes them."""
    assert (SHIPPED / f"{uid}.json").read_text() == text(BOARDS[uid])


def test_no_dashboard_is_left_behind() -> None:
    """One that is not built any more would be provisioned for ever."""
    assert {path.stem for path in SHIPPED.glob("*.json")} == set(BOARDS)


@pytest.mark.parametrize("uid", BOARDS)
def test_dashboard_can_be_found_and_chosen_in(uid: str) -> None:
    """Stable uid, tag, links to the others; a data source to choose; variables that are read anew."""
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
def test_panel_says_what_it_shows_in_which_unit(uid: str) -> None:
    """Title, description, unit, and at least one query to the chosen source; numbers and letters are unique."""
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


@pytest.mark.parametrize("asked", everything(), ids=lambda one: one.where)
def test_expression_asks_for_what_exists(asked: Asked) -> None:
    """Metrics and labels of the catalogue or of a recording rule; counters only by their growth."""
    for name, labels in selectors(asked.plain):
        if name in OTHERS | RECORDED:
            continue
        base = next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)
        metric = SHOWN[base]
        assert (base == name) == (metric.kind is not Kind.HISTOGRAM)
        assert set(labels) <= set(metric.labels)
        if metric.kind is not Kind.GAUGE and name != "tightrope_reports_total":
            assert re.search(rf"(rate|increase)\({name}\b", asked.plain)


@pytest.mark.parametrize("uid", BOARDS)
def test_variables_that_are_used_are_there(uid: str) -> None:
    """And the other way round; rates are over Grafana's own interval, or over a fixed one that the title tells."""
    board = BOARDS[uid]
    known = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", text(board)))
    assert used - {"__url_time_range", "__value"} == known
    for one in board["templating"]["list"][1:]:
        (name,) = re.findall(r"label_values\((\w+)", one["definition"])
        assert name in SHOWN


def test_alerts_lead_to_dashboards_and_variables_that_exist() -> None:
    """From the page to the picture of it."""
    for alert in alerts().values():
        uid, _, choice = alert["annotations"]["dashboard_url"].removeprefix(f"{GRAFANA}/d/").partition("?")
        names = {one["name"] for one in BOARDS[uid]["templating"]["list"]}
        assert not choice or choice.removeprefix("var-").partition("=")[0] in names


def test_marks_are_of_the_chosen_model() -> None:
    """From the metrics, and as Tightrope told Grafana."""
    for uid, board in BOARDS.items():
        measured, told = board["annotations"]["list"]
        assert told["datasource"]["uid"] == "-- Grafana --"
        tags = told["target"]["tags"]
        one = uid in {"tightrope-model", "tightrope-subgroups"}
        assert tags == ["safe-mode", *(["model:$model"] if one else [])]
        assert ('model="$model"' in measured["expr"]) == one


def test_every_metric_is_drawn_or_alerted_on() -> None:
    """What nobody looks at need not be measured."""
    drawn = {name for one in everything() for name, _ in selectors(one.plain)}
    ruled = {name for file in ("recording.yml", "alerts.yml") for r in rules(file) for name, _ in selectors(r["expr"])}
    seen = {next((name.removesuffix(p) for p in PARTS if name.endswith(p)), name) for name in drawn | ruled}
    assert set(SHOWN) - seen == {"tightrope_drift_rows", "tightrope_drift_disagreement"}


def test_rendered_files_have_the_addresses_that_are_given(tmp_path: Path) -> None:
    """Of Grafana and of the runbook; nothing else differs from what is shipped."""
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
        assert back == (HERE / name).read_text()
    assert json.loads((tmp_path / "json/tightrope-model.json").read_text()) == BOARDS["tightrope-model"]


def test_panels_are_found_though_folded() -> None:
    """The look above sees them."""
    panel = {"title": "p", "type": "stat", "targets": [{"refId": "A", "expr": "up"}]}
    folded = {"type": "row", "panels": [panel]}
    board: Json = {"title": "t", "annotations": {"list": []}, "panels": [folded]}
    assert [one.where for one in asked(board)] == ["t / p / A"]
