"""The rows of a sweep: read once, with the part that chooses."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tightrope.monitors.qualification.split import choosing_rows
from tightrope.monitors.records import Bools, Tensors
from tightrope.offline.qualification.row_bytes import bytes_of_rows
from tightrope.offline.qualification.statement import data_digest
from tightrope.service.inference.row_files.row_file import RowFile, RowFileError, row_count
from tightrope.service.inference.row_files.row_reader import read_rows
from tightrope.service.inference.row_files.row_schema import RowSchema


@dataclass(frozen=True, slots=True)
class SweptRows:
    """The n rows of a file, its digest, and the mask of those that choose, (n,); the others judge."""

    table: RowFile
    digest: str
    chosen: Bools

    @property
    def judging(self) -> int:
        """The number of rows that judge."""
        return int(np.count_nonzero(~self.chosen))

    def first_chosen(self, most: int) -> list[Tensors]:
        """The first rows that choose, at most this number, in the parts of the file."""
        parts: list[Tensors] = []
        start = 0
        taken = np.flatnonzero(self.chosen)[:most]
        for part in self.table.parts:
            own = taken[(taken >= start) & (taken < start + row_count(part))] - start
            if len(own):
                parts.append({name: np.asarray(tensor[own]) for name, tensor in part.items()})
            start += row_count(part)
        return parts


def read_swept_rows(data: Path, schema: RowSchema, seed: int) -> SweptRows:
    """Read the rows and split them.

    Raises:
        RowFileError: when the file cannot be used, or one part of the split is empty.
    """
    table = read_rows(data, schema, at_least=2)
    chosen = choosing_rows(bytes_of_rows(table.parts), seed)
    if chosen.all() or not chosen.any():
        raise RowFileError(f"{data}: {len(table)} rows are too few: some have to choose and others to judge")
    return SweptRows(table, data_digest(data), chosen)
