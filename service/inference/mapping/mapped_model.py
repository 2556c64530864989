"""A model that takes and gives the tensors of callers, in place of its own names and types."""

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.ports import Model, RunFailedError, host_class_of
from tightrope.service.adapters.runs.watched_runs import WatchedRuns, runs_of
from tightrope.service.inference.mapping.casts import cast, cast_output
from tightrope.service.inference.mapping.constants import ConstantInput
from tightrope.service.protocol.tensors import TensorSpec


class MappedModel:
    """Runs ``loaded`` on the tensors of callers, ``inputs``, and gives them ``outputs``.

    ``sources`` has the callers' input for each input of the model, ``produced`` the model's output for each of the
    callers'. ``constants`` are the inputs that callers do not send. ``digest`` also covers what is written in the
    configuration. With ``single_row`` the model takes one row only: it runs once a row.
    """

    def __init__(
        self,
        loaded: Model,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        *,
        sources: Mapping[str, str],
        produced: Mapping[str, str],
        digest: str,
        constants: Sequence[ConstantInput] = (),
        single_row: bool = False,
    ) -> None:
        self.loaded = loaded
        self.digest = digest
        self.inputs = inputs
        self.outputs = outputs
        self.host_class = host_class_of(loaded)
        self.value_work = str(getattr(loaded, "value_work", ""))
        self._feeds = [(spec.name, sources[spec.name], spec.datatype) for spec in loaded.inputs if spec.name in sources]
        self._constants = constants
        self._produced = produced
        self._datatypes = {spec.name: spec.datatype for spec in outputs}
        self._single_row = single_row

    @property
    def runs(self) -> WatchedRuns | None:
        """The watched runs of the loaded model; None for a remote one."""
        return runs_of(self.loaded)

    @runs.setter
    def runs(self, runs: WatchedRuns) -> None:
        """Make runs through others from now on, those of a copy."""
        self.loaded = copy(self.loaded)
        self.loaded.runs = runs  # type: ignore[attr-defined]

    def with_loaded(self, loaded: Model) -> "MappedModel":
        """The mapping, with another copy of the loaded model behind it."""
        other = copy(self)
        other.loaded = loaded
        return other

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch; raises as the loaded model does.

        Raises:
            RunFailedError: also when a value does not fit the model's types.
        """
        fed = {own: cast(name, inputs[name], datatype) for own, name, datatype in self._feeds}
        names = [self._produced[name] for name in outputs]
        given = self._run_rows(fed, names) if self._single_row else self._run_loaded(fed, names)
        return {
            name: cast_output(name, given[own], self._datatypes[name]) for name, own in zip(outputs, names, strict=True)
        }

    def _run_loaded(self, fed: Tensors, names: Sequence[str]) -> Tensors:
        """Run the model on its own inputs, the constants beside them."""
        if self._constants:
            fed = {**fed, **{constant.name: constant.tensor(fed) for constant in self._constants}}
        return self.loaded.run(fed, names)

    def _run_rows(self, inputs: Tensors, names: Sequence[str]) -> Tensors:
        """Run the model once a row, and join its outputs."""
        rows = max(map(len, inputs.values()))
        parts = [
            self._run_loaded({name: tensor[row : row + 1] for name, tensor in inputs.items()}, names)
            for row in range(rows)
        ]
        try:
            return {name: np.concatenate([part[name] for part in parts]) for name in names}
        except ValueError as error:
            raise RunFailedError(f"the answers to several rows do not fit together: {error}") from error
