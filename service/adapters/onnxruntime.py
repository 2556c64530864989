"""The one door to onnxruntime: a model file as `ports.Model`."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.ports import ProviderError, RunFailedError
from tightrope.service.errors import TightropeError
from tightrope.service.protocol.tensors import TensorSpec

DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
"""onnxruntime's types that the Open Inference Protocol has."""

RUN_ERRORS = (
    ort.Fail, ort.InvalidArgument, ort.RuntimeException, ort.EngineError, ort.EPFail, ort.InvalidGraph,
    ort.NotImplemented, RuntimeError, ValueError, TypeError, MemoryError,
)  # fmt: skip
LOAD_ERRORS = (*RUN_ERRORS, ort.InvalidProtobuf, ort.NoSuchFile, ort.NoModel, ort.ModelLoaded)


LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
"""How far a graph is rewritten."""


class ModelFileError(TightropeError):
    """The file is not a model that can be served."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """How a model is run; the fields of `tightrope.service.config.models.Runtime` say what each means."""

    providers: Sequence[str] = ("CPUExecutionProvider",)
    provider_options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    threads: int = 1
    node_threads: int = 1
    parallel: bool = False
    optimization: str = "all"
    arena: bool = True
    memory_pattern: bool = True


class OnnxModel:
    """An ONNX file, loaded.

    Raises:
        ModelFileError: when it cannot be.
        ProviderError: when nothing can be run here in the way that was asked for.
    """

    def __init__(self, path: Path, runtime: Runtime = Runtime()) -> None:
        self.digest = _digest(path)
        _insist_on(runtime.providers, onnxruntime.get_available_providers())
        providers = [(name, _texts(runtime.provider_options.get(name, {}))) for name in runtime.providers]
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), _options(runtime), providers=providers, enable_fallback=0
            )
        except LOAD_ERRORS as error:
            raise ModelFileError(f"{path}: not a model that onnxruntime can load: {_short(error)}") from error
        # The public way asks C++ for every input's name and type at every run, a third of a small model's time; here
        # requests are checked before.
        self._run = self._session._sess.run  # noqa: SLF001
        self.providers = tuple(self._session.get_providers())
        _insist_on(runtime.providers, self.providers, "could start only")
        self.inputs = tuple(_spec(path, tensor) for tensor in self._session.get_inputs())
        self.outputs = tuple(_spec(path, tensor) for tensor in self._session.get_outputs())

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch.

        Raises:
            RunFailedError: with onnxruntime's own message.
        """
        try:
            answer = self._run(outputs, inputs, None)
        except RUN_ERRORS as error:
            raise RunFailedError(_short(error)) from error
        return dict(zip(outputs, map(np.asarray, answer), strict=True))


def _options(runtime: Runtime) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = runtime.threads
    options.inter_op_num_threads = runtime.node_threads
    modes = onnxruntime.ExecutionMode
    options.execution_mode = modes.ORT_PARALLEL if runtime.parallel else modes.ORT_SEQUENTIAL
    options.graph_optimization_level = LEVELS[runtime.optimization]
    options.enable_cpu_mem_arena = runtime.arena
    options.enable_mem_pattern = runtime.memory_pattern
    options.log_severity_level = 4  # a failed run is raised and counted; it need not be printed too
    return options


def _texts(options: Mapping[str, object]) -> dict[str, str]:
    """As onnxruntime wants them: true is 1."""
    return {name: str(int(value) if isinstance(value, bool) else value) for name, value in options.items()}


def _insist_on(wanted: Sequence[str], there: Sequence[str], has: str = "has only") -> None:
    """Without this a model would quietly run on the processor."""
    missing = [name for name in wanted if name not in there]
    if missing:
        raise ProviderError(f"there is no {missing[0]!r} here; this onnxruntime {has} {', '.join(there)}")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error


def _spec(path: Path, tensor: onnxruntime.NodeArg) -> TensorSpec:
    if tensor.type not in DATATYPES:
        raise ModelFileError(
            f"{path}: {tensor.name} is a {tensor.type}, which the Open Inference Protocol has no datatype for"
        )
    shape = tuple(side if isinstance(side, int) and side >= 0 else -1 for side in tensor.shape)
    return TensorSpec(tensor.name, DATATYPES[tensor.type], shape)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
