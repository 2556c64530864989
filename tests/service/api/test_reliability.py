"""Reliability curves over HTTP."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.support.configs import TOKEN, write_config
from tests.support.harmful_pair import request
from tests.support.onnx_models import classifier
from tests.support.servers import serving
from tests.support.serving.service_harness import eventually

ROWS = 130


def test_reliability_of_a_model_without_labels_says_what_it_takes(client: httpx.Client) -> None:
    """One line with the key to set."""
    answer = client.get("/v1/models/untouched/reliability")
    assert (answer.status_code, answer.json()["error"]) == (
        404,
        "model untouched takes no labels, so no confidence can be checked: set models.untouched.labels",
    )
    assert client.get("/v1/models/nope/reliability").status_code == 404


def labelled_pair(folder: Path) -> dict[str, Any]:
    """A pair of two classes with golden rows; the compressed model is surer than its baseline of the same classes."""
    weights = np.array([[2, 0], [0, 2]], np.float32)
    rows = np.zeros((400, 2), np.float32)
    rows[:, 0] = np.linspace(0, 1, 400)
    np.savez(folder / "golden.npz", input=rows)
    pair = {
        "baseline": str(classifier(folder / "baseline.onnx", weights)),
        "compressed": str(classifier(folder / "compressed.onnx", 2 * weights)),
    }
    halves = {"half": {"parameter": "half", "values": ["left", "right"]}}
    model = {"labels": {"random": 1.0}, "golden": "golden.npz", "repeats": "none", "subgroups": halves}
    return {"models": {"m": pair | model}, "state": "state"}


def test_curves_say_whose_they_are_in_every_scope(tmp_path: Path) -> None:
    """Both models' curves over the bins of the golden rows, and two bins in a subgroup, from the labels that came."""
    with serving(write_config(tmp_path, labelled_pair(tmp_path))) as server:
        for number in np.random.default_rng(1).permutation(ROWS).tolist():
            sent = request(np.array([number / ROWS, 0], np.float32), f"r-{number}")
            sent["parameters"] = {"half": "left" if number % 2 else "right"}
            assert server.client.post("/v2/models/m/infer", json=sent).status_code == 200
        labels = {"labels": [{"id": f"r-{number}", "label": 0} for number in range(ROWS)]}
        auth = {"Authorization": f"Bearer {TOKEN}"}
        assert server.client.post("/v1/models/m/labels", json=labels, headers=auth).status_code == 202
        path = "/v1/models/m/reliability"
        eventually(lambda: server.client.get(path).json()["scopes"][0]["labels"] >= ROWS // 64 * 64)
        answer, left = (server.client.get(f"{path}{query}").json() for query in ("", "?scope=half%3Dleft"))
        unknown = server.client.get(f"{path}?scope=half%3Dno")
    assert (answer["bins"], answer["dependent"]) == ("golden", False)
    assert [scope["scope"] for scope in answer["scopes"]] == [
        "model",
        "half=left",
        "half=right",
        "half=other",
    ]
    assert [curve["role"] for curve in answer["scopes"][0]["curves"]] == ["baseline", "compressed"]
    assert [len(curve["bins"]) for curve in answer["scopes"][0]["curves"]] == [5, 5]
    sure = [[each for each in curve["bins"] if each["rows"]] for curve in answer["scopes"][0]["curves"]]
    assert sum(each["rows"] for each in sure[0]) == answer["scopes"][0]["labels"]
    assert {each["accuracy"] for each in sure[0] + sure[1]} == {1.0}
    assert answer["scopes"][0]["gap"]["mean"] > 0.03
    assert [len(curve["bins"]) for curve in left["scopes"][0]["curves"]] == [2, 2]
    assert [scope["scope"] for scope in left["scopes"]] == ["half=left"]
    assert unknown.status_code == 404
