"""The demo's story, played once on real servers: its trip pages somebody, once, with the evidence, and is resolved on
the return; and every expression of every dashboard finds data in Prometheus.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from docs.pictures.album import PICTURES
from docs.pictures.ask import View, answers
from tests.support.observability.dashboard_queries import Asked, everything, panels
from tests.support.observability.debian_servers import until
from tests.support.observability.full_stack import CLUSTER, FIXED, HARMED, PATIENCE, RETURN, TRIP, Theatre, theatre
from tightrope.dashboards.boards import boards
from tightrope.demo.replay import MODEL


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """Traffic until the harmed subgroup has tripped and both ways have told of it; then the fixed model, and more
    traffic until Prometheus has seen it return.
    """
    with theatre(tmp_path_factory.mktemp("theatre")) as stage:
        stage.send(TRIP)
        until(lambda: HARMED in stage.safe(), PATIENCE)
        stage.settle('ALERTS{alertname="TightropeSafeMode", alertstate="firing"}')
        stage.deploy(FIXED)
        stage.send(RETURN)
        until(lambda: HARMED not in stage.safe(), PATIENCE)
        until(lambda: stage.pager.alerts("resolved", scope=HARMED), PATIENCE)
        yield stage


def pages(stage: Theatre) -> list[dict[str, Any]]:
    """Every notification to the pager about safe mode, in order."""
    heard = zip(stage.pager.paths, stage.pager.heard, strict=False)
    return [
        told
        for path, (_, told) in heard
        if path == "/pager" and told["groupLabels"]["alertname"] == "TightropeSafeMode"
    ]


def test_first_page_has_the_evidence(story: Theatre) -> None:
    """The judge's own: it was there before Prometheus had looked."""
    first = pages(story)[0]
    (alert,) = (one for one in first["alerts"] if one["labels"]["scope"] == HARMED)
    about = {"alertname": "TightropeSafeMode", "model": MODEL, "scope": HARMED, "severity": "page", **CLUSTER}
    assert alert["labels"] == about
    told = alert["annotations"]
    assert told["summary"] == f"{MODEL}: the baseline answers {HARMED}"
    assert told["evidence"].startswith("disagreement: 10^8.")
    assert told["description"].startswith("breach by judge: disagreement 0.")
    assert told["request_id"].startswith("demo-")
    assert told["runbook_url"].endswith("#tightropesafemode")


def test_two_ways_are_one_alert(story: Theatre) -> None:
    """Prometheus' and the judge's have the same labels: Alertmanager knows one alert a scope, and tells of it once."""
    by_rule = story.query('ALERTS{alertname="TightropeSafeMode"}') or story.query(
        'last_over_time(ALERTS{alertname="TightropeSafeMode"}[10m])'
    )
    assert HARMED in {found["metric"]["scope"] for found in by_rule}
    seen = [frozenset((a["labels"]["scope"], a["status"]) for a in told["alerts"]) for told in pages(story)]
    assert len({told["groupKey"] for told in pages(story)}) == 1
    assert all(earlier != later for earlier, later in pairwise(seen)), seen


def test_return_resolves_and_nobody_is_paged_again(story: Theatre) -> None:
    """Firing, then resolved, and then nothing more of that scope."""
    states = [a["status"] for told in pages(story) for a in told["alerts"] if a["labels"]["scope"] == HARMED]
    assert states == sorted(states)
    assert {"firing", "resolved"} == set(states)


def test_nothing_else_paged(story: Theatre) -> None:
    """No gateway down, no budget burnt, nothing latched; the watchdog is heard elsewhere."""
    names = {
        told["groupLabels"]["alertname"]
        for p, (_, told) in zip(story.pager.paths, story.pager.heard, strict=False)
        if p == "/pager"
    }
    assert names == {"TightropeSafeMode"}
    assert "/deadman" in story.pager.paths


STEP = 2

ELSEWHERE = {
    "tightrope_fallback_share": "the demo's model never falls back as a whole, and nothing is late",
    "tightrope_endpoint_up": "the demo's models are files: tests/service/inference/test_remote_health.py",
}
"""What the story does not show, and why."""


def asked() -> list[Asked]:
    """Every expression but those."""
    return [one for one in everything() if not any(name in one.expr for name in ELSEWHERE)]


@pytest.fixture(scope="module")
def played(story: Theatre) -> Theatre:
    """The story, with labels that came late and a drift report, all seen by Prometheus."""
    story.label(4_000)
    story.report()
    story.send(200)
    return story.settle("tightrope_drift_share", 'tightrope_labels{outcome="joined"} > 0')


@pytest.mark.parametrize("asked", asked(), ids=lambda one: one.where)
def test_expression_finds_data(played: Theatre, asked: Asked) -> None:
    """At some time of the story, as a panel would ask for it."""
    span = {"query": asked.plain, "start": played.began, "end": time.time(), "step": STEP}
    answer = httpx.get(f"{played.prometheus}/api/v1/query_range", params=span, timeout=30)
    assert answer.is_success, answer.text
    values = [value for found in answer.json()["data"]["result"] for _, value in found["values"]]
    assert any(value != "NaN" for value in values), asked.plain


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_said_to_be_elsewhere_is_not_here(played: Theatre, name: str) -> None:
    """An excuse that is no longer needed would hide an empty panel."""
    assert played.query(f'{{__name__=~"{name}(_bucket)?"}}') == []


def test_pictures_have_something_to_show(played: Theatre) -> None:
    """What is drawn of the dashboards is asked for as Grafana asks, and found: in every panel, and the marks. Only no
    alert fires any more when the story is over.
    """
    now = time.time()
    for picture in PICTURES:
        board = boards()[picture.uid]
        shown = answers(played.prometheus, board, View(now - 300, now, 1, picture.chosen))
        assert shown["marks"]
        for panel in panels(board):
            if not any(name in target["expr"] for name in (*ELSEWHERE, "ALERTS{") for target in panel["targets"]):
                assert any(shown["answers"][panel["id"]].values()), panel["title"]


def test_expression_of_what_is_not_there_finds_none(played: Theatre) -> None:
    """The look above can fail."""
    with pytest.raises(AssertionError):
        test_expression_finds_data(played, Asked("nowhere", "rate(tightrope_request_total[$__rate_interval])"))


def test_choices_are_offered(played: Theatre) -> None:
    """The values of every variable, as Grafana asks for them."""
    for selector, label in (
        ('tightrope_requests_total{model!="unknown"}', "model"),
        ("tightrope_comparisons_total", "scope"),
        ('tightrope_monitor_limit{monitor!~"sight|latency"}', "monitor"),
    ):
        found = httpx.get(f"{played.prometheus}/api/v1/series", params={"match[]": selector}).json()["data"]
        assert {series[label] for series in found}
