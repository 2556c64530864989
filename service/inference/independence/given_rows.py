"""Rows of a file for the probe of a model, in the place of made-up ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tightrope.monitors.intake.sample_batch import tensor_layout
from tightrope.monitors.records import Tensors
from tightrope.service.errors import TightropeError

MOST_GIVEN = 256
"""Rows of a file that are tried."""


class GivenRowsError(TightropeError):
    """A file of rows cannot be read, or does not fit the model."""


@dataclass(frozen=True, slots=True)
class GivenRows:
    """A file with its SHA-256. ``read`` gives the first `MOST_GIVEN` rows for a model of a `RowLayout`, None where all
    rows are on axis 0: parts of rows of equal shapes, rows first. It raises `GivenRowsError`.
    """

    path: Path
    sha256: str
    read: Callable[[Any], Sequence[Tensors]]

    def rows(self, layout: object) -> Sequence[Tensors]:
        """The rows of the commonest shapes, each with its own axis first; none where the file does not fit."""
        try:
            parts = self.read(layout)
        except GivenRowsError:
            return ()
        by_shapes: dict[object, list[Tensors]] = {}
        for part in parts:
            rows = range(len(next(iter(part.values()))))
            alone = [{name: tensor[row : row + 1] for name, tensor in part.items()} for row in rows]
            by_shapes.setdefault(tensor_layout(part), []).extend(alone)
        return max(by_shapes.values(), key=len, default=())
