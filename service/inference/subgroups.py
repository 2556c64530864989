"""Subgroup membership of rows: by a request parameter, or by a column of an input.

A value that is not declared belongs to no subgroup: its rows are watched with the whole model only.
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
class ParameterScopes:
    """Scopes by the value of a request parameter."""

    parameter: str
    scopes: Mapping[str, int]


@dataclass(frozen=True)
class IntervalScopes:
    """Scopes by columns of one numeric input: interval i of column ``column[i]`` gives scope ``scope[i]``.

    All arrays have one entry an interval; a single code is the interval [code, code].
    """

    input: str
    column: Ints
    low: Floats
    high: Floats
    scope: Ints

    @cached_property
    def intervals(self) -> Sequence[tuple[int, float, float, int]]:
        """The intervals as plain numbers: column, low, high, scope."""
        arrays = (self.column, self.low, self.high, self.scope)
        return list(zip(*(array.tolist() for array in arrays), strict=True))

    @cached_property
    def last_column(self) -> int:
        """The highest column index."""
        return int(self.column.max())

    @classmethod
    def from_intervals(cls, name: str, intervals: Sequence[tuple[int, float, float, int]]) -> Self:
        """Build the scopes of an input from (column, low, high, scope) tuples."""
        column, low, high, scope = zip(*intervals, strict=True)
        return cls(name, np.array(column), np.array(low, dtype=float), np.array(high, dtype=float), np.array(scope))

    def mark(self, member: Bools, tensor: Tensor) -> None:
        """Set the scopes of every row in ``member``, shape (rows, scopes)."""
        columns = _columns(self.input, tensor, self.last_column)
        if len(columns) == 1:  # for one row, numpy's calls take longer than the comparisons
            for column, low, high, scope in self.intervals:
                if low <= columns.item(column) <= high:
                    member[0, scope] = True
            return
        columns = columns[:, self.column]
        rows, intervals = np.nonzero((columns >= self.low) & (columns <= self.high))
        member[rows, self.scope[intervals]] = True


@dataclass(frozen=True, slots=True)
class TextScopes:
    """Scopes by the value of a column of strings."""

    input: str
    column: int
    scopes: Mapping[str, int]

    def mark(self, member: Bools, tensor: Tensor) -> None:
        """Set the scope of every row in ``member``, shape (rows, scopes)."""
        for row, value in enumerate(_columns(self.input, tensor, self.column)[:, self.column]):
            if value in self.scopes:
                member[row, self.scopes[value]] = True


@dataclass(frozen=True, slots=True)
class Subgroups:
    """All declared subgroups of a model; ``scopes`` are their names, ``attribute=value``."""

    scopes: tuple[str, ...]
    by_parameter: tuple[ParameterScopes, ...]
    by_column: tuple[IntervalScopes | TextScopes, ...]

    def members(self, inputs: Tensors, parameters: Sequence[Mapping[str, Scalar]], ends: Sequence[int]) -> Bools:
        """Membership of each row, shape (rows, scopes), for the concatenated rows of requests. ``parameters`` and
        ``ends``, the rows' end indices, have one entry a request.
        """
        member = np.zeros((ends[-1], len(self.scopes)), dtype=bool)
        for columns in self.by_column:
            columns.mark(member, inputs[columns.input])
        for values in self.by_parameter:
            start = 0
            for given, end in zip(parameters, ends, strict=True):
                scope = values.scopes.get(_as_json(given.get(values.parameter, "")))
                if scope is not None:
                    member[start:end, scope] = True
                start = end
        return member


def _columns(name: str, tensor: Tensor, last_column: int) -> Tensor:
    """The tensor as rows and columns; an input of free width must have the column that subgroups are cut from."""
    columns: Tensor = tensor.reshape(len(tensor), -1)
    width = columns.shape[1]
    if width <= last_column:
        raise CallerError(f"input {name!r}: has {width} columns, but a subgroup is cut from column {last_column}")
    return columns


def _as_json(value: Scalar) -> str:
    """A parameter's value as JSON writes it, so that "true" in the configuration matches a caller's true."""
    return str(value).lower() if isinstance(value, bool) else str(value)
