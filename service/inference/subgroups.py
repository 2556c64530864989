"""Which subgroups each row of a request belongs to: told by a request parameter, or cut from an input column.

A value that was not declared belongs to no subgroup: it is watched with the model as a whole only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from tightrope.monitors.records import Bools, Floats, Ints, Tensors
from tightrope.service.errors import CallerError
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Told:
    """Scopes that a request parameter tells, by its value."""

    parameter: str
    scopes: Mapping[str, int]


@dataclass(frozen=True)
class Cut:
    """Scopes cut from columns of one numeric input: interval i of column ``column[i]`` gives scope ``scope[i]``.

    All arrays have one entry an interval; a single code is the interval [code, code].
    """

    input: str
    column: Ints
    low: Floats
    high: Floats
    scope: Ints

    @cached_property
    def plain(self) -> Sequence[tuple[int, float, float, int]]:
        """The intervals one by one: column, low, high, scope."""
        whole = (self.column, self.low, self.high, self.scope)
        return list(zip(*(array.tolist() for array in whole), strict=True))

    @cached_property
    def last(self) -> int:
        """The largest column."""
        return int(self.column.max())

    @classmethod
    def of(cls, name: str, intervals: Sequence[tuple[int, float, float, int]]) -> Self:
        """From (column, low, high, scope) tuples."""
        column, low, high, scope = zip(*intervals, strict=True)
        return cls(name, np.array(column), np.array(low, dtype=float), np.array(high, dtype=float), np.array(scope))

    def mark(self, member: Bools, tensor: Tensor) -> None:
        """Set the scopes of every row."""
        columns = _columns(self.input, tensor, self.last)
        if len(columns) == 1:  # numpy's calls cost more than the comparisons
            for column, low, high, scope in self.plain:
                if low <= columns.item(column) <= high:
                    member[0, scope] = True
            return
        columns = columns[:, self.column]
        rows, intervals = np.nonzero((columns >= self.low) & (columns <= self.high))
        member[rows, self.scope[intervals]] = True


@dataclass(frozen=True, slots=True)
class Spelled:
    """Scopes cut from a column of strings, by its value."""

    input: str
    column: int
    scopes: Mapping[str, int]

    def mark(self, member: Bools, tensor: Tensor) -> None:
        """Set the scope of every row."""
        for row, value in enumerate(_columns(self.input, tensor, self.column)[:, self.column]):
            if value in self.scopes:
                member[row, self.scopes[value]] = True


@dataclass(frozen=True, slots=True)
class Subgroups:
    """All declared subgroups of a model; ``scopes`` are their names, ``attribute=value``."""

    scopes: tuple[str, ...]
    told: tuple[Told, ...]
    cuts: tuple[Cut | Spelled, ...]

    def members(self, inputs: Tensors, parameters: Sequence[Mapping[str, Scalar]], ends: Sequence[int]) -> Bools:
        """Shape (rows, scopes): which row belongs to which subgroup, of requests one below the other. Each has its
        own parameters, and its rows end where ``ends`` says.
        """
        member = np.zeros((ends[-1], len(self.scopes)), dtype=bool)
        for cut in self.cuts:
            cut.mark(member, inputs[cut.input])
        for told in self.told:
            start = 0
            for given, end in zip(parameters, ends, strict=True):
                scope = told.scopes.get(_spelled(given.get(told.parameter, "")))
                if scope is not None:
                    member[start:end, scope] = True
                start = end
        return member


def _columns(name: str, tensor: Tensor, last: int) -> Tensor:
    """The tensor by rows and columns; an input of free width must be wide enough for the column it is cut by."""
    columns: Tensor = tensor.reshape(len(tensor), -1)
    if columns.shape[1] <= last:
        raise CallerError(f"input {name!r}: has {columns.shape[1]} columns, but a subgroup is cut from column {last}")
    return columns


def _spelled(value: Scalar) -> str:
    """A parameter's value as JSON writes it, so that the configuration's "true" is a caller's true."""
    return str(value).lower() if isinstance(value, bool) else str(value)
