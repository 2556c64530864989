"""The kind *classes*: one class a row, the one of the largest probability or logit."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from tightrope.monitors.compare import Scale, confidence, entropy, jensen_shannon, margin, read_output
from tightrope.monitors.kinds.class_names import read_class_names
from tightrope.monitors.kinds.options import read_choice, read_count, read_scales, wrong
from tightrope.monitors.kinds.rows import (
    Faults,
    are_comparable,
    as_floats,
    column,
    compare_classes,
    find_matrix,
    pair_faults,
)
from tightrope.monitors.kinds.seam import (
    Compared,
    DecisionKind,
    KindReading,
    PairLayout,
    TensorLayout,
)
from tightrope.monitors.kinds.traits import KindTraits, choose_output, fixed_width, is_small, sides
from tightrope.monitors.records import Bools, Fault, Floats, Ints, Role, Tensors

_MATCHES = ("overlap", "inside")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassesKind(KindTraits):
    """The first class of each row, or its first ``top`` classes; ties go to the lower index. The loss is 1 where the
    first classes differ; with ``top`` the share of classes that the two models do not share; with ``match: inside``
    1 where the baseline's first class is not among the compressed model's first ``top``.

    >>> layout = PairLayout([], [TensorLayout("p", (-1, 3), "f")])
    >>> rows = [np.array([[0.5, 0.3, 0.2]]), np.array([[0.35, 0.4, 0.25]])]
    >>> kinds = build_classes({}, layout), build_classes({"top": 2}, layout)
    >>> [kind.compare(*(kind.read({"p": p}, {}, Role.BASELINE, 1) for p in rows)).loss.tolist() for kind in kinds]
    [[1.0], [0.0]]
    """

    scales: Mapping[Role, Scale]
    top: int
    match: str
    widths: Mapping[Role, int | None]
    """The number of classes of each role's output; None where any will do."""
    positions: Mapping[Role, Ints]
    """The class of each column, by role; empty where both roles have all classes in one order."""

    def read(self, outputs: Tensors, _inputs: Tensors, role: Role, rows: int) -> KindReading:
        """Read a distribution over the role's classes."""
        tensor = find_matrix(outputs, self.outputs[0], rows)
        if tensor is None or not self._has_width(columns := max(tensor.shape[1], 2), role):
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        raw = as_floats(tensor) + 0.0  # no zero is negative
        reading = read_output(raw, self.scales[role])
        values, fault = reading.values, reading.fault
        if raw.shape[1] == 1:
            raw = np.hstack([1 - raw if self.scales[role] is Scale.PROBABILITIES else np.zeros_like(raw), raw])
        kept: dict[str, Any] = {"values": values}
        first = raw.argmax(axis=1)
        if self.top > 1:
            kept["top"] = first_classes(raw, fault == Fault.NONE, self.top)
        if self.positions:
            positions = self.positions[role]
            first, kept = positions[first], self._mapped(kept, positions)
        entropies = entropy(values)
        return KindReading.of(
            fault,
            kept,
            top=first,
            confidence=confidence(values),
            uncertainty=np.minimum(entropies / log(columns), 1.0),
            margin=margin(values),
            entropy=entropies,
        )

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare the classes of each row; the distance is Jensen and Shannon's."""
        fault, watched = pair_faults(baseline, compressed), self.watched
        if not are_comparable(baseline, compressed):
            return Compared.failed(fault, watched)
        distance = jensen_shannon(column(baseline, "values"), column(compressed, "values"))
        b, c = (baseline.top[:, None], compressed.top[:, None])
        if self.top > 1:
            b, c = column(baseline, "top"), column(compressed, "top")
        if self.match == "inside":
            return self._compare_first(baseline.top, compressed.top, b, c, fault, distance)
        shared = (b[:, :, None] == c[:, None, :]).sum(axis=(1, 2))
        by_class = compare_classes(are_among(watched, b), are_among(watched, c)) if watched else {}
        return Compared.of(fault, 1 - shared / self.top, distance, **by_class)

    def _compare_first(
        self, b: Ints, c: Ints, among_b: Ints, among_c: Ints, fault: Faults, distance: Floats
    ) -> Compared:
        """Compare by the first class of one model among the first of the other."""
        lost = ~(among_c == b[:, None]).any(axis=1)
        new = ~(among_b == c[:, None]).any(axis=1)
        by_class = {}
        if self.watched:
            first_b, first_c = are_among(self.watched, b[:, None]), are_among(self.watched, c[:, None])
            by_class = compare_classes(first_b, first_c)
            by_class["missed"] = np.where(first_b, lost[:, None], np.nan)
            by_class["gained"] = np.where(first_c, new[:, None], np.nan)
        return Compared.of(fault, lost.astype(np.float64), distance, **by_class)

    def _has_width(self, columns: int, role: Role) -> bool:
        return self.top < columns + (self.top == 1) and self.widths[role] in {None, columns}

    def _mapped(self, kept: dict[str, Any], positions: Ints) -> dict[str, Any]:
        """Put columns of one role in the order of all classes; a class that it lacks has the probability 0."""
        values = np.zeros((len(kept["values"]), len(self.classes)))
        values[:, positions] = kept["values"]
        mapped = {"values": values}
        if "top" in kept:
            mapped["top"] = np.sort(positions[kept["top"]], axis=1)
        return mapped


def first_classes(raw: Floats, sound: Bools, top: int) -> Ints:
    """The indices (n, top) of the largest values of each sound row, ascending; ties go to the lower index.

    >>> first_classes(np.array([[1.0, 3.0, 1.0, 2.0]]), np.array([True]), 3).tolist()
    [[0, 1, 3]]
    """
    rows, columns = raw.shape
    least = np.partition(raw, columns - top, axis=1)[:, columns - top, None]
    above, tied = raw > least, raw == least
    chosen = above | (tied & (tied.cumsum(axis=1) <= top - above.sum(axis=1, keepdims=True)))
    chosen[~sound] = np.arange(columns) < top
    return np.asarray(np.nonzero(chosen)[1].reshape(rows, top))


def are_among(classes: int, indices: Ints) -> Bools:
    """Mask the classes (n, classes) that stand among the indices (n, k) of each row."""
    return np.asarray((indices[:, :, None] == np.arange(classes)).any(axis=1))


def build_classes(options: Mapping[str, Any], layout: PairLayout) -> DecisionKind:
    """Build the kind from ``scale``, ``top``, ``match`` and ``classes`` (names, or names a role).

    Raises:
        ValueError: when an option is wrong, or no output has a row of scores.
    """
    output = choose_output(layout, "classes", "a score a class, [rows, classes]", _can_decide)
    width = fixed_width(output)
    width = None if width is None else max(width, 2)
    names = read_class_names(options, width)
    widths = dict.fromkeys(Role, width) if names is None else {r: len(each) for r, each in names.positions.items()}
    least = min((each for each in widths.values() if each is not None), default=None)
    top = read_count(options, "top", 1, most=None if least is None else least - 1)
    match = read_choice(options, "match", _MATCHES)
    if match == "inside" and top == 1:
        raise wrong("match", match, "top: 2 or more beside it, or leave match out")
    in_order = names is None or all(each.tolist() == [*range(len(names.classes))] for each in names.positions.values())
    return ClassesKind(
        name="classes",
        outputs=(output.name,),
        classes=names.classes if names else tuple(str(index) for index in range(width or 0)),
        binary_loss=top == 1 or match == "inside",
        is_cheap=is_small(output),
        has_top=True,
        has_margin=True,
        scales=read_scales(options),
        top=top,
        match=match,
        widths=widths,
        positions={} if names is None or in_order else names.positions,
    )


def _can_decide(tensor: TensorLayout) -> bool:
    return tensor.kind == "f" and len(sides(tensor)) <= 1
