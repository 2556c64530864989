"""The tensors that a file of rows feeds."""

from dataclasses import dataclass

from tightrope.monitors.records import Tensors
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.protocol.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class RowSchema:
    """The inputs of a model as callers send them, ``declared``, and its ``outputs``, which requests may name.
    ``layout`` has the axes of the rows, None where all are 0.
    """

    model: str
    declared: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...] = ()
    layout: RowLayout | None = None
    allow_nan: bool = False

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs with their rows first."""
        return self.layout.specs() if self.layout else self.declared

    @property
    def is_request(self) -> bool:
        """Whether a request is a row."""
        return self.layout is not None and self.layout.is_request

    @property
    def arrays(self) -> tuple[TensorSpec, ...]:
        """The arrays of a file: as callers send them, with an axis of requests in front where these are rows."""
        return self.inputs if self.is_request else self.declared

    def row_axis(self, name: str) -> int | None:
        """The axis of an input's rows in its array; None if all rows of a file share it."""
        return self.layout.axes[name] if self.layout and not self.is_request else 0

    def rows_first(self, arrays: Tensors) -> Tensors:
        """The arrays of a file with their rows first."""
        return self.layout.rows_first(dict(arrays)) if self.layout and not self.is_request else arrays


def schema_of(pair: ModelPair) -> RowSchema:
    """The schema of a pair: callers send the same tensors."""
    return RowSchema(pair.name, pair.declared_inputs, pair.outputs, pair.layout, pair.allow_nan)


def show_spec(spec: TensorSpec) -> str:
    """An input for an error: its name, datatype and shape."""
    return f"{spec.name} {spec.datatype}{list(spec.shape)}"
