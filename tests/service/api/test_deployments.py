"""Refused deployments over HTTP: without the token, with an invalid body, and with an artefact that does not fit."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.service_harness import AUTH, good_request

WHY = {"reason": "a test asks for it", "actor": "tests"}


def post(client: httpx.Client, what: str, model: str = "plain", **how: Any) -> httpx.Response:  # noqa: ANN401
    """Request a deployment or a rollback."""
    return client.post(f"/v1/models/{model}/{what}", **{"json": WHY, "headers": AUTH, **how})


def digests(client: httpx.Client) -> tuple[str, str]:
    """The digests of the serving artefacts."""
    status = client.get("/v1/models/plain").json()
    return status["baseline_digest"], status["compressed_digest"]


@pytest.fixture
def other(tmp_path: Path) -> str:
    """A model file that fits."""
    return str(classifier(tmp_path / "other.onnx", np.array([[0, 0], [1, -1]], np.float32)))


@pytest.mark.parametrize("what", ["deploy", "rollback"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["none", "wrong"])
def test_deployment_without_the_token_is_refused(
    client: httpx.Client, other: str, what: str, headers: dict[str, str]
) -> None:
    """401, and the artefacts stay."""
    before = digests(client)
    answer = post(client, what, json={**WHY, "path": other}, headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert digests(client) == before


NOWHERE: dict[str, object] = {"endpoint": "http://127.0.0.1:1", "model": "m"}


@pytest.mark.parametrize(
    ("what", "body", "expected_error"),
    [
        ("deploy", {}, "body: Value error, needs either path or endpoint"),
        ("deploy", {"path": "x", "endpoint": NOWHERE}, "body: Value error, needs either path or endpoint"),
        ("deploy", {"endpoint": {"endpoint": "x"}}, "body.endpoint.endpoint: String should match pattern"),
        ("deploy", {"endpoint": NOWHERE | {"token_file": "/x"}}, "body: Value error, endpoint.token_file cannot be"),
        ("deploy", {"path": ""}, "body.path: String should have at least 1 character"),
        ("deploy", {"path": "a\0b"}, "body.path: String should match pattern"),
        ("deploy", {"path": "x", "role": "shadow"}, "body.role: Input should be 'baseline' or 'compressed'"),
        ("deploy", {"path": "x", "reason": "x"}, "body.reason: String should have at least 3 characters"),
        ("deploy", {"path": "x", "actor": ""}, "body.actor: String should have at least 1 character"),
        ("deploy", {"path": "x", "pth": "y"}, "body.pth: Extra inputs are not permitted"),
        ("rollback", {"path": "x"}, "body.path: Extra inputs are not permitted"),
        ("rollback", {"reason": ""}, "body.reason: String should have at least 3 characters"),
    ],
)
def test_invalid_body_is_refused(client: httpx.Client, what: str, body: dict[str, object], expected_error: str) -> None:
    """400, naming the field."""
    answer = post(client, what, json={**WHY, **body})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(expected_error)


@pytest.mark.parametrize("what", ["deploy", "rollback"])
def test_unknown_model_is_404(client: httpx.Client, other: str, what: str) -> None:
    """The model is looked up before any file is read."""
    body = {**WHY, "path": other} if what == "deploy" else WHY
    answer = post(client, what, "nope", json=body)
    assert (answer.status_code, "is not served here" in answer.json()["error"]) == (404, True)


UNFIT = {
    "missing": ("nowhere.onnx", "models.plain.compressed: "),
    "a folder": ("", "models.plain.compressed: "),
    "no model": ("text.onnx", "not a model that onnxruntime can load"),
    "other classes": ("wide.onnx", "output 'probabilities' is FP32[-1, 3], but the baseline's is FP32[-1, 2]"),
    "other features": ("deep.onnx", "input 'input' is FP32[-1, 3], but the baseline's is FP32[-1, 2]"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_artefact_that_does_not_fit_changes_nothing(client: httpx.Client, tmp_path: Path, name: str) -> None:
    """400 with the reason; the artefacts stay, and there is nothing to roll back to."""
    file, expected_error = UNFIT[name]
    (tmp_path / "text.onnx").write_text("no model")
    classifier(tmp_path / "wide.onnx", np.ones((2, 3), np.float32))
    classifier(tmp_path / "deep.onnx", np.ones((3, 2), np.float32))
    before = digests(client)
    answer = post(client, "deploy", json={**WHY, "path": str(tmp_path / file)})
    assert (answer.status_code, expected_error in answer.json()["error"]) == (400, True), answer.text
    assert digests(client) == before
    assert good_request(client)
    assert post(client, "rollback").status_code == 400


def test_rollback_without_a_deployment_is_refused(client: httpx.Client) -> None:
    """400, with the reason."""
    answer = post(client, "rollback")
    assert answer.status_code == 400
    assert answer.json() == {"error": "model plain: nothing was deployed since it started"}


def test_get_of_a_deployment_is_not_allowed(client: httpx.Client) -> None:
    """Deployments are requested with POST."""
    assert client.get("/v1/models/plain/deploy", headers=AUTH).status_code == 405
