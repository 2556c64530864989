"""The columns that slices are cut from, and the words for a slice.

A row has one vector of values: its input columns, then the class that the compressed model says and its confidence,
then 1 or 0 for each declared subgroup. A predicate is a column with a lowest and a highest value, both included; a
value that is not known, NaN, is in none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Comparisons, Features, Floats, Ints, Tensors

SAID, CONFIDENCE = "class", "confidence"
"""The two columns of the compressed model's answer. Nothing of the baseline's is a column: it is not known before."""

ANSWER_COLUMNS = (SAID, CONFIDENCE)

Predicate = tuple[int, float, float]
"""A column of the vector, and the lowest and the highest value."""


@dataclass(frozen=True, slots=True)
class InputColumn:
    """One column of an input, with the words for it: its ``name``, and those of its ``codes``.

    ``is_titled``: the name is a person's. The values of a column that is not ``searched`` never leave the worker.

    >>> InputColumn("x", 3, "residence", {17.0: "group quarters"}, is_titled=True).words(17.0, 17.0)
    'residence: group quarters'
    >>> InputColumn("x", 3, "column 3").words(17.0, 17.0), InputColumn("x", 0, "column 0").words(-np.inf, 24.0)
    ('column 3 = 17', 'column 0 at most 24')
    """

    input: str
    index: int
    name: str
    codes: Mapping[float, str] = field(default_factory=dict)
    is_titled: bool = False
    searched: bool = True

    def words(self, low: float, high: float) -> str:
        """The words for the values from ``low`` to ``high``."""
        if low == high:
            code = self.codes.get(low)
            return f"{self.name} = {low:g}" if code is None else f"{self.name}: {code}"
        return (
            f"{self.name} at most {high:g}"
            if np.isneginf(low)
            else f"{self.name} above {np.nextafter(low, -np.inf):.6g}"
        )


def features_of(columns: Sequence[InputColumn], inputs: Tensors, rows: int) -> Features:
    """The values of columns of some inputs, (rows, columns): NaN in a column that is not searched.

    >>> columns = InputColumn("x", 1, "column 1"), InputColumn("x", 0, "column 0", searched=False)
    >>> features_of(columns, {"x": np.array([[1, 2], [3, 4]])}, 2).tolist()
    [[2.0, nan], [4.0, nan]]
    """
    features = np.full((rows, len(columns)), np.nan, np.float32)
    for number, column in enumerate(columns):
        if column.searched:
            features[:, number] = inputs[column.input].reshape(rows, -1)[:, column.index]
    return features


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a row's vector: those of the inputs, of the answer, and the declared subgroups.

    >>> layout = Layout((InputColumn("x", 0, "age"),), ("sex=f", "sex=m"))
    >>> layout.attributes.tolist(), layout.words(((3, 1.0, 1.0), (2, 0.0, np.nextafter(0.6, 0))))
    ([0, 1, 2, 3, 3], 'sex: f and confidence below 0.6')
    """

    columns: tuple[InputColumn, ...]
    scopes: tuple[str, ...]

    @property
    def width(self) -> int:
        """The number of columns of the vector."""
        return self.declared + len(self.scopes)

    @property
    def declared(self) -> int:
        """The index of the first declared subgroup."""
        return len(self.columns) + len(ANSWER_COLUMNS)

    @property
    def attributes(self) -> Ints:
        """The attribute of each column, (width,): predicates of one attribute are never combined."""
        names = [scope.partition("=")[0] for scope in self.scopes]
        return np.array([*range(self.declared), *(self.declared + names.index(name) for name in names)], np.int64)

    def vectors(self, rows: Comparisons) -> Floats:
        """The vectors of rows, (n, width), NaN where the record does not have the input columns."""
        features: NDArray[np.floating] = rows.features
        if features.shape[1] != len(self.columns):
            features = np.full((len(rows), len(self.columns)), np.nan)
        first, vectors = len(self.columns), np.empty((self.width, len(rows)))
        vectors[:first] = features.T
        vectors[first] = np.where(rows.top_compressed >= 0, rows.top_compressed, np.nan)
        vectors[first + 1] = rows.confidence_compressed
        vectors[self.declared :] = rows.member[:, : len(self.scopes)].T  # others were added while the model is served
        return vectors.T  # column by column in memory, as predicates are compared

    def words(self, predicates: Sequence[Predicate]) -> str:
        """The words for the rows that satisfy all predicates; those of input columns and subgroups first."""
        order = sorted(predicates, key=lambda each: len(self.columns) <= each[0] < self.declared)
        return " and ".join(map(self._words_of, order))

    def _words_of(self, predicate: Predicate) -> str:
        column, low, high = predicate
        if column < len(self.columns):
            return self.columns[column].words(low, high)
        if column >= self.declared:
            return ": ".join(self.scopes[column - self.declared].split("=", 1))
        if column == len(self.columns):
            return f"the compressed model says class {low:g}"
        ends = f"{np.nextafter(high, 2):.6g}"
        return f"confidence below {ends}" if low <= 0 else f"confidence from {low:g}" + f" to {ends}" * (high < 1)
