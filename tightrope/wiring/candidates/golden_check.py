"""The test of a pair on the golden rows: both models must give readable answers."""

from collections.abc import Iterable

import numpy as np

from tightrope.monitors.compare import read_output
from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import Model, RunFailedError
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.golden import GoldenRows
from tightrope.service.inference.loading.pair_loading import golden_rows
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.tensors import Tensor


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
            reading = read_output(_outputs(pair, pair.models[role], rows), pair.decision.scale)
        except RunFailedError as error:
            raise ConfigError([f"models.{pair.name}.{role}: failed on the golden rows: {error}"]) from error
        if reading.fault.any():
            wrong = int((reading.fault > 0).sum())
            raise ConfigError([f"models.{pair.name}.{role}: {wrong} golden rows have no readable answer"])


def _outputs(pair: ModelPair, model: Model, rows: GoldenRows) -> Tensor:
    """Return the decision output of every golden row; a model with a fixed batch of one runs row by row."""
    free = all(spec.shape[0] < 0 for spec in pair.inputs)
    count = len(rows.member)
    step = count if free else 1
    parts = [
        model.run({name: tensor[begin : begin + step] for name, tensor in rows.inputs.items()}, [pair.output])
        for begin in range(0, count, step)
    ]
    return np.concatenate([part[pair.output] for part in parts])
