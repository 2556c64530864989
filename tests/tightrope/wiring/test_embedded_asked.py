"""A class that the compressed model says too often is asked again, over HTTP, and all other answers stay."""

import time
from pathlib import Path
from typing import Any

from tests.support.configs import write_config
from tests.support.harmful_pair import Rows, request
from tests.support.narrowed_pair import AT_ONCE, SAID, by_answer, config, rows
from tests.support.servers import Server, serving

ROWS = 4096


def send(server: Server, sent: Rows) -> list[dict[str, Any]]:
    """Send requests of one row each; their answers."""
    answers = [server.client.post("/v2/models/m/infer", json=request(row[None])) for row in sent]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json() for answer in answers]


def test_class_that_is_said_too_often_is_asked_again(tmp_path: Path) -> None:
    """The model is narrowed: who gets the class gets the baseline's answer, and no other answer changes."""
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        sent, deadline = rows(ROWS), time.monotonic() + 60
        for first in range(0, ROWS, AT_ONCE):
            answer = server.client.post("/v2/models/m/infer", json=request(sent[first : first + AT_ONCE]))
            assert answer.status_code == 200
        while not (status := server.client.get("/v1/models/m").json())["asked"]:
            assert time.monotonic() < deadline, status
            time.sleep(0.1)
        said, others = by_answer(sent)
        answers = {name: send(server, some) for name, some in (("again", said), ("own", others))}
        events = server.client.get("/v1/events?model=m&after=0&limit=1000").json()["events"]
        overview = server.client.get("/v1/overview").json()["models"][0]
        metrics = server.client.get("/metrics").text
        letter = server.client.get("/week").text
    assert (status["asked"], status["safe"], status["scopes"]["model"]) == ([SAID], ["model"], "safe")
    assert {(a["parameters"]["served_by"], a["parameters"].get("escalated")) for a in answers["again"]} == {
        ("baseline", True)
    }
    assert {(a["parameters"]["served_by"], a["parameters"].get("escalated")) for a in answers["own"]} == {
        ("compressed", None)
    }
    (breach,) = (event for event in events if event["kind"] == "breach")
    assert "only answers that say one of these classes are asked again of the baseline: 3" in breach["reason"]
    assert breach["text"].startswith("The full model is asked again where the small one says “class 3”: ")
    assert overview["headline"] == "The full model of m is asked again where the small one says “class 3”."
    everyone = overview["everyone"]
    assert (everyone["state"], everyone["answers"], everyone["asked"]) == ("safe", "small", ["class 3"])
    assert [span["asked"] for span in overview["moves"][0]["spans"]] == [["class 3"]]
    assert "From then on the full model was asked again where the small one says “class 3”." in letter
    assert "Still answered by the full model: requests to m where the small one says “class 3”." in letter
    assert 'tightrope_asked_classes{model="m"} 1.0' in metrics
