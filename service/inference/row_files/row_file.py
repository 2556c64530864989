"""Rows that were read from a file, of any form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from tightrope.monitors.records import Bools, Ints, Tensors
from tightrope.service.errors import CallerError, TightropeError
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Shape

LABEL_NAME = "label"
"""The column, array or request parameter that holds the true class of a row, as its index."""

PARAMETER_PREFIX = "parameter:"
"""The start of the name of a column or an array that holds a request parameter."""


class RowFileError(TightropeError):
    """The file cannot be used; the message, one line, names the file, the place and the reason."""


@dataclass(frozen=True, slots=True)
class RowFile:
    """n rows. ``parts`` hold consecutive rows of equal shapes, rows first: rows of other shapes never share a run.

    ``labels`` (n,) are the true classes if there are any, -1 where one is not known, ``positions`` (n) the places in
    the file, in the ``unit`` that errors name, and ``parameters`` (n) what callers would send with each row, none if
    the file has none.
    ``columns`` are the file's own names of the flat columns of all inputs, none where it has no such columns.
    ``known_members`` (n, S) says which rows belong to which subgroups, where the rows alone do not tell it.
    """

    path: Path
    parts: Sequence[Tensors]
    labels: Ints | None
    positions: Sequence[object]
    unit: str = "line"
    parameters: Sequence[Mapping[str, Scalar]] = ()
    columns: Sequence[str] = ()
    known_members: Bools | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def position(self, row: int) -> str:
        """The position of a row, for an error."""
        return f"{self.path}: {self.unit} {self.positions[row]}"

    def members(self, subgroups: Subgroups) -> Bools:
        """Which rows belong to which subgroups, (n, S); a file without parameters has no absent values.

        Raises:
            RowFileError: when a row has no such column as a subgroup is cut from.
        """
        if self.known_members is not None:
            return self.known_members
        found, start = [], 0
        for inputs in self.parts:
            rows = row_count(inputs)
            given = self.parameters[start : start + rows] or [{}]
            ends = range(1, rows + 1) if self.parameters else [rows]
            try:
                found.append(subgroups.members(inputs, given, ends))
            except CallerError as error:
                raise RowFileError(f"{self.position(start)}: {error}") from error
            start += rows
        member = np.concatenate(found)
        sent = {name for parameters in self.parameters for name in parameters}
        for other in subgroups.others:
            member[:, other.scope] &= other.parameter is None or other.parameter in sent
        return member


def row_count(inputs: Tensors) -> int:
    """The number of rows of some inputs, rows first."""
    return len(next(iter(inputs.values())))


def joined(parts: Sequence[Tensors]) -> list[Tensors]:
    """Join neighbours of equal shapes beside the rows."""
    return [_join(list(group)) for _, group in groupby(parts, key=lambda inputs: list(_shapes(inputs)))]


def _join(group: Sequence[Tensors]) -> Tensors:
    return {name: np.concatenate([inputs[name] for inputs in group]) for name in group[0]}


def _shapes(inputs: Tensors) -> Iterator[tuple[str, Shape]]:
    yield from sorted((name, tensor.shape[1:]) for name, tensor in inputs.items())
