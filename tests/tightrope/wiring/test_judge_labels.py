"""The list of rows to label on a judge's port: for operators alone, and of the models that it judges."""

from dataclasses import replace

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette

from tests.support.cluster.cluster import get_page
from tests.support.configs import TOKEN
from tests.support.judgement.comparisons import make_plan
from tightrope.monitors.label_records import PendingRow
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.config.access import AccessTokens
from tightrope.wiring.judge_labels import label_route

PLAN = make_plan("disagreement", "accuracy", label_horizon=60.0, label_draw=LabelDraw(0.5, 0.01))
PLANS = {"m": PLAN, "other": replace(PLAN, model="other"), "plain": make_plan("disagreement")}


class Lists:
    """Two rows that wait, a disagreement and another one."""

    def rows_to_label(self, model: str, draw: LabelDraw, limit: int) -> list[PendingRow]:
        """Return as many of them."""
        assert (model, draw) == ("m", PLAN.label_draw)
        none = np.zeros(0, dtype=bool)
        rows = [PendingRow(f"r-{n}", n, 5.0, "d", none, 0.1, n == 0, 0.9, 0.8, 1, 1) for n in range(2)]
        return rows[:limit]


def get(path: str, token: str | None = TOKEN, given: str | None = TOKEN) -> httpx.Response:
    """The answer of a judge with this token to a caller with the given one."""
    app = Starlette(routes=[label_route(PLANS, lambda name: name != "other", Lists, AccessTokens(token))])
    return get_page(app, path, token=given)


def test_rows_are_listed_as_a_gateway_lists_them() -> None:
    """With the probability to send back."""
    rows = [
        {"id": "r-0", "row": 0, "time": 5.0, "probability": 0.5},
        {"id": "r-1", "row": 1, "time": 5.0, "probability": 0.01},
    ]
    assert get("/v1/models/m/labels").json() == {"model": "m", "rows": rows}
    assert get("/v1/models/m/labels?limit=1").json()["rows"] == rows[:1]


@pytest.mark.parametrize(("token", "given", "status"), [(None, TOKEN, 403), (TOKEN, None, 401)])
def test_only_an_operator_sees_ids(token: str | None, given: str | None, status: int) -> None:
    """Without a token in the configuration no one does."""
    assert get("/v1/models/m/labels", token, given).status_code == status
    assert get("/v1/models/m/labels", TOKEN, "wrong").status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/models/nope/labels", 404, "there is no model 'nope'; there are m, other, plain"),
        ("/v1/models/plain/labels", 404, "model plain takes no labels: set models.plain.labels"),
        ("/v1/models/other/labels", 404, "another judge judges other: ask that one"),
        ("/v1/models/m/labels?limit=0", 400, "limit: is '0'; it must be a whole number from 1 to 10000"),
        ("/v1/models/m/labels?limit=x", 400, "limit: is 'x'; it must be a whole number from 1 to 10000"),
    ],
)
def test_what_is_not_listed_says_why(path: str, status: int, says: str) -> None:
    """One line with what would be right."""
    answer = get(path)
    assert (answer.status_code, answer.json()["error"]) == (status, says)
