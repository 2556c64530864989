"""Remote models on a real MLServer."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

import httpx
import numpy as np
import pytest

from tests.support.configs import ROOT, write_config
from tests.support.onnx_models import classifier
from tests.support.servers import serving
from tests.support.serving.model_pairs import CALM, weights
from tests.support.serving.service_harness import AUTH, body, eventually
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.open_inference.model import EndpointAddress, connect
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.protocol.tensors import TensorSpec

SERVER = ROOT / ".venv-mlserver" / "bin" / "mlserver"
TENSORS = {
    "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}],
    "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}],
}
SAME = weights((0, 0), (4, -4))
"""The weights of the model on MLServer."""


def ports(count: int) -> list[int]:
    """Free ports."""
    listeners = [create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return found


@contextmanager
def mlserver(folder: Path, *models: dict[str, object]) -> Iterator[str]:
    """MLServer with these models, until the block ends; its address."""
    if not SERVER.exists():
        pytest.skip("MLServer is not installed: `make .venv-mlserver/run.stamp` builds a place for it")
    http, grpc, metrics = ports(3)
    told = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps({"debug": False, **told}))
    for model in models:
        place = folder / str(model["name"])
        place.mkdir()
        shutil.copy(ROOT / "tests" / "mlserver" / "runtime.py", place)
        (place / "model-settings.json").write_text(json.dumps({"implementation": "runtime.Linear", **model}))
    address = f"http://127.0.0.1:{http}"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([SERVER, "start", folder], stdout=log, stderr=log, cwd=folder, env=environ)
        try:
            eventually(lambda: process.poll() is not None or ready(address), 60.0)
            assert process.poll() is None, (folder / "log").read_text()
            yield address
        finally:
            process.terminate()
            process.wait(30.0)


def ready(address: str) -> bool:
    """Whether the server answers."""
    try:
        return httpx.get(f"{address}/v2/health/ready").status_code == 200
    except httpx.HTTPError:
        time.sleep(0.1)
        return False


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Three models: with tensors, without, and with a version."""
    folder = tmp_path_factory.mktemp("mlserver")
    versioned = {"name": "versioned", "parameters": {"version": "v2"}, **TENSORS}
    with mlserver(folder, {"name": "told", **TENSORS}, {"name": "silent"}, versioned) as running:
        yield running


def test_answers_equal_those_of_the_file_up_to_rounding(address: str, tmp_path: Path) -> None:
    """A batch of several calls is compared with onnxruntime on the same weights."""
    rows = np.random.default_rng(1).normal(size=(150, 2)).astype(np.float32)
    far = connect(EndpointAddress(address, "told", timeout=20.0)).run({"input": rows}, ["probabilities"])[
        "probabilities"
    ]
    here = OnnxModel(classifier(tmp_path / "m.onnx", SAME)).run({"input": rows}, ["probabilities"])["probabilities"]
    assert (far.dtype, far.shape) == (np.float32, (150, 2))
    np.testing.assert_allclose(far, here, rtol=1e-5, atol=1e-7)


def test_reported_and_missing_tensors_are_handled(address: str) -> None:
    """Tensors come from its settings, or else from the other model."""
    assert connect(EndpointAddress(address, "told")).inputs == (TensorSpec("input", "FP32", (-1, 2)),)
    assert connect(EndpointAddress(address, "silent")).inputs == ()


def test_configured_version_is_called_and_a_wrong_one_is_missing(address: str) -> None:
    """Its 404 means that the model is missing, not that the input is wrong."""
    model = connect(EndpointAddress(address, "versioned", "v2", timeout=20.0))
    assert len(model.run({"input": np.zeros((1, 2), np.float32)}, ["probabilities"])) == 1
    with pytest.raises(Exception, match="status 404"):
        connect(EndpointAddress(address, "versioned", "v3"))


def test_refused_input_is_a_failed_run_with_its_text(address: str) -> None:
    """The breaker stays closed."""
    model = connect(EndpointAddress(address, "told", timeout=20.0, failures=1))
    with pytest.raises(RunFailedError, match=r"status (4|5)\d\d: .") as caught:
        model.run({"input": np.zeros((1, 3), np.float32)}, ["probabilities"])
    assert not isinstance(caught.value, UnreachableError)
    assert not model.breaker.open_reason


def test_pair_of_a_file_and_mlserver_serves_compares_and_falls_back(address: str, tmp_path: Path) -> None:
    """MLServer is the baseline of a file: it is compared, and answers in safe mode."""
    role = {"endpoint": address, "model": "silent", "timeout_seconds": 20.0}
    pair = {"baseline": role, "compressed": str(classifier(tmp_path / "c.onnx", SAME)), **CALM}
    compared = 'tightrope_comparisons_total{model="m",scope="model"} 10.0'
    with serving(write_config(tmp_path, {"models": {"m": pair}, "state": "state"})) as server:
        for _ in range(10):
            answer = server.client.post("/v2/models/m/infer", json=body([[0.0, 5.0]])).json()
            assert answer["parameters"]["served_by"] == "compressed"
        eventually(lambda: compared in server.client.get("/metrics").text, 30.0)
        order = {"scope": "model", "reason": "a test", "actor": "tests"}
        assert server.client.post("/v1/models/m/force-safe", json=order, headers=AUTH).status_code == 200
        answer = server.client.post("/v2/models/m/infer", json=body([[0.0, 0.3]])).json()
        assert answer["parameters"]["served_by"] == "baseline"
        assert answer["outputs"][0]["data"][0] == pytest.approx(1 / (1 + np.exp(-2.4)), rel=1e-5)
