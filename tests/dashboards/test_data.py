"""Every expression of every dashboard finds data in a real Prometheus while the demo plays."""

import time

import httpx
import pytest

from dashboards.boards import boards
from docs.pictures.album import PICTURES
from docs.pictures.ask import View, answers
from tests.boards import Asked, everything, panels
from tests.theatre import Theatre

STEP = 2

ELSEWHERE = {"tightrope_fallback_share": "the demo's model never falls back as a whole, and nothing is late"}
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
    now = time.time()
    span = {"query": asked.plain, "start": now - 300, "end": now, "step": STEP}
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
