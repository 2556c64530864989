"""The demo's story, played once on real servers: its breach pages once, with the evidence, and the return resolves it.

All expressions of all dashboards find data in Prometheus.
"""

import re
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from docs.pictures.album import PICTURES
from docs.pictures.query import View, query_dashboard
from tests.support.observability.dashboard_queries import PanelQuery, all_queries, panels
from tests.support.observability.debian_servers import until
from tests.support.observability.full_stack import (
    AUTH,
    CLUSTER,
    FIXED,
    GATEWAY,
    HARMED,
    OWNER,
    REQUESTS_TO_BREACH,
    REQUESTS_TO_RETURN,
    STEP_TIMEOUT_SECONDS,
    FullStack,
    full_stack,
)
from tightrope.dashboards.boards import boards
from tightrope.demo.replay import DEMO_MODEL
from tightrope.service.adapters.alertmanager import JUDGE_SOURCE


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullStack]:
    """Send traffic until the harmed subgroup is in safe mode and both alert paths have fired; then deploy the fixed
    model, and send traffic until Prometheus sees the return.
    """
    with full_stack(tmp_path_factory.mktemp("full_stack")) as stage:
        stage.send(REQUESTS_TO_BREACH)
        until(lambda: HARMED in stage.safe_scopes(), STEP_TIMEOUT_SECONDS)
        stage.settle('ALERTS{alertname="TightropeSafeMode", alertstate="firing"}')
        stage.deploy(FIXED)
        stage.send(REQUESTS_TO_RETURN)
        until(lambda: HARMED not in stage.safe_scopes(), STEP_TIMEOUT_SECONDS)
        until(lambda: stage.pager.alerts("resolved", scope=HARMED), STEP_TIMEOUT_SECONDS)
        yield stage


def pages(stage: FullStack) -> list[dict[str, Any]]:
    """The notifications to the pager about safe mode, in order."""
    heard = zip(stage.pager.paths, stage.pager.heard, strict=False)
    return [
        notification
        for path, (_, notification) in heard
        if path == "/pager" and notification["groupLabels"]["alertname"] == "TightropeSafeMode"
    ]


def test_first_page_has_the_evidence(story: FullStack) -> None:
    """The judge's alert arrives before Prometheus' one."""
    first = pages(story)[0]
    (alert,) = (one for one in first["alerts"] if one["labels"]["scope"] == HARMED)
    about = {"alertname": "TightropeSafeMode", "model": DEMO_MODEL, "scope": HARMED, "severity": "page", **CLUSTER}
    assert alert["labels"] == about | JUDGE_SOURCE | {"owner": OWNER, "actor": "judge"}
    annotations = alert["annotations"]
    group = r"group quarters \(residence\)"
    assert re.fullmatch(rf"{DEMO_MODEL}: the full model answers {group}, \d\.\d % of requests", annotations["summary"])
    evidence = re.search(r"disagreement: evidence (\d+) % of what an alarm needs", annotations["evidence"])
    assert evidence is not None, annotations["evidence"]
    assert int(evidence[1]) >= 100
    took_over = (
        rf"The full model took over for {group}: \d+ % \(\d+ to \d+ %\) of answers differ, 10 % tolerated, since about"
    )
    assert re.match(took_over, annotations["description"]), annotations["description"]
    assert "Callers are served: by the full model. Nobody else is touched." in annotations["description"]
    case = rf"{GATEWAY}/#/{DEMO_MODEL}/residence%3Dgroup_quarters\?event=\d+"
    assert re.fullmatch(case, annotations["page_url"])
    assert re.fullmatch("[0-9a-f]{32}", annotations["request_digest"])
    assert annotations["runbook_url"].endswith("#tightropesafemode")


def test_both_paths_lead_to_one_page(story: FullStack) -> None:
    """Alertmanager has the alert of the rules as well, inhibits it, and sends that of the judge once."""
    by_rule = story.query('ALERTS{alertname="TightropeSafeMode"}') or story.query(
        'last_over_time(ALERTS{alertname="TightropeSafeMode"}[10m])'
    )
    assert HARMED in {found["metric"]["scope"] for found in by_rule}
    seen = [
        frozenset((a["labels"]["scope"], a["status"]) for a in notification["alerts"]) for notification in pages(story)
    ]
    assert len({notification["groupKey"] for notification in pages(story)}) == 1
    told = story.pager.alerts("firing", alertname="TightropeSafeMode", scope=HARMED)
    assert told
    assert all(a["annotations"].get("evidence") and a["labels"]["source"] == "judge" for a in told), told
    assert all(earlier != later for earlier, later in pairwise(seen)), seen


def test_return_resolves_the_alert(story: FullStack) -> None:
    """After the resolved notification there is no other for that scope."""
    states = [
        a["status"] for notification in pages(story) for a in notification["alerts"] if a["labels"]["scope"] == HARMED
    ]
    assert states == sorted(states)
    assert {"firing", "resolved"} == set(states)


def test_no_other_alert_pages(story: FullStack) -> None:
    """The watchdog has its own receiver."""
    names = {
        notification["groupLabels"]["alertname"]
        for p, (_, notification) in zip(story.pager.paths, story.pager.heard, strict=False)
        if p == "/pager"
    }
    assert names == {"TightropeSafeMode"}
    assert "/deadman" in story.pager.paths


STEP = 2

ELSEWHERE = {
    "tightrope_fallback_share": "the demo's model never falls back as a whole, and nothing is late",
    "tightrope_endpoint_up": "the demo's models are files: tests/service/inference/test_remote_health.py",
}
"""Metrics without data in the story, and the reason."""


def expected_queries() -> list[PanelQuery]:
    """All queries except those of `ELSEWHERE`."""
    return [one for one in all_queries() if not any(name in one.expr for name in ELSEWHERE)]


@pytest.fixture(scope="module")
def played(story: FullStack) -> FullStack:
    """The story with late labels and a drift report, all visible in Prometheus."""
    story.label(4_000)
    story.report()
    story.send(200)
    return story.settle("tightrope_drift_share", 'tightrope_labels{outcome="joined"} > 0')


@pytest.mark.parametrize("query", expected_queries(), ids=lambda one: one.where)
def test_expression_finds_data(played: FullStack, query: PanelQuery) -> None:
    """It does so at some time of the story, queried as by a panel; one more step includes the newest scrape."""
    span = {"query": query.plain, "start": played.began, "end": time.time() + STEP, "step": STEP}
    answer = httpx.get(f"{played.prometheus}/api/v1/query_range", params=span, timeout=30)
    assert answer.is_success, answer.text
    values = [value for found in answer.json()["data"]["result"] for _, value in found["values"]]
    assert any(value != "NaN" for value in values), query.plain


@pytest.mark.parametrize("name", ELSEWHERE)
def test_excluded_metrics_have_no_data(played: FullStack, name: str) -> None:
    """An outdated exclusion would hide an empty panel."""
    assert played.query(f'{{__name__=~"{name}(_bucket)?"}}') == []


def test_pictures_have_data(played: FullStack) -> None:
    """Each panel and annotation finds data, queried as by Grafana; only alerts have ended by then."""
    now = time.time()
    for picture in PICTURES:
        board = boards()[picture.uid]
        shown = query_dashboard(played.prometheus, board, View(now - 300, now, 1, picture.variables))
        assert shown["marks"]
        for panel in panels(board):
            if not any(name in target["expr"] for name in (*ELSEWHERE, "ALERTS{") for target in panel["targets"]):
                assert any(shown["answers"][panel["id"]].values()), panel["title"]


def test_operators_order_pages_no_one(played: FullStack) -> None:
    """Prometheus sees the scope in safe mode, only the ticket about a forgotten order is pending, and the channel alone
    gets who ordered it and why.
    """
    scope, before = "residence=institution", len(pages(played))
    body = {"scope": scope, "reason": "an incident elsewhere", "actor": "ada"}
    answer = played.server.client.post(f"/v1/models/{DEMO_MODEL}/force-safe", json=body, headers=AUTH)
    assert answer.is_success, answer.text
    until(lambda: scope in played.safe_scopes(), STEP_TIMEOUT_SECONDS)
    played.settle(f'ALERTS{{alertname="TightropeHeldSafe", alertstate="pending", scope="{scope}"}}')
    time.sleep(3)  # three evaluations
    assert played.query(f'ALERTS{{alertname="TightropeSafeMode", scope="{scope}"}}') == []
    assert played.query('max_over_time(ALERTS{alertname="TightropeSafeMode", scope="residence=other"}[20s])') == []
    assert not [a for page in pages(played)[before:] for a in page["alerts"] if a["status"] == "firing"]
    until(lambda: played.pager.alerts("firing", severity="info", scope=scope), STEP_TIMEOUT_SECONDS)
    (order,) = played.pager.alerts("firing", severity="info", scope=scope)
    assert order["labels"]["actor"] == "ada"
    assert (
        "ada had the full model answer institution (residence): an incident elsewhere."
        in order["annotations"]["description"]
    )
    notifications = zip(played.pager.paths, played.pager.heard, strict=False)
    assert {p for p, (_, body) in notifications if any(a["labels"]["severity"] == "info" for a in body["alerts"])} == {
        "/channel"
    }


def test_expression_of_an_unknown_metric_finds_no_data(played: FullStack) -> None:
    """The test above can fail."""
    with pytest.raises(AssertionError):
        test_expression_finds_data(played, PanelQuery("nowhere", "rate(tightrope_request_total[$__rate_interval])"))


def test_variables_have_values(played: FullStack) -> None:
    """They are queried as by Grafana."""
    for selector, label in (
        ('tightrope_requests_total{model!="unknown"}', "model"),
        ("tightrope_comparisons_total", "scope"),
        ('tightrope_monitor_limit{monitor!~"sight|latency"}', "monitor"),
    ):
        found = httpx.get(f"{played.prometheus}/api/v1/series", params={"match[]": selector}).json()["data"]
        assert {series[label] for series in found}
