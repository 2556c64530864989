"""The kind *labels*: one label a row, an integer or a string, as models without probabilities give it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.kinds.class_names import integer_labels, read_class_names
from tightrope.monitors.kinds.classes import are_among
from tightrope.monitors.kinds.rows import Faults, are_comparable, column, compare_classes, pair_faults
from tightrope.monitors.kinds.seam import (
    NO_CLASS,
    Compared,
    DecisionKind,
    KindReading,
    PairLayout,
    TensorLayout,
)
from tightrope.monitors.kinds.traits import KindTraits, choose_output, sides
from tightrope.monitors.records import Fault, Ints, Role, Tensors

_STRINGS = "OUS"
_MOST_LABEL = float(2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsKind(KindTraits):
    """A label a row; the loss is 1 where the two differ. Floating-point labels are rounded. With ``classes``, a string
    is a class by its name and an integer by its position (by its value, where the classes are integers), so that a
    model that gives names is compared with one that gives positions; other labels are faults.

    >>> layout = PairLayout([], [TensorLayout("label", (-1,), "O")])
    >>> kind = build_labels({"classes": ["cat", "dog"]}, layout)
    >>> b = kind.read({"label": np.array(["dog", "cat"], object)}, {}, Role.BASELINE, 2)
    >>> c = kind.read({"label": np.array([1, 1])}, {}, Role.COMPRESSED, 2)
    >>> kind.compare(b, c).loss.tolist()
    [0.0, 1.0]
    """

    names: Mapping[str, int]
    """The class of each name; empty where labels are compared as they are."""
    integers: Mapping[Role, tuple[Ints, Ints]]
    """The integers, ascending, that each role has for classes, and these classes."""

    def read(self, outputs: Tensors, _inputs: Tensors, role: Role, rows: int) -> KindReading:
        """Read one label a row."""
        tensor = outputs.get(self.outputs[0])
        if tensor is None or tensor.ndim == 0 or len(tensor) != rows or tensor.size != rows:
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        if tensor.dtype.kind in _STRINGS:
            texts, fault = _read_texts(tensor.reshape(rows))
            if not self.names:
                return KindReading.of(fault, {"label": texts})
            label = np.array([self.names.get(text, NO_CLASS) for text in texts], np.int64)
        elif tensor.dtype.kind in "fiub":
            label, fault = _read_integers(tensor.reshape(rows))
            if self.names:
                label = self._classes_of(label, role)
        else:
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        if self.names:
            fault[(label == NO_CLASS) & (fault == Fault.NONE)] = Fault.OUT_OF_RANGE
        return KindReading.of(fault, {"label": label}, **({"top": np.maximum(label, NO_CLASS)} if self.has_top else {}))

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare the labels of each row."""
        fault, watched = pair_faults(baseline, compressed), self.watched
        if not are_comparable(baseline, compressed):
            return Compared.failed(fault, watched)
        loss = np.asarray(column(baseline, "label") != column(compressed, "label"), np.float64)
        b, c = (are_among(watched, reading.top[:, None]) for reading in (baseline, compressed))
        return Compared.of(fault, loss, loss, **compare_classes(b, c))

    def _classes_of(self, label: Ints, role: Role) -> Ints:
        """The class of each integer; `NO_CLASS` where it has none."""
        integers, classes = self.integers[role]
        found = np.minimum(np.searchsorted(integers, label), len(integers) - 1)
        return np.where(integers[found] == label, classes[found], NO_CLASS)


def _read_texts(labels: NDArray[Any]) -> tuple[NDArray[Any], Faults]:
    """Strings as such; an entry that is no string is a fault."""
    texts = [each.decode(errors="backslashreplace") if isinstance(each, bytes) else each for each in labels.tolist()]
    fault = [Fault.NONE if isinstance(each, str) else Fault.OUT_OF_RANGE for each in texts]
    return np.array([each if isinstance(each, str) else "" for each in texts], object), np.array(fault, np.int8)


def _read_integers(labels: NDArray[Any]) -> tuple[Ints, Faults]:
    """Numbers rounded to integers; one beyond 64 bits is a fault."""
    fault = np.zeros(len(labels), np.int8)
    if labels.dtype.kind == "f":
        rounded = np.rint(labels.astype(np.float64))
        fault[~(np.abs(rounded) < _MOST_LABEL)] = Fault.OUT_OF_RANGE
        fault[~np.isfinite(rounded)] = Fault.NOT_FINITE
        return np.where(fault == Fault.NONE, rounded, NO_CLASS).astype(np.int64), fault
    if labels.dtype.kind == "u":
        fault[labels > np.iinfo(np.int64).max] = Fault.OUT_OF_RANGE
    return labels.astype(np.int64), fault


def build_labels(options: Mapping[str, Any], layout: PairLayout) -> DecisionKind:
    """Build the kind from ``classes`` (names or integers, for both models or a role).

    Raises:
        ValueError: when it is wrong, or no output has one label a row.
    """
    wanted = "one label a row, an integer or a string, [rows] or [rows, 1]"
    exact = layout.output is None and any(_is_label(tensor) and tensor.kind != "f" for tensor in layout.outputs)
    output = choose_output(
        layout, "labels", wanted, lambda tensor: _is_label(tensor) and not (exact and tensor.kind == "f")
    )
    names = read_class_names(options)
    return LabelsKind(
        name="labels",
        outputs=(output.name,),
        classes=names.classes if names else (),
        binary_loss=True,
        has_confidence=False,
        has_top=names is not None or output.kind not in _STRINGS,
        names={name: position for position, name in enumerate(names.classes)} if names else {},
        integers=integer_labels(options, names) if names else {},
    )


def _is_label(tensor: TensorLayout) -> bool:
    return all(side == -1 for side in sides(tensor))
