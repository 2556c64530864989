"""The seam of the kinds: the reading of one model's decisions, the comparison of two, and what every kind offers.

A kind is pure. It reads the outputs (and inputs, such as a mask) of n rows into a `KindReading`, one entry a row, and
compares the readings of both models: one loss in [0, 1] a row, which the monitor *disagreement* tests.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.intake.sample_batch import tensor_layout
from tightrope.monitors.records import Bools, Fault, Floats, Ints, Role, Tensors

NO_CLASS = -1
"""The class of a row that has no single one."""

MOST_CLASSES = 20
"""The largest number of classes whose losses are given class by class."""

_NUMBERS = ("top", "confidence", "uncertainty", "margin", "entropy")
_ARRAYS = ("fault", *_NUMBERS)


@dataclass(frozen=True, slots=True)
class KindReading:
    """One model's decisions on n rows. All arrays have one entry a row.

    ``fault`` holds `Fault` codes; ``top`` the class (`NO_CLASS` without one); ``confidence`` and ``uncertainty`` are in
    [0, 1], ``margin`` is in [0, 1] and ``entropy`` in nats; NaN where the kind has none or the row has a fault.
    ``columns`` (n, …) hold what `DecisionKind.compare` needs.

    >>> reading = KindReading.of(np.zeros(2, np.int8), {"x": np.array([[1.0], [2.0]])}, confidence=np.array([0.5, 1.0]))
    >>> reading.take(slice(1, 2)).confidence.tolist(), len(reading.join(reading))
    ([1.0], 4)
    """

    fault: NDArray[np.int8]
    top: Ints
    confidence: Floats
    uncertainty: Floats
    margin: Floats
    entropy: Floats
    columns: Tensors

    def __len__(self) -> int:
        return len(self.fault)

    @classmethod
    def of(cls, fault: NDArray[np.int8], columns: Tensors, **known: NDArray[Any]) -> Self:
        """Build a reading from the arrays that the kind has; the others hold NaN or `NO_CLASS`."""
        faulty = fault != Fault.NONE if fault.any() else None
        arrays: dict[str, Any] = {}
        for name in _NUMBERS:
            missing, dtype = (NO_CLASS, np.int64) if name == "top" else (np.nan, np.float64)
            if name not in known:
                arrays[name] = np.full(len(fault), missing, dtype)
            elif faulty is None:
                arrays[name] = np.asarray(known[name], dtype)
            else:
                arrays[name] = np.where(faulty, missing, known[name]).astype(dtype)
        return cls(fault.astype(np.int8), **arrays, columns=columns)

    @classmethod
    def failed(cls, rows: int, fault: Fault = Fault.RUN_FAILED) -> Self:
        """The reading of rows that cannot be read at all; it has no columns."""
        return cls.of(np.full(rows, fault, np.int8), {})

    def take(self, rows: slice | Ints | Bools) -> Self:
        """Select rows by a slice, a mask or indices."""
        arrays: dict[str, Any] = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return type(self)(**arrays, columns={name: column[rows] for name, column in self.columns.items()})

    def join(self, *more: Self) -> Self:
        """Append the rows of ``more``.

        Raises:
            ValueError: when the columns differ in name, datatype or shape of a row.
        """
        parts = (self, *more)
        if any(tensor_layout(part.columns) != tensor_layout(self.columns) for part in more):
            raise ValueError("readings of different layout cannot be joined")
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in self.columns}
        arrays: dict[str, Any] = {n: np.concatenate([getattr(part, n) for part in parts]) for n in _ARRAYS}
        return type(self)(**arrays, columns=columns)

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """The reading as tensors with rows first, as a sample carries it."""
        numbers = {f"reading.{name}": getattr(self, name) for name in _ARRAYS}
        return {**numbers, **{f"column.{name}": column for name, column in self.columns.items()}}

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> Self:
        """Rebuild a reading from `to_tensors`.

        Raises:
            KeyError: when a tensor is missing.
            ValueError: when one has not one number a row.
            TypeError: when one holds no numbers.
        """
        arrays: dict[str, Any] = {}
        for name in _ARRAYS:
            dtype = {"fault": np.int8, "top": np.int64}.get(name, np.float64)
            arrays[name] = np.asarray(tensors[f"reading.{name}"]).astype(dtype, casting="same_kind", copy=False)
            if arrays[name].ndim != 1:
                raise ValueError(f"{name} has shape {arrays[name].shape}, must have one number a row")
        prefix = "column."
        columns = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        return cls(**arrays, columns=columns)


@dataclass(frozen=True, slots=True)
class Compared:
    """The comparison of two readings of the same n rows.

    ``fault`` (n,) holds the graver `Fault` of both, and `Fault.OUT_OF_RANGE` where both can be read but not compared
    (another number of places, another width). ``loss`` (n,) in [0, 1], NaN where a row does not speak or has a fault;
    ``distance`` (n,) is shown to people. ``bias`` (n,) in [-1, 1] is how much more the compressed model gave, NaN for
    kinds that have none.
    ``missed`` and ``gained`` (n, C) in [0, 1] hold, for each class, the share of what the baseline said of it that the
    compressed model lost, and the share of what the compressed model said of it that the baseline did not; NaN where
    that model did not say the class. ``mix`` (n, C) in [-1, 1] is how much more the compressed model said the class.
    C is 0 for kinds without classes, and for more than `MOST_CLASSES`.

    >>> compared = Compared.of(np.array([0, 1], np.int8), np.array([0.25, 0.5]), np.array([0.1, 0.2]))
    >>> compared.loss.tolist(), compared.mix.shape
    ([0.25, nan], (2, 0))
    """

    fault: NDArray[np.int8]
    loss: Floats
    distance: Floats
    bias: Floats
    mix: Floats
    missed: Floats
    gained: Floats

    @classmethod
    def of(cls, fault: NDArray[np.int8], loss: Floats, distance: Floats, **known: Floats) -> Self:
        """Build a comparison from the arrays that the kind has; rows with a fault hold NaN."""
        rows, faulty = len(fault), fault != Fault.NONE
        arrays = [np.array(array, np.float64) for array in (loss, distance)]
        arrays += [np.array(known["bias"], np.float64) if "bias" in known else np.full(rows, np.nan)]
        arrays += [np.array(known.get(name, np.zeros((rows, 0))), np.float64) for name in ("mix", "missed", "gained")]
        if faulty.any():
            for array in arrays:
                array[faulty] = np.nan
        return cls(fault, *arrays)

    @classmethod
    def failed(cls, fault: NDArray[np.int8], classes: int = 0) -> Self:
        """The comparison of rows that all have a fault: those of ``fault``, or that they cannot be compared."""
        fault = np.where(fault == Fault.NONE, np.int8(Fault.OUT_OF_RANGE), fault)
        rows, none = np.full(len(fault), np.nan), np.full((len(fault), classes), np.nan)
        return cls(fault, rows, rows, rows, none, none, none)


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """A tensor of a model, rows first: ``shape`` with -1 for a free side; ``kind`` is numpy's kind of its datatype
    (f, i, u, b, O).

    >>> TensorLayout("p", (-1, 3), "f").shape
    (-1, 3)
    """

    name: str
    shape: tuple[int, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class PairLayout:
    """The tensors that callers of a pair see: inputs, outputs, and the output that the configuration names, if any.

    >>> PairLayout([], [TensorLayout("p", (-1, 3), "f")]).output is None
    True
    """

    inputs: Sequence[TensorLayout]
    outputs: Sequence[TensorLayout]
    output: str | None = None


class DecisionKind(Protocol):
    """A kind of decision. All attributes are fixed; no method changes its arguments or the kind."""

    @property
    def name(self) -> str:
        """The kind's name in the configuration."""

    @property
    def outputs(self) -> Sequence[str]:
        """The outputs that `read` needs, the deciding one first."""

    @property
    def inputs(self) -> Sequence[str]:
        """The inputs that `read` needs."""

    @property
    def classes(self) -> Sequence[str]:
        """The names that are decided between; empty without classes."""

    @property
    def binary_loss(self) -> bool:
        """Whether every loss is 0 or 1."""

    @property
    def is_cheap(self) -> bool:
        """Whether a reading costs so little that it is made before the answer."""

    @property
    def is_condensed(self) -> bool:
        """Whether a reading is much smaller than the outputs, so that samples carry the reading."""

    @property
    def has_confidence(self) -> bool:
        """Whether readings have a confidence and an uncertainty."""

    @property
    def has_top(self) -> bool:
        """Whether readings have a single class a row."""

    @property
    def has_bias(self) -> bool:
        """Whether comparisons have a bias a row."""

    @property
    def has_margin(self) -> bool:
        """Whether readings have a margin; a kind without this attribute has none."""

    def read(self, outputs: Tensors, inputs: Tensors, role: Role, rows: int) -> KindReading:
        """Read the outputs of ``rows`` rows. What cannot be read is a fault of its row; an output that has not one
        entry a row is a fault of every row. Never raises for what a model or a caller sends.
        """

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare two readings of the same rows. Rows with a fault on either side hold NaN; readings of unequal layout
        are a fault of every row.
        """


Factory = Callable[[Mapping[str, Any], PairLayout], DecisionKind]
"""Builds a kind from its options and the tensors of its pair; a ValueError says which option is wrong, and what would
be right.
"""
