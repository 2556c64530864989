"""Subgroup membership of rows: by a request parameter, or by a column of an input.

Every row belongs to some subgroup of every attribute: one without a declared value belongs to ``attribute=other``.
Texts are normalised before they are compared with the declared ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from tightrope.monitors.records import Bools, Floats, Ints, Tensors
from tightrope.service.config.subgroups import normalised
from tightrope.service.errors import CallerError, quote
from tightrope.service.protocol.rest import Scalar
from tightrope.service.protocol.tensors import Tensor


@dataclass(frozen=True, slots=True)
class TextValues:
    """The scopes of normalised texts."""

    scopes: Mapping[str, int]
    steps: Sequence[str] = ()

    def scope(self, text: str) -> int | None:
        """The scope of a text; None if it is not declared."""
        scope = self.scopes.get(text)  # most callers write the text as it is declared
        return self.scopes.get(normalised(text, self.steps)) if scope is None and self.steps else scope


@dataclass(frozen=True, slots=True)
class ParameterScopes:
    """Scopes by the value of a request parameter."""

    parameter: str
    values: TextValues


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
    values: TextValues

    @property
    def last_column(self) -> int:
        """The highest column index."""
        return self.column

    def mark(self, member: Bools, tensor: Tensor) -> None:
        """Set the scope of every row in ``member``, shape (rows, scopes)."""
        for row, value in enumerate(_columns(self.input, tensor, self.column)[:, self.column]):
            scope = self.values.scope(value)
            if scope is not None:
                member[row, scope] = True


@dataclass(frozen=True, slots=True)
class OtherScope:
    """The scope ``attribute=other``, which comes after the attribute's declared values, ``first`` up to ``scope``.

    ``otherwise`` tells what its requests get: ``watch``: the model that its mode gives, ``baseline``: the baseline
    always, ``refuse``: an error. ``parameter`` is None where ``source`` is a column.
    """

    first: int
    scope: int
    otherwise: str = "watch"
    parameter: str | None = None
    source: str = ""
    declared: str = ""

    def refusal(self, parameters: Mapping[str, Scalar]) -> str:
        """The error of a request that has such rows."""
        if self.parameter is None:
            return f"{self.source}: a row has no declared value; it must be one of {self.declared}"
        value = parameters.get(self.parameter)
        shown = "is missing" if value is None else f"is {quote(value)}"
        return f"parameters.{self.parameter}: {shown}; it must be one of {self.declared}"


@dataclass(frozen=True)
class Subgroups:
    """All subgroups of a model; ``scopes`` are their names, ``attribute=value``, attribute by attribute."""

    scopes: tuple[str, ...]
    by_parameter: tuple[ParameterScopes, ...]
    by_column: tuple[IntervalScopes | TextScopes, ...]
    others: tuple[OtherScope, ...] = ()

    @cached_property
    def last_columns(self) -> Mapping[str, int]:
        """The inputs that subgroups are cut from, and the highest column index in each."""
        names = {columns.input for columns in self.by_column}
        return {name: max(c.last_column for c in self.by_column if c.input == name) for name in sorted(names)}

    @cached_property
    def parameter_scopes(self) -> tuple[int, ...]:
        """The indices of the scopes that request parameters decide, which inputs do not tell."""
        values = {scope for each in self.by_parameter for scope in each.values.scopes.values()}
        return tuple(sorted(values | {other.scope for other in self.others if other.parameter is not None}))

    @cached_property
    def refusing(self) -> tuple[OtherScope, ...]:
        """The scopes whose requests are refused."""
        return tuple(other for other in self.others if other.otherwise == "refuse")

    @cached_property
    def always_baseline(self) -> tuple[str, ...]:
        """The names of the scopes whose requests the baseline always answers."""
        return tuple(self.scopes[other.scope] for other in self.others if other.otherwise == "baseline")

    @cached_property
    def _other_indices(self) -> tuple[Ints, Ints]:
        """The indices of each attribute's first scope, and of its ``attribute=other``."""
        pairs = np.array([(other.first, other.scope) for other in self.others]).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def check(self, member: Bools, parameters: Sequence[Mapping[str, Scalar]], ends: Sequence[int]) -> None:
        """Check that no row lacks a declared value where the configuration refuses that.

        Raises:
            CallerError: with the parameter or the column, and what it must be.
        """
        for other in self.refusing:
            if member[:, other.scope].any():
                row = int(member[:, other.scope].argmax())
                raise CallerError(other.refusal(parameters[int(np.searchsorted(ends, row, side="right"))]))

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
                scope = values.values.scope(_as_json(given.get(values.parameter, "")))
                if scope is not None:
                    member[start:end, scope] = True
                start = end
        if self.others:
            firsts, others = self._other_indices
            member[:, others] = ~np.logical_or.reduceat(member, firsts, axis=1)
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
