"""The axis of the rows in each input, as the model declares it, and the same tensors with their rows first.

Callers and the model have the declared shapes; between them every tensor has its rows on axis 0, one entry of a shared
input for each row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.records import Tensors
from tightrope.service.errors import CallerError
from tightrope.service.protocol.tensors import Tensor, TensorSpec

RowAxes = Mapping[str, int | None]
"""The axis of the rows of each input; None for one that all rows of a request share."""


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The ``declared`` inputs of a model, and the axes of their rows; at least one has rows. ``is_request``: a request
    is one row instead, and has one more axis in front of its inputs.
    """

    declared: tuple[TensorSpec, ...]
    axes: RowAxes
    is_request: bool = False

    @property
    def shared(self) -> frozenset[str]:
        """The inputs that all rows of a request share."""
        return frozenset(name for name, axis in self.axes.items() if axis is None)

    def specs(self) -> tuple[TensorSpec, ...]:
        """The inputs with their rows first."""
        return tuple(TensorSpec(spec.name, spec.datatype, self._shape(spec)) for spec in self.declared)

    def _shape(self, spec: TensorSpec) -> tuple[int, ...]:
        axis = self.axes[spec.name]
        if axis is None:
            return (-1, *spec.shape)
        return (spec.shape[axis], *spec.shape[:axis], *spec.shape[axis + 1 :])

    def rows_first(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A request's inputs, of declared shapes, with their rows first.

        Raises:
            CallerError: when an input has no rows.
        """
        if self.is_request:
            return {name: tensor[np.newaxis] for name, tensor in inputs.items()}
        moved, rows = {}, 0
        for name, tensor in inputs.items():
            if (axis := self.axes[name]) is not None:
                moved[name] = np.ascontiguousarray(np.moveaxis(tensor, axis, 0))
                rows = len(moved[name])
                if not rows:
                    where = f"input {name!r}: shape is {list(tensor.shape)}"
                    raise CallerError(f"{where}, must have at least one row on axis {axis}")
        return {
            name: moved[name] if name in moved else np.broadcast_to(tensor, (rows, *tensor.shape))
            for name, tensor in inputs.items()
        }

    def as_declared(self, inputs: Tensors) -> Tensors:
        """Inputs with their rows first, all of one value of each shared input, in declared shapes."""
        declared = {}
        for name, tensor in inputs.items():
            axis = self.axes[name]
            one = np.asarray(tensor[0], tensor.dtype) if axis is None else np.moveaxis(tensor, 0, axis)
            declared[name] = np.ascontiguousarray(one).reshape(one.shape)  # a scalar stays one
        return declared
