"""The kind *binary*: yes where a probability is above a threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tightrope.monitors.compare import Scale
from tightrope.monitors.kinds.options import read_names, read_scales, read_thresholds
from tightrope.monitors.kinds.rows import (
    are_comparable,
    as_floats,
    as_matrix,
    column,
    compare_classes,
    exceeds,
    find_rows,
    label_distance,
    label_entropy,
    pair_faults,
    read_probabilities,
)
from tightrope.monitors.kinds.seam import Compared, DecisionKind, KindReading, PairLayout, TensorLayout
from tightrope.monitors.kinds.traits import KindTraits, choose_output, sides
from tightrope.monitors.records import Fault, Floats, Role, Tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryKind(KindTraits):
    """Yes (class 1) where p > threshold, else no (class 0); the loss is 1 where the two models differ.

    >>> layout = PairLayout([], [TensorLayout("p", (-1, 1), "f")])
    >>> kind = build_binary({"threshold": 0.6}, layout)
    >>> read = [kind.read({"p": np.array([[p]])}, {}, Role.BASELINE, 1) for p in (0.62, 0.58)]
    >>> kind.compare(*read).loss.tolist(), read[1].confidence.round(2).tolist()
    ([1.0], [0.42])
    """

    scales: Mapping[Role, Scale]
    thresholds: Mapping[Role, Floats]

    def read(self, outputs: Tensors, _inputs: Tensors, role: Role, rows: int) -> KindReading:
        """Read one probability or logit a row."""
        tensor = find_rows(outputs, self.outputs[0], rows)
        if tensor is None or tensor.size != rows:
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        tensor = as_matrix(tensor)
        columns, fault = read_probabilities(as_floats(tensor), self.scales[role])
        yes = exceeds(tensor, columns, self.thresholds[role], self.scales[role])[:, 0]
        p = columns[:, 0]
        entropy = label_entropy(p)
        return KindReading.of(
            fault,
            {"p": p},
            top=yes,
            confidence=np.where(yes, p, 1 - p),
            uncertainty=np.minimum(entropy / np.log(2), 1.0),
            margin=np.abs(p - self.thresholds[role][0]),
            entropy=entropy,
        )

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare the two decisions of each row."""
        fault = pair_faults(baseline, compressed)
        if not are_comparable(baseline, compressed):
            return Compared.failed(fault, self.watched)
        b, c = baseline.top[:, None] == [0, 1], compressed.top[:, None] == [0, 1]
        return Compared.of(
            fault,
            (baseline.top != compressed.top).astype(np.float64),
            label_distance(column(baseline, "p"), column(compressed, "p")),
            **compare_classes(b, c),
        )


def build_binary(options: Mapping[str, Any], layout: PairLayout) -> DecisionKind:
    """Build the kind from ``scale``, ``threshold`` (a number, or one a role) and ``classes`` (the names of no and yes).

    Raises:
        ValueError: when an option is wrong, or no output has one number a row.
    """
    output = choose_output(layout, "binary", "one number a row, [rows] or [rows, 1]", _can_decide)
    return BinaryKind(
        name="binary",
        outputs=(output.name,),
        classes=read_names(options, "classes", 2) or ("0", "1"),
        binary_loss=True,
        has_top=True,
        has_margin=True,
        scales=read_scales(options),
        thresholds=read_thresholds(options, "threshold", 1),
    )


def _can_decide(tensor: TensorLayout) -> bool:
    return tensor.kind == "f" and all(side == -1 for side in sides(tensor))
