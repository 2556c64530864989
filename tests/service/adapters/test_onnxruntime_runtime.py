"""How a model is run arrives at onnxruntime, and what it has not is told before anything is served."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.support.onnx_models import classifier
from tests.support.servers import ROOT
from tests.support.serving.model_pairs import save, weights
from tightrope.service.adapters.onnxruntime import OnnxModel, Runtime
from tightrope.service.adapters.ports import ProviderError

AZURE, CPU, CUDA = "AzureExecutionProvider", "CPUExecutionProvider", "CUDAExecutionProvider"
"""The first is in every package of onnxruntime, and runs nothing of these models."""


class Watched(onnxruntime.InferenceSession):
    """The real session, remembering what it was made of; it writes down the graph that it runs."""

    made: list["Watched"]

    def __init__(self, path: str, options: onnxruntime.SessionOptions, **more: Any) -> None:  # noqa: ANN401 - passed on
        options.optimized_model_filepath = f"{path}.run"
        super().__init__(path, options, **more)
        self.providers = more["providers"]
        self.made.append(self)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    """The sessions that are made from here on."""
    monkeypatch.setattr(Watched, "made", [], raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Watched)
    return Watched.made


def test_what_is_left_out_is_what_onnxruntime_does_best(tmp_path: Path, made: list[Watched]) -> None:
    """One thread a call, everything optimized, memory kept; on the processor."""
    OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))))
    options = made[0].get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (True, True)
    assert made[0].get_providers() == [CPU]


def test_every_option_arrives(tmp_path: Path, made: list[Watched]) -> None:
    """Each is another than onnxruntime's own default."""
    runtime = Runtime(threads=2, node_threads=3, parallel=True, optimization="basic", arena=False, memory_pattern=False)
    OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))), runtime)
    options = made[0].get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 3)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (False, False)


def _waste(path: Path) -> Path:
    """Two nodes that do nothing before one that does."""
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
def test_graph_is_rewritten_as_far_as_is_said(tmp_path: Path, made: list[Watched], level: str, nodes: int) -> None:
    """What runs is the file as it is, or a shorter graph; the answer is the same."""
    path = _waste(tmp_path / "w.onnx")
    model = OnnxModel(path, Runtime(optimization=level))
    assert len(made) == 1
    assert len(onnx.load(f"{path}.run").graph.node) == nodes
    assert model.run({"input": np.array([[-1, 2]], np.float32)}, ["output"])["output"].tolist() == [[0, 2]]


GROWN = """
import sys
from pathlib import Path
import numpy as np
from tightrope.service.adapters.onnxruntime import OnnxModel, Runtime
model = OnnxModel(Path(sys.argv[1]), Runtime(arena=sys.argv[2] == "arena"))
model.run({"input": np.ones((100_000, 1), np.float32)}, ["probabilities"])
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(pages * 4096 // 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells a process's memory in /proc")
def test_without_the_arena_a_large_batch_leaves_nothing_behind(tmp_path: Path) -> None:
    """The 76 MiB of an inner layer, which the arena keeps for the next."""
    path = classifier(tmp_path / "wide.onnx", np.ones((1, 200), np.float32))
    command = [sys.executable, "-c", GROWN, str(path)]
    kept, freed = (
        int(subprocess.run([*command, how], capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for how in ("arena", "no")
    )
    assert kept - freed > 50


def test_providers_are_asked_in_the_order_given(tmp_path: Path, made: list[Watched]) -> None:
    """Each with its own options, as the texts that onnxruntime wants."""
    options = {AZURE: {"device_id": 1, "fast": True, "name": "x"}}
    model = OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))), Runtime([AZURE, CPU], options))
    assert made[0].get_providers() == [AZURE, CPU]
    assert made[0].providers == [(AZURE, {"device_id": "1", "fast": "1", "name": "x"}), (CPU, {})]
    assert model.run({"input": np.ones((1, 1), np.float32)}, ["probabilities"])["probabilities"].shape == (1, 2)


def test_provider_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """onnxruntime itself would warn, and run on the processor."""
    path = classifier(tmp_path / "c.onnx", weights((1, 2)))
    there = ", ".join(onnxruntime.get_available_providers())
    with pytest.raises(ProviderError) as caught:
        OnnxModel(path, Runtime([CUDA, CPU]))
    assert str(caught.value) == f"there is no {CUDA!r} here; this onnxruntime has only {there}"


def test_provider_that_does_not_start_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a package for a GPU on a machine without one: it is there, but the session is without it."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    with pytest.warns(UserWarning, match=CUDA), pytest.raises(ProviderError, match=f"could start only {CPU}"):
        OnnxModel(classifier(tmp_path / "c.onnx", weights((1, 2))), Runtime([CUDA, CPU]))
