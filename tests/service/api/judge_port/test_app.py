"""A judge's port serves the review to reviewers, and nothing that is larger than an answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from tests.support.judgement.review_rows import review_row
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.review.label_outbox import LabelOutbox
from tightrope.service.adapters.sqlite.review_table import ReviewTable
from tightrope.service.api.incidents.library import NO_INCIDENTS
from tightrope.service.api.judge_port.app import MOST_BODY_BYTES, create_judge_app
from tightrope.service.api.review.desk import ReviewDesk, ReviewedDecision
from tightrope.service.config.access import AccessTokens
from tightrope.service.transport.http.asgi import App


class Port:
    """The port of a judge of the models m and n; it judges those in ``judged``."""

    def __init__(self, folder: Path) -> None:
        self.judged = {"m", "n"}
        self.table = ReviewTable(folder / "review.db")
        self.table.add([review_row("1"), review_row("2")], 9)
        decision = ReviewedDecision({"t-ana": "ana"}, ("no", "yes"), 1e9, 1e9)
        outbox = LabelOutbox(self.table, MemoryBus())
        metrics = Metrics(CollectorRegistry())
        desk = ReviewDesk(
            self.table, outbox, {"m": decision, "n": decision}, metrics, is_asked=self.judged.__contains__
        )
        self.app: App = create_judge_app(str, desk, AccessTokens("control"), NO_INCIDENTS)

    def ask(self, path: str, method: str = "GET", by: str = "t-ana", **sent: object) -> httpx.Response:
        """The response to a request with this token."""

        async def call() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://judge") as client:
                return await client.request(method, path, headers={"Authorization": f"Bearer {by}"}, **sent)  # type: ignore[arg-type]

        return asyncio.run(call())


@pytest.fixture
def port(tmp_path: Path) -> Port:
    """A port with two rows of model m."""
    return Port(tmp_path)


def test_page_and_its_files_are_there(port: Port) -> None:
    """Each file that the page names; the other pages are not."""
    page = port.ask("/review").text
    names = [part.split('"')[0] for part in page.split('href="')[1:] + page.split('src="')[1:]]
    assert len(names) == 4
    assert [port.ask(f"/{name}").status_code for name in [*names, "page/dom.js"]] == [200] * 5
    assert [port.ask(path).status_code for path in ("/", "/week", "/v1/overview", "/v1/models")] == [404] * 4


def test_reviewer_gets_a_row_and_answers(port: Port) -> None:
    """The operator gets the export, and no row."""
    row = port.ask("/v1/models/m/reviews/next").json()["row"]
    assert port.ask(f"/v1/models/m/reviews/{row['id']}", "POST", json={"answer": "a"}).json()["label"] == 0
    assert port.ask("/v1/models/m/reviews/next", by="control").status_code == 401
    assert port.ask("/v1/reviews.csv", by="control").status_code == 200
    assert port.ask("/v1/reviews.csv").status_code == 401


def test_model_of_another_judge_is_told(port: Port) -> None:
    """Its rows are neither shown nor counted here."""
    port.judged.discard("m")
    assert port.ask("/v1/reviews").json() == {"models": [{"name": "n", "waiting": 0}]}
    error = {"error": "another judge judges m: its rows are reviewed at /review on the port of that judge"}
    assert port.ask("/v1/models/m/reviews/next").json() == error
    port.judged.clear()
    answer = port.ask("/v1/reviews")
    assert (answer.status_code, "another judge judges m, n" in answer.text) == (404, True)


def test_large_body_is_refused_before_it_is_read(port: Port) -> None:
    """With its length announced, or in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MOST_BODY_BYTES):
            yield b" " * 2

    for content in (b" " * (MOST_BODY_BYTES + 1), pieces()):
        answer = port.ask("/v1/models/m/reviews/1", "POST", content=content)
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")
        assert answer.json() == {"error": f"the body is larger than {MOST_BODY_BYTES} bytes"}
