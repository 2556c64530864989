"""The rows of a qualification, with where they came from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.records import Bools, Tensors
from tightrope.service.inference.row_files.row_file import RowFile, row_count
from tightrope.service.statements.qualification import SamplesRecord


@dataclass(frozen=True, slots=True)
class RowSource:
    """n rows to be judged, under a ``name`` for people, with the ``digest`` of their content.

    ``drawn`` (n, S) masks the rows that were drawn for each scope, the model first, from all of its traffic; None where
    all rows were. ``golden`` are the rows of the golden answers, None where those of the table serve. ``samples`` and
    ``notes`` say where kept rows came from.
    """

    table: RowFile
    digest: str
    name: str
    drawn: Bools | None = None
    golden: Sequence[Tensors] | None = None
    samples: SamplesRecord | None = None
    notes: Sequence[str] = ()


def drawn_rows(table: RowFile, mask: Bools) -> RowFile:
    """The rows that a mask (n,) selects."""
    parts, start = [], 0
    for inputs in table.parts:
        own = mask[start : start + row_count(inputs)]
        start += len(own)
        if own.any():
            parts.append({name: np.asarray(tensor[own]) for name, tensor in inputs.items()})
    chosen = np.flatnonzero(mask).tolist()
    return replace(
        table,
        parts=parts,
        labels=None if table.labels is None else table.labels[mask],
        positions=[table.positions[row] for row in chosen],
        parameters=[table.parameters[row] for row in chosen] if table.parameters else (),
        known_members=None if table.known_members is None else table.known_members[mask],
    )
