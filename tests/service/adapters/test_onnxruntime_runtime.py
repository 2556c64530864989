"""Runtime options reach onnxruntime, and missing providers are refused at the start."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from tests.support.configs import ROOT
from tests.support.onnx_models import classifier
from tests.support.saturating_host import saturates_here
from tests.support.serving.model_pairs import save, weights
from tightrope.service.adapters.onnxruntime import PRECISE_INT8, OnnxModel, RuntimeOptions
from tightrope.service.adapters.ports import ProviderError
from tightrope.service.inference.qualified.golden_answers import answer, distance

AZURE, CPU, CUDA = "AzureExecutionProvider", "CPUExecutionProvider", "CUDAExecutionProvider"
"""The first is in every package of onnxruntime, and runs no node of these models."""


class WatchedSession(onnxruntime.InferenceSession):
    """The real session; it remembers its arguments, and writes its optimized graph."""

    made: list["WatchedSession"]

    def __init__(self, path: str, options: onnxruntime.SessionOptions, **more: Any) -> None:  # noqa: ANN401 - passed on
        options.optimized_model_filepath = f"{path}.run"
        super().__init__(path, options, **more)
        self.providers = more["providers"]
        self.made.append(self)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[WatchedSession]:
    """The sessions created from now on."""
    monkeypatch.setattr(WatchedSession, "made", [], raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", WatchedSession)
    return WatchedSession.made


def test_defaults_are_one_thread_and_all_optimizations(tmp_path: Path, made: list[WatchedSession]) -> None:
    """One thread, all optimizations, memory arena; on the processor."""
    OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))))
    options = made[0].get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (True, True)
    assert made[0].get_providers() == [CPU]


def test_every_option_reaches_onnxruntime(tmp_path: Path, made: list[WatchedSession]) -> None:
    """Each value differs from onnxruntime's default."""
    runtime = RuntimeOptions(
        threads=2, node_threads=3, parallel=True, optimization="basic", arena=False, memory_pattern=False
    )
    OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))), runtime)
    options = made[0].get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 3)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (False, False)


def _redundant_graph(path: Path) -> Path:
    """A graph with two redundant nodes."""
    return save(
        path,
        [
            helper.make_node("Identity", ["input"], ["one"]),
            helper.make_node("Identity", ["one"], ["two"]),
            helper.make_node("Relu", ["two"], ["output"]),
        ],
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", 2])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows", 2])],
    )


@pytest.mark.parametrize(("level", "nodes"), [("none", 3), ("basic", 1), ("extended", 1), ("all", 1)])
def test_graph_is_optimized_to_the_configured_level(
    tmp_path: Path, made: list[WatchedSession], level: str, nodes: int
) -> None:
    """The graph is unchanged or shorter; the answer is equal."""
    path = _redundant_graph(tmp_path / "w.onnx")
    model = OnnxModel(path, RuntimeOptions(optimization=level))
    assert len(made) == 1
    assert len(onnx.load(f"{path}.run").graph.node) == nodes
    assert model.run({"input": np.array([[-1, 2]], np.float32)}, ["output"])["output"].tolist() == [[0, 2]]


GROWN = """
import sys
from pathlib import Path
import numpy as np
from tightrope.service.adapters.onnxruntime import PRECISE_INT8, OnnxModel, RuntimeOptions
model = OnnxModel(Path(sys.argv[1]), RuntimeOptions(arena=sys.argv[2] == "arena"))
model.run({"input": np.ones((100_000, 1), np.float32)}, ["probabilities"])
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(pages * 4096 // 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux has a process's memory in /proc")
def test_without_the_arena_memory_of_a_large_batch_is_released(tmp_path: Path) -> None:
    """The arena would keep the 76 MiB of an inner layer."""
    path = classifier(tmp_path / "wide.onnx", np.ones((1, 200), np.float32))
    command = [sys.executable, "-c", GROWN, str(path)]
    kept, freed = (
        int(subprocess.run([*command, how], capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for how in ("arena", "no")
    )
    assert kept - freed > 50


def test_providers_keep_their_order(tmp_path: Path, made: list[WatchedSession]) -> None:
    """Each has its own options, as strings."""
    options = {AZURE: {"device_id": 1, "fast": True, "name": "x"}}
    model = OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))), RuntimeOptions([AZURE, CPU], options))
    assert made[0].get_providers() == [AZURE, CPU]
    assert made[0].providers == [(AZURE, {"device_id": "1", "fast": "1", "name": "x"}), (CPU, {})]
    assert model.run({"input": np.ones((1, 1), np.float32)}, ["probabilities"])["probabilities"].shape == (1, 2)


def test_missing_provider_is_refused(tmp_path: Path) -> None:
    """onnxruntime itself would only warn, and use the processor."""
    path = classifier(tmp_path / "c.onnx", weights((1, 2)))
    there = ", ".join(onnxruntime.get_available_providers())
    with pytest.raises(ProviderError) as caught:
        OnnxModel(path, RuntimeOptions([CUDA, CPU]))
    assert str(caught.value) == f"there is no {CUDA!r} here; this onnxruntime has only {there}"


def test_provider_that_does_not_start_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU package on a machine without a GPU has the provider, but the session does not."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    with pytest.warns(UserWarning, match=CUDA), pytest.raises(ProviderError, match=f"could start only {CPU}"):
        OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))), RuntimeOptions([CUDA, CPU]))


@pytest.mark.parametrize("precise", [True, False])
def test_precise_products_are_an_option_of_the_session(
    tmp_path: Path, made: list[WatchedSession], *, precise: bool
) -> None:
    """By onnxruntime's own name."""
    OnnxModel(classifier(tmp_path / "m.onnx", np.eye(2, dtype=np.float32)), RuntimeOptions(precise_int8=precise))
    options = made[0].get_session_options()
    if precise:
        assert options.get_session_config_entry(PRECISE_INT8) == "1"
    else:
        with pytest.raises(RuntimeError, match=PRECISE_INT8):
            options.get_session_config_entry(PRECISE_INT8)


def test_precise_products_have_the_answers_of_processors_with_exact_ones(tmp_path: Path) -> None:
    """Where the instructions saturate, another answer is corrected; elsewhere nothing changes."""
    quantized, rng = tmp_path / "s8.onnx", np.random.default_rng(1)
    quantize_dynamic(ROOT / "demo/models/baseline_fp32.onnx", quantized, weight_type=QuantType.QInt8, per_channel=True)
    source = np.genfromtxt(ROOT / "demo/data/golden.csv", np.float32, delimiter=",", skip_header=1)[:, :16]
    rows = {"input": np.stack([rng.permutation(column)[:256] for column in source.T], axis=1)}
    models = [OnnxModel(quantized, RuntimeOptions(precise_int8=precise)) for precise in (False, True)]
    plain, precise = (answer(model, rows, ["probabilities"]) for model in models)
    assert (distance(plain, precise) > 0.03) is saturates_here()
