"""A model that takes a request as one row: its inputs and outputs have one more axis in front, that of the requests."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.inference.row_axes.rows_first_model import RowsFirstModel


class RequestRowModel(RowsFirstModel):
    """Runs the model once a request."""

    def __init__(self, model: Model, layout: RowLayout) -> None:
        super().__init__(model, layout)
        self.outputs = tuple(replace(spec, shape=(-1, *spec.shape)) for spec in model.outputs)
        self.shared = frozenset()

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer requests with the named outputs; raises as the model does.

        Raises:
            RunFailedError: also when the outputs of several requests differ in shape.
        """
        found = [
            self.loaded.run({name: tensor[row] for name, tensor in inputs.items()}, outputs)
            for row in range(len(next(iter(inputs.values()))))
        ]
        try:
            return {name: np.stack([np.asarray(each[name]) for each in found]) for name in outputs}
        except ValueError as error:
            raise RunFailedError(f"the answers to several requests do not fit together: {error}") from error
