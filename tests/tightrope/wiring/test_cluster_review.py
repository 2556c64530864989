"""The review in a cluster: drawn rows lie at the judge, answers come over its port, and labels go through Kafka."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.cluster.cluster import Cluster, ClusterGateway, cluster_on, get_page, wait_until
from tests.support.configs import TOKEN
from tests.support.harmful_pair import HARM, OTHERS_OFF, RIGHT, Rows, traffic
from tests.support.serving.reviewers import REVIEWERS
from tightrope.demo.broker import Broker
from tightrope.monitors.label_records import Label
from tightrope.service.adapters.topics import LABELS
from tightrope.service.adapters.wire.record_codec import decode_labels
from tightrope.service.api.review.desk import reviewer_digest
from tightrope.service.config.loader import TOKEN_VARIABLE
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import ClusterProcess

PAGE = "https://review.example/review"


@pytest.fixture(autouse=True)
def _control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)


@contextmanager
def reviewed_cluster(
    folder: Path, address: str, *, random: float = 0.0, disagreements: float = 1.0, **review: object
) -> Iterator[Cluster]:
    """A cluster whose drawn rows are reviewed by two people."""
    for name, token in REVIEWERS.items():
        (folder / f"{name}.token").write_text(token)
    files = {name: f"{name}.token" for name in REVIEWERS}
    model: dict[str, Any] = {
        "labels": {"horizon_seconds": 3600.0, "random": random, "disagreements": disagreements},
        "decision": {"kind": "classes", "classes": ["left", "right"]},
        "limits": {**OTHERS_OFF, "disagreement": None},
        "subgroup_limits": {},
        "review": {"reviewers": files, "second": 0, **review},
    }
    with cluster_on(folder, address, **model) as cluster:
        cluster.make_topics()
        yield cluster


def ask(
    part: ClusterProcess, path: str, method: str = "GET", *, by: str = "ana", body: object = None
) -> httpx.Response:
    """The response of a part to a reviewer."""

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(part.app), base_url="http://judge") as client:
            return await client.request(method, path, json=body, headers={"Authorization": f"Bearer {REVIEWERS[by]}"})

    return asyncio.run(call())


def waiting(judge: ClusterProcess) -> int:
    """The rows that wait for a reviewer; none while the model is not judged there."""
    answer = ask(judge, "/v1/reviews")
    return int(answer.json()["models"][0]["waiting"]) if answer.status_code == 200 else 0


def review_all(judge: ClusterProcess) -> int:
    """Answer that left is right, for every row; returns how many there were."""

    async def answer() -> int:
        headers, done = {"Authorization": f"Bearer {REVIEWERS['ana']}"}, 0
        async with httpx.AsyncClient(transport=httpx.ASGITransport(judge.app), base_url="http://judge") as client:
            while row := (await client.get("/v1/models/m/reviews/next", headers=headers)).json()["row"]:
                body = {"answer": "a" if row["a"] == "left" else "b", "seconds": 2}
                taken = await client.post(f"/v1/models/m/reviews/{row['id']}", json=body, headers=headers)
                assert taken.json() == {"id": row["id"], "label": 0}
                done += 1
        return done

    return asyncio.run(answer())


def labels(cluster: Cluster) -> list[Label]:
    """The labels on the topic."""
    return [label for record in cluster.records(LABELS) for label in decode_labels(record.value)]


def counted(cluster: Cluster) -> dict[str, int]:
    """The outcomes of labels that there were, by the judge's state."""
    state = cluster.state()
    return {name: count for name, count in state.labels.items() if count} if state else {}


def differing(cluster: Cluster) -> set[str]:
    """The ids of the requests on which the models differ."""
    return {
        name
        for rows in cluster.batches()
        for name, differ in zip(rows.request_id, rows.disagree, strict=True)
        if differ
    }


def accuracy(gateway: ClusterGateway) -> dict[str, Any]:
    """The verdict about the accuracy, as a gateway shows it."""
    found = get_page(gateway.app, "/v1/models/m/verdicts?scope=model").json()["verdicts"]
    return next(each for each in found if each["monitor"] == "accuracy")


def harmed(n: int) -> Rows:
    """Rows of class right, each with a number of its own; the compressed model says left to all of them."""
    rows = np.zeros((n, 4), np.float32)
    rows[:, RIGHT], rows[:, HARM] = 1.2345 + np.arange(n) / 1000, 1
    return rows


def test_rows_are_reviewed_at_the_judge_and_their_labels_count(kafka: Broker, tmp_path: Path) -> None:
    """Every answer becomes a label with the probability of the draw, by which the verdict about the accuracy weighs it:
    where the compressed model is right whenever the models differ, its gain is the share of differences.
    """
    with reviewed_cluster(tmp_path, kafka.address, disagreements=0.5, page=PAGE) as cluster:
        gateway = cluster.gateway()
        cluster.start(shadow_processes.worker)
        judge = cluster.start(shadow_processes.judge)
        wait_until(lambda: gateway.has_modes)
        gateway.ask(np.random.default_rng(3).permutation(np.concatenate([harmed(300), traffic(100, harm=False)])))
        wait_until(lambda: cluster.judged() == 400)
        wait_until(lambda: 115 < waiting(judge) < 185)
        assert get_page(judge.app, "/v1/models/m/reviews/next", token="another").status_code == 401
        answered = review_all(judge)
        wait_until(lambda: len(labels(cluster)) == answered - 1)  # the last answer can be taken back for a minute
        found = labels(cluster)
        assert {label.request_id for label in found} < differing(cluster)
        assert {(label.label, label.probability) for label in found} == {(0, 0.5)}
        assert {label.source for label in found} == {f"review:{reviewer_digest('ana')}"}
        wait_until(lambda: counted(cluster) == {"joined": len(found)})
        wait_until(lambda: accuracy(gateway)["count"] > 250)  # the rows that they stand for
        assert accuracy(gateway)["mean"] == pytest.approx(-300 / 400, abs=0.2)
        export = get_page(judge.app, "/v1/reviews.csv", token=TOKEN).text.splitlines()
        assert len(export) > len(found)
        shown = get_page(gateway.app, "/review")
        assert (shown.status_code, f'<a href="{PAGE}">' in shown.text) == (200, True)
        assert get_page(gateway.app, "/v1/models/m/reviews/next").json() == {
            "error": f"rows of m are reviewed at {PAGE}"
        }


def test_judge_that_takes_over_asks_for_the_rows_whose_labels_count(
    kafka: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Agreements of the random sample come from the samples again; disagreements are counted and told. What was
    answered at the judge before is published by it, once.
    """
    with reviewed_cluster(tmp_path, kafka.address, random=1.0) as cluster:
        gateway = cluster.gateway()
        cluster.start(shadow_processes.worker)
        first = cluster.start(shadow_processes.judge)
        wait_until(lambda: gateway.has_modes)
        gateway.ask(traffic(60, harm=True))
        wait_until(lambda: cluster.judged() == 60)
        wait_until(lambda: waiting(first) == 60)
        for _ in range(11):
            row = ask(first, "/v1/models/m/reviews/next").json()["row"]
            ask(first, f"/v1/models/m/reviews/{row['id']}", "POST", body={"answer": "a", "seconds": 2})
        wait_until(lambda: len(labels(cluster)) == 10)
        told = {label.request_id for label in labels(cluster)}
        differ = differing(cluster) - told
        wait_until(lambda: counted(cluster) == {"joined": 10})
        cluster.stop(first)
        cluster.settings = cluster.settings.model_copy(
            update={"state": cluster.settings.state.model_copy(update={"folder": tmp_path / "second"})}
        )
        second = cluster.start(shadow_processes.judge)
        wait_until(lambda: waiting(second) == 60 - 10 - len(differ))
        assert f"{len(differ)} drawn rows are not kept for review: they were compared before this judge" in caplog.text
        assert len(labels(cluster)) == 10
