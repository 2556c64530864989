"""A baseline that is wrong in every disagreement is no fallback once labels show it, over HTTP."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.configs import TOKEN, write_config
from tests.support.harmful_pair import OTHERS_OFF, Rows, request
from tests.support.onnx_models import classifier
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import eventually

ROWS, AT_ONCE = 1400, 20
AUTH = {"Authorization": f"Bearer {TOKEN}"}
FLIP = 2


def config(folder: Path) -> dict[str, Any]:
    """Return a pair of two classes; where the third feature is 1 the compressed model says the other one."""
    baseline = np.array([[6, 0], [0, 6], [0, 0]], np.float32)
    compressed = np.array([[6, 0], [0, 6], [-9, 9]], np.float32)
    pair = {
        "baseline": str(classifier(folder / "baseline.onnx", baseline)),
        "compressed": str(classifier(folder / "compressed.onnx", compressed)),
    }
    model = {"mode": "armed", "repeats": "none", "labels": {}, "limits": {**OTHERS_OFF, "disagreement": 0.02}}
    return {
        "models": {"m": pair | model},
        "safe_mode": {"min_dwell_seconds": 0},
        "state": "state",
    }


def rows() -> Rows:
    """Return rows of class 0 that both models are sure of; one in five differs."""
    rng = np.random.default_rng(5)
    sent = np.zeros((ROWS, 3), np.float32)
    sent[:, 0] = 1 + rng.random(ROWS) / 10
    sent[:, FLIP] = rng.random(ROWS) < 0.2
    return sent


def send(server: Server, first: int, sent: Rows) -> None:
    """Send rows, one a request, and then the labels of those that differ: the compressed model is right."""
    for number, row in enumerate(sent, start=first):
        assert server.client.post("/v2/models/m/infer", json=request(row, f"r-{number}")).status_code == 200
    labels = [
        {"id": f"r-{number}", "label": 1, "source": "desk", "probability": 1.0}
        for number, row in enumerate(sent, start=first)
        if row[FLIP]
    ]
    if labels:
        assert server.client.post("/v1/models/m/labels", json={"labels": labels}, headers=AUTH).status_code == 202


def verdict(server: Server, monitor: str) -> dict[str, Any]:
    """Return the model's verdict of one monitor."""
    found = server.client.get("/v1/models/m/verdicts?scope=model").json()["verdicts"]
    return next(each for each in found if each["monitor"] == monitor)


def to_label(server: Server) -> list[dict[str, Any]]:
    """Return the disagreements that wait for a label."""
    answer = server.client.get("/v1/models/m/labels?limit=1000", headers=AUTH)
    assert answer.status_code == 200
    return [row for row in answer.json()["rows"] if row["probability"] == 1]


def test_a_baseline_that_is_wrong_in_every_disagreement_answers_no_more_after_200_labels(tmp_path: Path) -> None:
    """The verdict says "differs, not worse", an event says since when, and the compressed model answers."""
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        sent = rows()
        for first in range(0, ROWS, AT_ONCE):
            send(server, first, sent[first : first + AT_ONCE])
        joined = int(sent[:, FLIP].sum())
        assert joined >= 200
        eventually(lambda: server.client.get("/v1/models/m").json()["judged"]["labels"].get("joined") == joined)
        eventually(lambda: verdict(server, "disagreement")["not_worse"])
        status = server.client.get("/v1/models/m").json()
        shown, accuracy = verdict(server, "disagreement"), verdict(server, "accuracy")
        events = server.client.get("/v1/events?model=m&after=0&limit=1000").json()["events"]
        unlabelled = rows()[:1] * [1, 0, 0] + [0, 0, 1]
        server.client.post("/v2/models/m/infer", json=request(unlabelled, "r-new"))
        listed = eventually(lambda: to_label(server))
        answer = server.client.post("/v2/models/m/infer", json=request(sent[0])).json()
    assert [(row["id"], row["row"], row["probability"]) for row in listed] == [("r-new", 0, 1.0)]
    assert status["scopes"]["model"] == "normal"
    assert answer["parameters"]["served_by"] == "compressed"
    assert shown["outcome"] == "watch"
    assert shown["text"].endswith("differs, not worse")
    assert accuracy["mean"] < 0
    assert [event["scope"] for event in events if event["kind"] == "differs-not-worse"] == ["model"]
