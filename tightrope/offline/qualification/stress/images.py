"""Scenarios of images, inputs of four axes: a box blur, and more or less contrast."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.qualification.split import draw
from tightrope.monitors.records import Tensors
from tightrope.offline.qualification.row_bytes import bytes_of_rows
from tightrope.offline.qualification.stress.columns import NotApplicableError

IMAGE_AXES = 4
HEIGHT_AND_WIDTH = {"NCHW": (2, 3), "NHWC": (1, 2)}
LESS_CONTRAST, MORE_CONTRAST = 0.8, 1.25


def blur(parts: Sequence[Tensors], layout: str) -> Sequence[Tensors]:
    """Blur each image by a box of 3 x 3; the edge is repeated beyond it.

    Raises:
        NotApplicableError: when no input has images.
    """
    axes = HEIGHT_AND_WIDTH[layout]

    def blurred(images: NDArray[Any]) -> NDArray[Any]:
        for axis in axes:
            padded = np.pad(images, [(1, 1) if each == axis else (0, 0) for each in range(IMAGE_AXES)], mode="edge")
            size = images.shape[axis]
            images = np.mean([np.take(padded, np.arange(shift, shift + size), axis) for shift in range(3)], axis=0)
        return images

    return [_changed(part, lambda images, _: blurred(images)) for part in parts]


def contrast(parts: Sequence[Tensors], seed: int) -> Sequence[Tensors]:
    """Move each image's values nearer to its mean, or away from it: the row and the seed alone say which. Values stay
    within the range of the file.

    Raises:
        NotApplicableError: when no input has images.
    """
    ranges = {
        name: (min(part[name].min() for part in parts), max(part[name].max() for part in parts))
        for name in _image_inputs(parts[0])
    }

    def changed(part: Tensors) -> dict[str, NDArray[Any]]:
        coins = np.array([draw("contrast", seed, row) < 0.5 for row in bytes_of_rows([part])])  # noqa: PLR2004 - a coin
        factor = np.where(coins, LESS_CONTRAST, MORE_CONTRAST)[:, None, None, None]

        def scaled(images: NDArray[Any], name: str) -> NDArray[Any]:
            mean = images.mean(axis=(1, 2, 3), keepdims=True)
            return np.asarray(np.clip(mean + factor * (images - mean), *ranges[name]))

        return _changed(part, scaled)

    return [changed(part) for part in parts]


def _image_inputs(part: Tensors) -> list[str]:
    names = [name for name, tensor in part.items() if tensor.ndim == IMAGE_AXES and tensor.dtype.kind in "fiu"]
    if not names:
        raise NotApplicableError("no input has four axes")
    return names


def _changed(part: Tensors, change: Callable[[NDArray[Any], str], NDArray[Any]]) -> dict[str, NDArray[Any]]:
    found = dict(part)
    for name in _image_inputs(part):
        images = change(part[name].astype(np.float64), name)
        dtype = part[name].dtype
        found[name] = (np.round(images) if dtype.kind in "iu" else images).astype(dtype)
    return found
