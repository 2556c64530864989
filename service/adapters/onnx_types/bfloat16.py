"""Tensors of BF16, a type that numpy and the protocol lack, shown as FP32.

BF16 is the upper half of FP32. `InferenceSession.run` refuses it, so a model that has it is run on onnxruntime's own
values, whose memory is read and written as 16-bit integers.
"""

import ctypes
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Tensors

BFLOAT16 = "tensor(bfloat16)"
"""The type in onnxruntime's words."""

ONNX_BFLOAT16 = 16
"""The type's number in ONNX's `TensorProto`."""

SHIFT = 16
INFINITY, SIGNLESS = 0x7F80, 0x7FFF


def to_single(halves: NDArray[np.uint16]) -> NDArray[np.float32]:
    """The numbers that these 16 bits each are the upper half of."""
    return (halves.astype(np.uint32) << SHIFT).view(np.float32)


def from_single(numbers: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The nearest BF16 of each number, ties to even; NaN stays NaN.

    Raises:
        ValueError: when a finite number becomes infinite.
    """
    bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32)
    rounded = ((bits + (((bits >> SHIFT) & 1) + 0x7FFF)) >> SHIFT).astype(np.uint16)
    rounded = np.where(np.isnan(numbers), np.uint16(0x7FC0), rounded)
    if bool((np.isfinite(numbers) & (rounded & SIGNLESS == INFINITY)).any()):
        raise ValueError("a value of FP32 is too large for the model's BF16")
    return rounded


class ValueRuns:
    """Runs of a session on onnxruntime's values, as `watched_runs.RunCall`. ``run`` is the session's own method,
    ``values`` the class `onnxruntime.OrtValue`; ``halves`` names the inputs of BF16.
    """

    def __init__(self, run: Callable[..., Sequence[Any]], values: Any, halves: Collection[str]) -> None:  # noqa: ANN401 - untyped
        self._run = run
        self._values = values
        self._halves = frozenset(halves)

    def __call__(self, outputs: Sequence[str], inputs: Tensors, options: object) -> Sequence[Any]:
        """Make a run.

        Raises:
            ValueError: when an input does not fit BF16.
        """
        fed = {name: self._value(name, tensor) for name, tensor in inputs.items()}
        given = {name: value._get_c_value() for name, value in fed.items()}  # noqa: SLF001 - as onnxruntime's own call
        return [_array(value) for value in self._run(given, outputs, options)]

    def _value(self, name: str, tensor: NDArray[Any]) -> Any:  # noqa: ANN401 - untyped
        if name in self._halves:
            return self._values.ortvalue_from_numpy_with_onnx_type(from_single(tensor), ONNX_BFLOAT16)
        return self._values.ortvalue_from_numpy(np.ascontiguousarray(tensor).reshape(tensor.shape))


def _array(value: Any) -> Any:  # noqa: ANN401 - untyped
    """The content of one of onnxruntime's values."""
    if value.data_type() != BFLOAT16:
        return value.numpy()
    shape = tuple(value.shape())
    if 0 in shape:
        return np.zeros(shape, np.float32)
    pointer = ctypes.cast(value.data_ptr(), ctypes.POINTER(ctypes.c_uint16))
    return to_single(np.ctypeslib.as_array(pointer, shape))
