"""Inputs that callers do not send: a number of the configuration, or an array of a .npy file.

A number fills the declared shape. Its free sides have the length that the same side of another input has in a run. A
file has the whole tensor, or one row of it, without the side of the rows: then each row of a run has a copy.
"""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.model_files import ModelFileError, require_file
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.config.tensors import Constant
from tightrope.service.errors import TightropeError
from tightrope.service.inference.mapping.casts import can_cast, cast
from tightrope.service.protocol.tensors import Shape, Tensor, TensorSpec, datatype_of, dtype_of


@dataclass(frozen=True, slots=True)
class ConstantInput:
    """The value of the input ``name`` in every run. ``sides`` are the lengths of its sides, or the names of the inputs
    that have the same length there. ``sha256`` is that of its file; empty for a number.
    """

    name: str
    value: Tensor
    sides: Sequence[int | str]
    sha256: str = ""

    def tensor(self, fed: Tensors) -> Tensor:
        """Its tensor in a run with these inputs."""
        shape = tuple(fed[side].shape[axis] if isinstance(side, str) else side for axis, side in enumerate(self.sides))
        return np.broadcast_to(self.value, shape)


def read_constants(
    written: Mapping[str, Constant], inputs: Sequence[TensorSpec], add_mistake: Callable[[str, str], None]
) -> list[ConstantInput]:
    """The constants of a model with these ``inputs``; ``add_mistake`` is called with the name and the text of each
    mistake.
    """
    specs = {spec.name: spec for spec in inputs}
    sent = [spec for spec in inputs if spec.name not in written]
    found = []
    for name, value in written.items():
        if name not in specs:
            add_mistake(name, f"there is no such input; the model has {', '.join(sorted(specs))}")
            continue
        try:
            found.append(_constant(specs[name], value, sent))
        except TightropeError as error:
            add_mistake(name, str(error))
    return found


class _ConstantError(TightropeError):
    """A value does not fit its input."""


def _constant(spec: TensorSpec, value: Constant, sent: Sequence[TensorSpec]) -> ConstantInput:
    """The constant of an input.

    Raises:
        TightropeError: when it does not fit.
    """
    if not isinstance(value, Path):
        return ConstantInput(spec.name, _number(spec, value), _sides(spec, sent))
    content = _read(value)
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, MemoryError, SyntaxError) as error:
        raise _ConstantError(f"{value}: not a .npy file of numbers or strings: {error}") from error
    if not isinstance(array, np.ndarray):
        raise _ConstantError(f"{value}: an archive of several arrays; it must be a .npy file of one")
    return ConstantInput(spec.name, *_placed(spec, _converted(spec, array, value), sent, value), _sha256_of(content))


def _number(spec: TensorSpec, value: float) -> Tensor:
    dtype = dtype_of(spec.datatype)
    fits = isinstance(value, bool) == (dtype.kind == "b") and dtype.kind != "O"
    if fits and dtype.kind in "iu":
        fits = value == int(value) and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
    if not fits:
        raise _ConstantError(f"is {value}, but the input is {spec.datatype}")
    with np.errstate(over="ignore"):
        number = np.asarray(value, dtype)
    if np.isfinite(value) and dtype.kind == "f" and not np.isfinite(number):
        raise _ConstantError(f"is {value}, more than {spec.datatype} can hold")
    return number


def _converted(spec: TensorSpec, array: Tensor, path: Path) -> Tensor:
    array = array.astype(object) if array.dtype.kind == "U" else array
    given = datatype_of(array.dtype)
    if not can_cast(given, spec.datatype):
        raise _ConstantError(f"{path}: is {given}, but the input is {spec.datatype}")
    try:
        return cast(spec.name, array, spec.datatype)
    except RunFailedError as error:
        raise _ConstantError(f"{path}: {error}") from error


def _placed(
    spec: TensorSpec, array: Tensor, sent: Sequence[TensorSpec], path: Path
) -> tuple[Tensor, Sequence[int | str]]:
    """An array, and the sides of the input: a whole tensor, or one row."""
    if _fits(array.shape, spec.shape):
        return array, array.shape
    if spec.shape[:1] == (-1,) and _fits(array.shape, spec.shape[1:]):
        rows = TensorSpec(spec.name, spec.datatype, (-1, *array.shape))
        return array, _sides(rows, sent)
    row = f", or {list(spec.shape[1:])} for each row" if spec.shape[:1] == (-1,) else ""
    raise _ConstantError(f"{path}: has shape {list(array.shape)}; it must have {list(spec.shape)}{row}")


def _fits(shape: Shape, declared: Shape) -> bool:
    return len(shape) == len(declared) and all(
        side in (-1, length) for length, side in zip(shape, declared, strict=True)
    )


def _sides(spec: TensorSpec, sent: Sequence[TensorSpec]) -> Sequence[int | str]:
    """The length of each side, or the input that has the same one there: one of the same rank, or of any for rows."""
    sides: list[int | str] = []
    for axis, length in enumerate(spec.shape):
        free = [other for other in sent if len(other.shape) > axis and other.shape[axis] < 0]
        alike = [other for other in free if len(other.shape) == len(spec.shape)] or (free if axis == 0 else [])
        if length < 0 and not alike:
            raise _ConstantError(f"the length of axis {axis} of {list(spec.shape)} is not known; write a .npy file")
        sides.append(alike[0].name if length < 0 else length)
    return sides


def _read(path: Path) -> bytes:
    try:
        require_file(path)
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from error


def _sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
