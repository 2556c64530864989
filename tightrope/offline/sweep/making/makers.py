"""The makers: compressed models from a baseline's file, by onnx and the tools of onnxruntime.

The only door to these libraries in the program, beside that of the serving runtime. Everything here runs offline.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from tightrope.monitors.records import Tensors
from tightrope.offline.sweep.making.recipes import Recipe, Technique

WEIGHT_TYPES = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8}

TOOLS: Mapping[str, str] = {"onnx": str(onnx.__version__), "onnxruntime": str(onnxruntime.__version__)}
"""The versions of the libraries, as a manifest lists them."""

CALIBRATION_BATCH = 64
MATRIX_AXES = 2
"""A tensor with fewer axes is no weight: biases and constants stay as they are."""


def make_variant(recipe: Recipe, baseline: Path, target: Path, rows: Sequence[Tensors]) -> None:
    """Write the variant of a recipe. ``rows`` are those from which static quantization learns, in parts.

    Raises:
        Exception: what the libraries raise for a model that they cannot convert.
    """
    with _quiet():
        _MAKERS[recipe.technique](recipe, baseline, target, rows)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' advice about other tools from the terminal."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _dynamic(recipe: Recipe, baseline: Path, target: Path, _: Sequence[Tensors]) -> None:
    weights = WEIGHT_TYPES[str(recipe.options["weights"])]
    quantize_dynamic(baseline, target, weight_type=weights, per_channel=bool(recipe.options["per_channel"]))


class _RowReader(CalibrationDataReader):  # type: ignore[misc]
    """Gives rows to the calibration, a batch a call."""

    def __init__(self, rows: Sequence[Tensors]) -> None:
        self._batches = iter(
            [
                {name: np.asarray(tensor[begin : begin + CALIBRATION_BATCH]) for name, tensor in part.items()}
                for part in rows
                for begin in range(0, len(next(iter(part.values()))), CALIBRATION_BATCH)
            ]
        )

    def get_next(self) -> Tensors | None:
        """The next batch; None after the last one."""
        return next(self._batches, None)


def _static(_: Recipe, baseline: Path, target: Path, rows: Sequence[Tensors]) -> None:
    quantize_static(baseline, target, _RowReader(rows), quant_format=QuantFormat.QDQ)


def _half(_: Recipe, baseline: Path, target: Path, __: Sequence[Tensors]) -> None:
    onnx.save(convert_float_to_float16(onnx.load(baseline), keep_io_types=True), target)


def _prune(recipe: Recipe, baseline: Path, target: Path, _: Sequence[Tensors]) -> None:
    model = onnx.load(baseline)
    for tensor in weights_of(model):
        pruned = smallest_zeroed(numpy_helper.to_array(tensor), float(recipe.options["sparsity"]))
        tensor.CopyFrom(numpy_helper.from_array(pruned, tensor.name))
    onnx.save(model, target)


def weights_of(model: ModelProto) -> list[TensorProto]:
    """The weights of a model: its matrices and kernels of 32-bit floats."""
    return [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) >= MATRIX_AXES
    ]


def smallest_zeroed(values: NDArray[np.float32], sparsity: float) -> NDArray[np.float32]:
    """The values of a tensor with the smallest ones at zero, this share of them."""
    pruned = values.copy()
    order = np.argsort(np.abs(values), axis=None, kind="stable")
    pruned.reshape(-1)[order[: int(values.size * sparsity)]] = 0
    return pruned


_MAKERS: Mapping[Technique, Callable[[Recipe, Path, Path, Sequence[Tensors]], Any]] = {
    Technique.DYNAMIC: _dynamic,
    Technique.STATIC: _static,
    Technique.HALF: _half,
    Technique.PRUNING: _prune,
}
