"""The export: every final answer, its label, and the models behind A and B."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from tests.support.judgement.review_rows import review_row
from tests.support.serving.api_client import ApiClient
from tests.support.serving.service_harness import AUTH
from tightrope.monitors.review.daily_cap import DailyCap
from tightrope.monitors.review.opinions import Opinion
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review.daily_chances import DailyChances
from tightrope.service.adapters.review.label_outbox import LabelOutbox
from tightrope.service.adapters.sqlite.review_table import GivenOpinion, ReviewTable
from tightrope.service.api.review.desk import ReviewDesk, ReviewedDecision
from tightrope.service.api.review.export import _status, create_router
from tightrope.service.config.access import AccessTokens

TOKEN = AUTH["Authorization"].split()[1]


@pytest.fixture
def client(tmp_path: Path) -> ApiClient:
    """A client of the export of three answers about two rows, all final."""
    table = ReviewTable(tmp_path / "review.db")
    table.add([review_row("1", wanted=2), review_row("2", a=1, b=0, a_is_baseline=False)], 9)
    for name, reviewer, opinion, label, at in (
        ("1", "ana", Opinion.A, 0, 1.0),
        ("2", "ana", Opinion.BOTH, None, 2.0),
        ("1", "bo", Opinion.A, 0, 3.0),
    ):
        given = GivenOpinion(name, reviewer, opinion, label, 4.5, at)
        table.store(given)
        table.finish(given)
    decision = ReviewedDecision({}, (), 1000.0, 5000.0)
    desk = ReviewDesk(table, LabelOutbox(table, MemoryBus()), {"m": decision}, Metrics(CollectorRegistry()))
    app = FastAPI()
    app.include_router(create_router(str, desk, AccessTokens(TOKEN)))
    return ApiClient(app)


def test_every_answer_is_a_line(client: ApiClient) -> None:
    """With the order of the coin, and no label where none follows."""
    lines = list(csv.DictReader(StringIO(client.get("/v1/reviews.csv", headers=AUTH).text)))
    assert [(each["id"], each["reviewer"], each["order"], each["answer"], each["label"]) for each in lines] == [
        ("r-1", "ana", "baseline,compressed", "a", "0"),
        ("r-2", "ana", "compressed,baseline", "both", ""),
        ("r-1", "bo", "baseline,compressed", "a", "0"),
    ]
    assert {(each["model"], each["probability"], each["seconds"]) for each in lines} == {("m", "0.5", "4.5")}


def test_agreement_is_that_of_rows_asked_twice(client: ApiClient) -> None:
    """Both said A in the only one, so that kappa is not defined."""
    assert client.get("/v1/models/m/reviews", headers=AUTH).json() == {
        "model": "m",
        "answers": {"a": 2, "b": 0, "neither": 0, "both": 1, "unknown": 0},
        "asked_twice": 1,
        "agreed": 1.0,
        "kappa": None,
    }


def test_daily_cap_is_shown_where_there_is_one(tmp_path: Path) -> None:
    """Another model has none."""
    table, cap = ReviewTable(tmp_path / "review.db"), DailyCap(LabelDraw(0.5, 0.02, floor=0.05), rows=20)
    daily = DailyChances(table, {"m": cap}, lambda: 0.0)
    decisions = dict.fromkeys(("m", "n"), ReviewedDecision({}, (), 1000.0, 5000.0))
    desk = ReviewDesk(table, MemoryBus(), decisions, Metrics(CollectorRegistry()), daily=daily)
    assert _status(desk, "m")["daily"]["day"] == "1970-01-01"
    assert "daily" not in _status(desk, "n")
