"""The kind *multilabel*: several labels a row, each said where its probability is above its threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tightrope.monitors.compare import Scale
from tightrope.monitors.kinds.options import read_choice, read_names, read_scales, read_thresholds, wrong
from tightrope.monitors.kinds.rows import (
    are_comparable,
    as_floats,
    column,
    compare_classes,
    exceeds,
    find_matrix,
    label_distance,
    label_entropy,
    pair_faults,
    read_probabilities,
)
from tightrope.monitors.kinds.seam import Compared, DecisionKind, KindReading, PairLayout, TensorLayout
from tightrope.monitors.kinds.traits import KindTraits, choose_output, fixed_width, is_small, sides
from tightrope.monitors.records import Bools, Fault, Floats, Role, Tensors

MOST_LABELS = 20
"""The largest number of labels whose least certain one is the confidence of a row; beyond it, the mean is."""

_LOSSES = ("any", "hamming", "jaccard")


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilabelKind(KindTraits):
    """Each label with p > its threshold. The loss *any* is 1 where a label differs, *hamming* the share of labels that
    differ, and *jaccard* 1 - |both| / |either|, 0 where neither model says a label.

    >>> layout = PairLayout([], [TensorLayout("p", (-1, 4), "f")])
    >>> kind = build_multilabel({"loss": "hamming"}, layout)
    >>> rows = [np.array([[0.9, 0.4, 0.2, 0.55]]), np.array([[0.8, 0.6, 0.1, 0.45]])]
    >>> compared = kind.compare(*(kind.read({"p": p}, {}, Role.BASELINE, 1) for p in rows))
    >>> compared.loss.tolist(), compared.missed.tolist()
    ([0.5], [[0.0, nan, nan, 1.0]])
    """

    scales: Mapping[Role, Scale]
    thresholds: Mapping[Role, Floats]
    loss: str
    width: int | None
    """The number of labels; None where any will do."""

    def read(self, outputs: Tensors, _inputs: Tensors, role: Role, rows: int) -> KindReading:
        """Read one probability or logit a label; another number of labels than configured is a fault of every row."""
        tensor = find_matrix(outputs, self.outputs[0], rows, self.width)
        if tensor is None:
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        p, fault = read_probabilities(as_floats(tensor), self.scales[role])
        yes = exceeds(tensor, p, self.thresholds[role], self.scales[role]) & (fault == Fault.NONE)[:, None]
        sure, entropy = np.where(yes, p, 1 - p), label_entropy(p).mean(axis=1)
        return KindReading.of(
            fault,
            {"p": p, "yes": yes},
            confidence=sure.min(axis=1) if sure.shape[1] <= MOST_LABELS else np.minimum(sure.mean(axis=1), 1.0),
            uncertainty=np.minimum(entropy / np.log(2), 1.0),
            entropy=entropy,
        )

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare the labels that both models said of each row."""
        fault = pair_faults(baseline, compressed)
        if not are_comparable(baseline, compressed):
            return Compared.failed(fault, self.watched)
        b, c = column(baseline, "yes"), column(compressed, "yes")
        distance = label_distance(column(baseline, "p"), column(compressed, "p")).mean(axis=1)
        by_class = compare_classes(b, c) if self.watched else {}
        return Compared.of(fault, self._loss(b, c), np.minimum(distance, 1.0), **by_class)

    def _loss(self, b: Bools, c: Bools) -> Floats:
        if self.loss == "any":
            return np.asarray((b != c).any(axis=1), np.float64)
        if self.loss == "hamming":
            return np.asarray((b != c).mean(axis=1))
        both, either = (b & c).sum(axis=1), (b | c).sum(axis=1)
        return np.asarray(1 - np.where(either > 0, both, 1) / np.maximum(either, 1))


def build_multilabel(options: Mapping[str, Any], layout: PairLayout) -> DecisionKind:
    """Build the kind from ``scale``, ``thresholds`` (a number, a list, or one of these a role), ``loss``, ``labels``.

    Raises:
        ValueError: when an option is wrong, or no output has a row of numbers.
    """
    output = choose_output(layout, "multilabel", "a number a label, [rows, labels]", _can_decide)
    width = fixed_width(output)
    labels = read_names(options, "labels", width)
    thresholds = read_thresholds(options, "thresholds", width or len(labels) or None)
    lengths = {len(each) for each in thresholds.values()} - {1}
    if len(lengths) > 1:
        raise wrong("thresholds", options["thresholds"], "as many numbers for baseline as for compressed")
    width = width or len(labels) or next(iter(lengths), None)
    loss = read_choice(options, "loss", _LOSSES)
    return MultilabelKind(
        name="multilabel",
        outputs=(output.name,),
        classes=labels or tuple(str(index) for index in range(width or 0)),
        binary_loss=loss == "any",
        is_cheap=is_small(output),
        scales=read_scales(options),
        thresholds=thresholds,
        loss=loss,
        width=width,
    )


def _can_decide(tensor: TensorLayout) -> bool:
    return tensor.kind == "f" and len(tensor.shape) > 1 and len(sides(tensor)) <= 1
