"""The one door to onnxruntime: a model file as `service.adapters.ports.Model`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort

from monitors.records import Tensors
from service.adapters.ports import RunFailedError
from service.errors import TightropeError
from service.tensors import TensorSpec

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


class ModelFileError(TightropeError):
    """The file is not a model that can be served."""


class OnnxModel:
    """An ONNX file, loaded. ``threads`` is onnxruntime's intra-op parallelism of one call."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.digest = _digest(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # a failed run is raised and counted; it need not be printed too
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except LOAD_ERRORS as error:
            raise ModelFileError(f"{path}: not a model that onnxruntime can load: {_short(error)}") from error
        self.inputs = tuple(_spec(path, tensor) for tensor in self._session.get_inputs())
        self.outputs = tuple(_spec(path, tensor) for tensor in self._session.get_outputs())

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch.

        Raises:
            RunFailedError: with onnxruntime's own message.
        """
        try:
            answer = self._session.run(list(outputs), dict(inputs))
        except RUN_ERRORS as error:
            raise RunFailedError(_short(error)) from error
        return dict(zip(outputs, map(np.asarray, answer), strict=True))


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
