"""ONNX files run by onnxruntime, as `ports.Model`."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.cpu import host_class, usable_cores
from tightrope.service.adapters.graph_work import find_value_work
from tightrope.service.adapters.model_files import ModelFileError, find_files
from tightrope.service.adapters.onnx_types.bfloat16 import BFLOAT16, ValueRuns
from tightrope.service.adapters.onnx_types.zip_maps import ZIP_MAP_TYPES, ZipMap, find_zip_maps
from tightrope.service.adapters.ports import ProviderError, RunFailedError
from tightrope.service.adapters.runs.watched_runs import RunCall, WatchedRuns
from tightrope.service.protocol.tensors import TensorSpec, zeros

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
    BFLOAT16: "FP32",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
"""Open Inference Protocol datatypes by onnxruntime's tensor types, FP32 in the place of BF16; the other types have
none.
"""

RUN_ERRORS = (
    ort.Fail, ort.InvalidArgument, ort.RuntimeException, ort.EngineError, ort.EPFail, ort.InvalidGraph,
    ort.NotImplemented, RuntimeError, ValueError, TypeError, MemoryError,
)  # fmt: skip
LOAD_ERRORS = (*RUN_ERRORS, ort.InvalidProtobuf, ort.NoSuchFile, ort.NoModel, ort.ModelLoaded)

OPTIMIZATION_LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
"""Graph optimization levels by their names in the configuration."""


PRECISE_INT8 = "session.x64quantprecision"
"""The option of a session that avoids 8-bit products which saturate on x86 processors without VNNI."""

LOCAL_HOST_CLASS = host_class(onnxruntime.__version__)
"""The class of this process's host."""


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """Session options of a model, as in the section `runtime` of the configuration."""

    providers: Sequence[str] = ("CPUExecutionProvider",)
    provider_options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    threads: int = 1
    node_threads: int = 1
    parallel: bool = False
    optimization: str = "all"
    arena: bool = True
    memory_pattern: bool = True
    precise_int8: bool = False


class OnnxModel:
    """A loaded ONNX file; ``digest`` is the one that it must have, if it was tried before. ``not_offered`` has the type
    of each output that is no tensor of the protocol, and that callers do not get.

    Raises:
        ModelFileError: when one of its files cannot be read or has changed, or onnxruntime cannot load it.
        ProviderError: when this process lacks one of the configured execution providers.
    """

    def __init__(self, path: Path, runtime: RuntimeOptions = RuntimeOptions(), digest: str | None = None) -> None:
        files = find_files(path)
        if digest not in (None, files.digest):
            raise ModelFileError(f"{path}: changed after its trial; deploy it again")
        self.host_class = LOCAL_HOST_CLASS
        self.run_threads = _run_threads(runtime)
        self.digest = files.digest
        _require_providers(runtime.providers, onnxruntime.get_available_providers())
        providers = [(name, _to_strings(runtime.provider_options.get(name, {}))) for name in runtime.providers]
        try:
            self._session = onnxruntime.InferenceSession(
                str(files.path), _options(runtime), providers=providers, enable_fallback=0
            )
        except LOAD_ERRORS as error:
            raise ModelFileError(f"{path}: not a model that onnxruntime can load: {_one_line(error)}") from error
        files.require_unchanged()
        self.providers = tuple(self._session.get_providers())
        _require_providers(runtime.providers, self.providers, "could start only")
        self.inputs = tuple(_spec(path, tensor) for tensor in self._session.get_inputs())
        given = {tensor.name: tensor for tensor in self._session.get_outputs()}
        has_halves = any(tensor.type == BFLOAT16 for tensor in (*self._session.get_inputs(), *given.values()))
        maps = [name for name in given if given[name].type in ZIP_MAP_TYPES and not has_halves]
        self._zip_maps = find_zip_maps(files.path, maps)
        self.outputs = tuple(_offered(path, given, self._zip_maps))
        offered = {spec.name for spec in self.outputs}
        self.not_offered = {name: tensor.type for name, tensor in given.items() if name not in offered}
        self.value_work = find_value_work(files.path)
        probe = partial(_run_zeros, self.inputs, self.outputs)
        call = self._call_with_halves(path) if has_halves else self._call()
        self.runs = WatchedRuns(str(path), call, onnxruntime.RunOptions, probe)

    def surrounded(
        self,
        call: RunCall,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        digest: str,
        value_work: str,
    ) -> "OnnxModel":
        """The model with other graphs around it: ``call`` runs all of them, within the deadline of one run."""
        other = copy(self)
        other.inputs, other.outputs, other.digest, other.value_work = inputs, outputs, digest, value_work
        other.runs = WatchedRuns(self.runs.name, call, onnxruntime.RunOptions, partial(_run_zeros, inputs, outputs))
        return other

    def _call(self) -> RunCall:
        """A run of the session. `InferenceSession.run` reads every input's name and type from C++ at every run, a third
        of a small model's time; requests are validated before they get here.
        """
        call: RunCall = self._session._sess.run  # noqa: SLF001
        return call

    def _call_with_halves(self, path: Path) -> RunCall:
        """A run of a session with tensors of BF16.

        Raises:
            ModelFileError: when an input is of strings, which onnxruntime does not take beside.
        """
        inputs = self._session.get_inputs()
        for tensor in inputs:
            if tensor.type == "tensor(string)":
                raise ModelFileError(f"{path}: {tensor.name} is of strings, which no model with BF16 can take")
        halves = [tensor.name for tensor in inputs if tensor.type == BFLOAT16]
        return ValueRuns(self._session._sess.run_with_ort_values, onnxruntime.OrtValue, halves)  # noqa: SLF001

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch with the named outputs.

        Raises:
            RunFailedError: with onnxruntime's own message; `RunDeadlineError` when it takes too long.
            EventLoopHeldError: when it held the event loop.
        """
        try:
            values = self.runs.run(outputs, inputs)
            if self._zip_maps:
                values = [
                    self._zip_maps[name].to_matrix(value) if name in self._zip_maps else value
                    for name, value in zip(outputs, values, strict=True)
                ]
        except RUN_ERRORS as error:
            raise RunFailedError(_one_line(error)) from error
        return dict(zip(outputs, map(np.asarray, values), strict=True))


def _run_zeros(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], runs: WatchedRuns) -> None:
    """Make the probe of a model that hangs; raises as `OnnxModel.run`."""
    try:
        runs.run_anyway([outputs[0].name], zeros(inputs))
    except RUN_ERRORS as error:
        raise RunFailedError(_one_line(error)) from error


def _options(runtime: RuntimeOptions) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = runtime.threads
    options.inter_op_num_threads = runtime.node_threads
    modes = onnxruntime.ExecutionMode
    options.execution_mode = modes.ORT_PARALLEL if runtime.parallel else modes.ORT_SEQUENTIAL
    options.graph_optimization_level = OPTIMIZATION_LEVELS[runtime.optimization]
    options.enable_cpu_mem_arena = runtime.arena
    options.enable_mem_pattern = runtime.memory_pattern
    if runtime.precise_int8:
        options.add_session_config_entry(PRECISE_INT8, "1")
    options.log_severity_level = 4  # fatal only: a failed run is raised and counted already
    return options


def _run_threads(runtime: RuntimeOptions) -> int:
    """The threads that a run may occupy; 0 in the options stands for all cores."""
    nodes = (runtime.node_threads or usable_cores()) if runtime.parallel else 1
    return max(runtime.threads or usable_cores(), nodes)


def _to_strings(options: Mapping[str, object]) -> dict[str, str]:
    """Provider options as the strings that onnxruntime takes: true is 1."""
    return {name: str(int(value) if isinstance(value, bool) else value) for name, value in options.items()}


def _require_providers(wanted: Sequence[str], available: Sequence[str], has: str = "has only") -> None:
    """Refuse missing providers: onnxruntime would fall back to the processor without an error."""
    missing = [name for name in wanted if name not in available]
    if missing:
        raise ProviderError(f"there is no {missing[0]!r} here; this onnxruntime {has} {', '.join(available)}")


def _offered(
    path: Path, given: Mapping[str, onnxruntime.NodeArg], zip_maps: Mapping[str, ZipMap]
) -> Iterator[TensorSpec]:
    """The outputs that callers can get."""
    for name, tensor in given.items():
        if name in zip_maps:
            yield TensorSpec(name, "FP32", (-1, len(zip_maps[name].keys)), zip_maps[name].classes)
        elif tensor.type in DATATYPES:
            yield _spec(path, tensor)


def _spec(path: Path, tensor: onnxruntime.NodeArg) -> TensorSpec:
    if tensor.type not in DATATYPES:
        raise ModelFileError(
            f"{path}: {tensor.name} is a {tensor.type}, which the Open Inference Protocol has no datatype for"
        )
    shape = tuple(side if isinstance(side, int) and side >= 0 else -1 for side in tensor.shape)
    return TensorSpec(tensor.name, DATATYPES[tensor.type], shape)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
