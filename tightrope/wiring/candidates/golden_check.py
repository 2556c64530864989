"""The test of a pair on the golden rows: both models must give readable answers."""

from collections.abc import Iterable

import numpy as np

from tightrope.monitors.compare import read_output
from tightrope.monitors.kinds.pairing import read_safely
from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.loading.pair_loading import golden_rows
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_files.row_file import row_count


def check_golden_rows(pair: ModelPair, settings: Settings, roles: Iterable[Role]) -> None:
    """Check that the models of these roles give valid outputs on the golden rows, if there are any.

    Raises:
        ConfigError: naming the role that does not.
    """
    rows = golden_rows(pair, settings)
    if rows is None:
        return
    for role in roles:
        try:
            wrong = sum(_unreadable(pair, role, part) for part in rows.parts)
        except RunFailedError as error:
            raise ConfigError([f"models.{pair.name}.{role}: failed on the golden rows: {error}"]) from error
        if wrong:
            raise ConfigError([f"models.{pair.name}.{role}: {wrong} golden rows have no readable answer"])


def _unreadable(pair: ModelPair, role: Role, inputs: Tensors) -> int:
    """Count the rows whose answer cannot be read."""
    outputs = _outputs(pair, pair.models[role], inputs)
    if pair.kind is None:
        fault = read_output(outputs[pair.output], pair.decision.scales[role]).fault
    else:
        fault = read_safely(pair.kind, outputs, inputs, role, row_count(inputs)).fault
    return int((fault > 0).sum())


def _outputs(pair: ModelPair, model: Model, inputs: Tensors) -> Tensors:
    """Return the outputs that decide of rows of equal shapes; a model with a fixed batch of one runs row by row."""
    free = all(spec.shape[0] < 0 for spec in pair.inputs)
    count = row_count(inputs)
    step = count if free else 1
    parts = [
        model.run({name: np.asarray(tensor[begin : begin + step]) for name, tensor in inputs.items()}, pair.deciding)
        for begin in range(0, count, step)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in pair.deciding}
