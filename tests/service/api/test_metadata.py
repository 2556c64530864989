"""Health and metadata routes of the inference protocol, on a running server."""

import httpx
import pytest


def test_server_reports_name_version_and_extensions(client: httpx.Client) -> None:
    """Clients read the extension for binary tensors here."""
    metadata = client.get("/v2").json()
    assert metadata["name"] == "tightrope"
    assert metadata["extensions"] == ["binary_tensor_data"]
    assert metadata["version"]


def test_started_server_is_live_and_ready(client: httpx.Client) -> None:
    """A server prints its address only once it can answer."""
    for path, body in (("live", {"live": True}), ("ready", {"ready": True})):
        answer = client.get(f"/v2/health/{path}")
        assert (answer.status_code, answer.json()) == (200, body)


@pytest.mark.parametrize("version", ["", "/versions/7.1"])
def test_model_reports_its_inputs_and_outputs(client: httpx.Client, version: str) -> None:
    """The path works with and without a version."""
    assert client.get(f"/v2/models/modes{version}").json() == {
        "name": "modes",
        "versions": ["7.1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}],
    }
    assert client.get(f"/v2/models/modes{version}/ready").json() == {"name": "modes", "ready": True}
