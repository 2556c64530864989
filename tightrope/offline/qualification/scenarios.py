"""Scenarios: the same small, seeded change of every row for both models, and how often each changes its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors import observations
from tightrope.monitors.compare import Reading
from tightrope.monitors.kinds.seam import KindReading
from tightrope.monitors.qualification.observed import flip_gap
from tightrope.monitors.qualification.split import draw
from tightrope.monitors.records import Floats, Role, Tensors
from tightrope.offline.pair_evaluation import PairEvaluation
from tightrope.offline.qualification.row_bytes import bytes_of_rows, numeric_columns
from tightrope.service.config.loader import ConfigError


@dataclass(frozen=True, slots=True)
class Jitter:
    """The change of named columns: each goes up or down by a size, and stays within the range of the file.

    ``sizes`` are by the number of the column, over all inputs of numbers in their order.
    """

    sizes: Mapping[int, float]
    seed: int

    def apply(self, parts: Sequence[Tensors]) -> list[Tensors]:
        """Change every row. The signs depend on the row and the seed alone, so that the order of rows does not matter.

        Raises:
            ConfigError: when there is no such column.
        """
        columns = numeric_columns(parts[0])
        if (wrong := next((each for each in self.sizes if not 0 <= each < len(columns)), None)) is not None:
            raise ConfigError([f"scenarios.jitter: there is no column {wrong}; the inputs have {len(columns)} numbers"])
        chosen = {number: columns[number] for number in self.sizes}
        ranges = {number: _range([_flat(part[name])[:, at] for part in parts]) for number, (name, at) in chosen.items()}
        return [self._apply(part, chosen, ranges) for part in parts]

    def _apply(
        self, part: Tensors, chosen: Mapping[int, tuple[str, int]], ranges: Mapping[int, tuple[float, float]]
    ) -> Tensors:
        rows = list(bytes_of_rows([part]))
        changed = {name: np.array(tensor) for name, tensor in part.items()}
        for number, (name, position) in chosen.items():
            flat = _flat(changed[name])
            up = np.array([draw(f"jitter {number}", self.seed, row) < 0.5 for row in rows])  # noqa: PLR2004 - a coin
            moved = flat[:, position] + np.where(up, 1, -1) * self.sizes[number]
            flat[:, position] = np.clip(moved, *ranges[number]).astype(flat.dtype)
            changed[name] = flat.reshape(changed[name].shape)
        return changed


def _flat(tensor: NDArray[Any]) -> NDArray[Any]:
    return tensor.reshape(len(tensor), -1)


def _range(columns: Sequence[NDArray[Any]]) -> tuple[float, float]:
    values = np.concatenate(columns)
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)


def measure_flips(evaluation: PairEvaluation, jitter: Jitter) -> Floats:
    """How much more of each row's answer the compressed model changes than the baseline under a jitter, (n,).

    Raises:
        ConfigError: when the jitter does not fit.
        RowFileError: naming the line, when a model fails on a changed row.
    """
    changed = replace(evaluation, table=replace(evaluation.table, parts=jitter.apply(evaluation.table.parts)))
    evaluation.progress.begin("changing the rows", 2 * len(Role) * len(evaluation.table))
    flips = {}
    for role in Role:
        before, after = (each.readings(role, batched=True) for each in (evaluation, changed))
        flips[role] = _differences(evaluation, role, before, after)
    return flip_gap(flips[Role.COMPRESSED], flips[Role.BASELINE])


Readings = Reading | list[KindReading]


def _differences(evaluation: PairEvaluation, role: Role, before: Readings, after: Readings) -> Floats:
    """How far one model's two answers to each row differ, (n,)."""
    rows = evaluation.compare_with_itself(role, before, after)
    return np.nan_to_num(observations.losses(rows))
