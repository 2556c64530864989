"""A model that takes its inputs rows first, and declares their rows on any axis.

Rows that differ in a shared input run in groups of one value each, because the model takes one value a run.
"""

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np

from tightrope.monitors.records import Ints, Tensors
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model, RunFailedError, host_class_of
from tightrope.service.adapters.runs.watched_runs import WatchedRuns, runs_of
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.protocol.tensors import Tensor, TensorSpec


class RowsFirstModel:
    """A model of a layout; its outputs stay as they are. ``output_axes`` are the axes of their rows: those without one
    cannot be joined, if they were asked for rows of different groups. ``shared`` names the shared inputs. A remote
    model gets at most its ``max_rows`` a call, where its outputs can be joined.
    """

    def __init__(self, model: Model, layout: RowLayout) -> None:
        self.digest = model.digest
        self.host_class = host_class_of(model)
        self.value_work = getattr(model, "value_work", "")
        self.providers = getattr(model, "providers", ())
        self.layout = layout
        self.inputs = layout.specs()
        self.outputs: tuple[TensorSpec, ...] = model.outputs
        self.output_axes: Mapping[str, int | None] = {}
        self.loaded = model
        self.shared = layout.shared

    def with_loaded(self, loaded: Model) -> "RowsFirstModel":
        """The model with another copy behind it."""
        other = copy(self)
        other.loaded = loaded
        return other

    @property
    def runs(self) -> WatchedRuns | None:
        """The watched runs of the model; None for a remote one."""
        return runs_of(self.loaded)

    @runs.setter
    def runs(self, runs: WatchedRuns) -> None:
        """Watch the runs of a copy of the model, which another thread makes."""
        self.loaded = copy(self.loaded)
        self.loaded.runs = runs  # type: ignore[attr-defined]

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch with the named outputs; raises as the model does.

        Raises:
            RunFailedError: also when an output of several groups has no axis of rows.
        """
        groups = self._split(self._groups(inputs), outputs)
        if len(groups) == 1:
            return self.loaded.run(self.layout.as_declared(inputs), outputs)
        found = [
            self.loaded.run(self.layout.as_declared({name: each[rows] for name, each in inputs.items()}), outputs)
            for rows in groups
        ]
        order = np.argsort(np.concatenate(groups), kind="stable")
        return {name: self._join(name, [each[name] for each in found], groups, order) for name in outputs}

    def _groups(self, inputs: Tensors) -> Sequence[Ints]:
        """The indices of the rows of each value of the shared inputs."""
        shared = [inputs[name] for name in inputs if name in self.shared]
        if all(_is_one_value(tensor) for tensor in shared):
            return [np.arange(len(next(iter(inputs.values()))))]
        groups: dict[tuple[object, ...], list[int]] = {}
        for row in range(len(shared[0])):
            groups.setdefault(tuple(_key(tensor[row : row + 1]) for tensor in shared), []).append(row)
        return [np.array(rows) for rows in groups.values()]

    def _split(self, groups: Sequence[Ints], outputs: Sequence[str]) -> Sequence[Ints]:
        """The groups in parts that a remote model takes in a call."""
        endpoint = endpoint_of(self.loaded)
        if endpoint is None or any(self.output_axes.get(name) is None for name in outputs):
            return groups
        most = endpoint.where.max_rows
        return [rows[begin : begin + most] for rows in groups for begin in range(0, len(rows), most)]

    def _join(self, name: str, parts: Sequence[Tensor], groups: Sequence[Ints], order: Ints) -> Tensor:
        axis = self.output_axes.get(name)
        if axis is None or any(
            part.ndim <= axis or part.shape[axis] != len(rows) for part, rows in zip(parts, groups, strict=True)
        ):
            raise RunFailedError(f"output {name!r} has no axis of rows, so rows of one {self._text()} share a run only")
        return np.take(np.concatenate(parts, axis), order, axis)

    def _text(self) -> str:
        return ", ".join(repr(name) for name in sorted(self.shared))


def _is_one_value(tensor: Tensor) -> bool:
    """Whether all rows hold the same value: those of one request are views of it."""
    return len(tensor) == 1 or tensor.strides[0] == 0 or bool((tensor == tensor[:1]).all())


def _key(value: Tensor) -> object:
    return tuple(value.ravel().tolist()) if value.dtype.kind == "O" else value.tobytes()
