"""Changes of one weight of a baseline at a time: which tensors there are, how much each loses, and the changed file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf, log10
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tightrope.offline.sweep.making.makers import smallest_zeroed, weights_of

LEVELS_OF_8_BITS = 127
HALF_OF_VALUES = 0.5


class TensorChange(StrEnum):
    """The change of a tensor."""

    PRUNED = "half of its values pruned"
    EIGHT_BITS = "8 bits, one scale"


@dataclass(frozen=True, slots=True)
class TensorTrial:
    """A tensor with a change, and the ratio of its signal to the noise of the change, in decibels."""

    tensor: str
    change: TensorChange
    decibels: float


def _eight_bits(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values as 8-bit integers with one symmetric scale keep them."""
    scale = float(np.abs(values).max(initial=0.0)) / LEVELS_OF_8_BITS
    return values if scale == 0 else (np.round(values / scale) * scale).astype(np.float32)


_CHANGES: Mapping[TensorChange, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    TensorChange.PRUNED: lambda values: smallest_zeroed(values, HALF_OF_VALUES),
    TensorChange.EIGHT_BITS: lambda values: _eight_bits(values),  # noqa: PLW0108 - looked up when it is called
}


def tensor_trials(baseline: Path) -> list[TensorTrial]:
    """Every weight with every change of a value, the one that loses most first: that orders the trials, and says
    nothing of harm.

    Raises:
        Exception: what onnx raises for a file that it cannot read.
    """
    found = []
    for tensor in weights_of(onnx.load(baseline)):
        values = numpy_helper.to_array(tensor)
        found += [
            TensorTrial(tensor.name, name, _decibels(values, change(values))) for name, change in _CHANGES.items()
        ]
    return sorted((trial for trial in found if trial.decibels < inf), key=lambda trial: trial.decibels)


def _decibels(values: NDArray[np.float32], changed: NDArray[np.float32]) -> float:
    signal, noise = (float(np.square(each, dtype=np.float64).sum()) for each in (values, values - changed))
    return inf if noise == 0 else 10 * log10(signal / noise)


def write_changed(baseline: Path, trial: TensorTrial, target: Path) -> None:
    """Write the baseline with one tensor changed.

    Raises:
        Exception: what onnx raises for a file that it cannot read or write.
    """
    model = onnx.load(baseline)
    tensor = next(each for each in weights_of(model) if each.name == trial.tensor)
    changed = _CHANGES[trial.change](numpy_helper.to_array(tensor))
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    onnx.save(model, target)
