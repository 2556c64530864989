"""The kind *positions*: one decision a place, for taggers of tokens and for segmentation of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.compare import Scale
from tightrope.monitors.kinds.options import is_number, read_choice, read_names, read_scales, read_thresholds, wrong
from tightrope.monitors.kinds.place_scores import Places, read_classes, read_ids, read_yes
from tightrope.monitors.kinds.rows import (
    ClassCounts,
    are_comparable,
    as_matrix,
    column,
    count_classes,
    find_rows,
    pair_faults,
)
from tightrope.monitors.kinds.seam import (
    Compared,
    DecisionKind,
    KindReading,
    PairLayout,
    TensorLayout,
)
from tightrope.monitors.kinds.spans import SpanTags, span_loss
from tightrope.monitors.kinds.traits import KindTraits, choose_input, choose_output, is_small
from tightrope.monitors.records import Bools, Fault, Floats, Ints, Role, Tensors

_LOSSES = ("share", "any", "spans", "iou")
_SCORES = 3
"""Dimensions of scores of classes: rows, places and classes; images have more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsKind(KindTraits):
    """A class at each place of a row, or yes or no by a threshold. Places that the mask leaves out, and those where the
    baseline says an ignored class, do not count. The loss *share* is the share of places that differ, *any* is 1 where
    one differs, *spans* is 1 - F1 of the spans of tags, and *iou* is 1 - the mean over classes that either model said
    of |both| / |either|. A row without a kept place does not speak.

    >>> layout = PairLayout([], [TensorLayout("tags", (-1, -1), "i")])
    >>> kind = build_positions({"loss": "iou", "tags": ["sky", "sea", "sand"]}, layout)
    >>> rows = np.array([[0, 0, 1, 1, 2, 2]]), np.array([[0, 1, 1, 1, 2, 0]])
    >>> kind.compare(*(kind.read({"tags": ids}, {}, Role.BASELINE, 1) for ids in rows)).loss.tolist()
    [0.5]
    """

    scales: Mapping[Role, Scale]
    loss: str
    class_axis: int | None
    """The axis of the scores of classes; None where a place has one score or the id of a class."""
    thresholds: Mapping[Role, Floats]
    """The threshold of each role; empty where places have classes."""
    width: int | None
    """The number of classes; None where any will do."""
    tags: SpanTags | None
    background: int | None
    ignored: tuple[int, ...]
    least: bool
    """Whether the confidence of a row is that of its least certain place, instead of the mean."""

    def read(self, outputs: Tensors, inputs: Tensors, role: Role, rows: int) -> KindReading:
        """Read the decision at each kept place."""
        tensor = find_rows(outputs, self.outputs[0], rows)
        mask = find_rows(inputs, self.inputs[0], rows) if self.inputs else None
        if tensor is None or tensor.ndim == 1 or (self.inputs and mask is None):
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        kept = None if mask is None else as_matrix(mask) > 0
        scores = self._read_places(tensor, kept, role)
        return KindReading.failed(rows, Fault.OUT_OF_RANGE) if scores is None else scores.reading(least=self.least)

    def _read_places(self, tensor: NDArray[Any], kept: Bools | None, role: Role) -> Places | None:
        if self.thresholds:
            return read_yes(tensor, kept, self.thresholds[role], self.scales[role])
        if self.class_axis is None:
            return read_ids(tensor, kept, self.width)
        axis = self.class_axis % tensor.ndim if -tensor.ndim <= self.class_axis < tensor.ndim else 0
        if axis == 0 or self.width not in {None, tensor.shape[axis]}:
            return None
        return read_classes(tensor, kept, axis, self.scales[role])

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare the decisions at the places that both readings kept; the distance is the share that differs."""
        fault, watched = pair_faults(baseline, compressed), self.watched
        if not are_comparable(baseline, compressed):
            return Compared.failed(fault, watched)
        b, c = column(baseline, "ids"), column(compressed, "ids")
        kept = (b >= 0) & (c >= 0)
        if self.ignored:
            kept &= ~np.isin(b, self.ignored)
        compared = kept.sum(axis=1)
        with np.errstate(invalid="ignore"):
            share = ((b != c) & kept).sum(axis=1) / compared
        counts = None
        if watched or self.loss == "iou":
            counts = count_classes(b, c, kept, self.width or max(b.max(initial=0), c.max(initial=0)) + 1)
        loss = np.where(compared > 0, self._loss(b, c, kept, share, counts), np.nan)
        return Compared.of(fault, loss, share, **(counts.by_class() if counts and watched else {}))

    def _loss(self, b: Ints, c: Ints, kept: Bools, share: Floats, counts: ClassCounts | None) -> Floats:
        if self.loss == "any":
            return (share > 0).astype(np.float64)
        if self.loss == "spans" and self.tags is not None:
            return span_loss(b, c, kept, self.tags)
        if self.loss == "iou" and counts is not None:
            return _mean_iou_loss(counts, self.background)
        return share


def _mean_iou_loss(counts: ClassCounts, background: int | None) -> Floats:
    either = counts.baseline + counts.compressed - counts.both
    if background is not None and background < either.shape[1]:
        either[:, background] = 0
    present = either > 0
    overlap = np.where(present, counts.both / np.maximum(either, 1), 0.0).sum(axis=1)
    number = present.sum(axis=1)
    return np.asarray(np.where(number > 0, 1 - overlap / np.maximum(number, 1), 0.0))


def build_positions(options: Mapping[str, Any], layout: PairLayout) -> DecisionKind:
    """Build the kind from ``class_axis`` or ``threshold``, ``scale``, ``mask``, ``loss``, ``tags``, ``background``,
    ``ignore`` and ``confidence``. Scores of classes are logits, and those of a threshold probabilities, unless
    ``scale`` says otherwise.

    Raises:
        ValueError: when an option is wrong or missing, or no output has a decision a place.
    """
    by_threshold = options.get("threshold") is not None
    if by_threshold and options.get("class_axis") is not None:
        raise wrong("class_axis", options["class_axis"], "either class_axis or threshold, not both")
    wanted = "one score a place" if by_threshold else "scores of classes a place, or the id of a class a place"
    output = choose_output(layout, "positions", wanted, _is_map if by_threshold else _is_scores)
    axis = None if by_threshold or output.kind != "f" else _read_axis(options, output)
    width = 2 if by_threshold else None if axis is None or output.shape[axis] == -1 else output.shape[axis]
    loss = read_choice(options, "loss", _LOSSES)
    tags = read_names(options, "tags", width)
    if loss == "spans" and not tags:
        raise ValueError("tags: is missing, and loss: spans needs it; write the list of tags, O, B-PER, I-PER, …")
    width = width or len(tags) or None
    if loss == "iou" and output.kind != "f" and width is None:
        raise ValueError("tags: is missing, and loss: iou of class ids needs it; write the list of class names")
    return PositionsKind(
        name="positions",
        outputs=(output.name,),
        inputs=choose_input(options, "mask", layout),
        classes=tags or tuple(str(index) for index in range(width or 0)),
        binary_loss=loss == "any",
        is_cheap=is_small(output),
        is_condensed=True,
        has_confidence=output.kind == "f",
        scales=read_scales(options, Scale.PROBABILITIES if by_threshold else Scale.LOGITS),
        loss=loss,
        class_axis=axis,
        thresholds=read_thresholds(options, "threshold", 1) if by_threshold else {},
        width=width,
        tags=SpanTags.of(tags) if loss == "spans" else None,
        background=next(iter(_read_classes(options, "background", tags, width)), None),
        ignored=_read_classes(options, "ignore", tags, width),
        least=read_choice(options, "confidence", ("mean", "min")) == "min",
    )


def _is_map(tensor: TensorLayout) -> bool:
    return tensor.kind == "f" and len(tensor.shape) > 1


def _is_scores(tensor: TensorLayout) -> bool:
    return len(tensor.shape) > 1 and (
        tensor.kind in {"i", "u"} or (tensor.kind == "f" and len(tensor.shape) >= _SCORES)
    )


def _read_axis(options: Mapping[str, Any], output: TensorLayout) -> int:
    value = options.get("class_axis")
    rank = len(output.shape)
    if value is None:
        return -1
    if not is_number(value) or value != int(value) or not -rank < value < rank or value == 0:
        raise wrong("class_axis", value, f"the axis of the classes in {[*output.shape]}, from 1 to {rank - 1}, or -1")
    return int(value)


def _read_classes(options: Mapping[str, Any], name: str, tags: tuple[str, ...], width: int | None) -> tuple[int, ...]:
    """Classes by their tags or ids: one, or a list."""
    value = options.get(name)
    if value is None:
        return ()
    classes = []
    for each in value if isinstance(value, list | tuple) else [value]:
        if isinstance(each, str) and each in tags:
            classes.append(tags.index(each))
        elif is_number(each) and each == int(each) and 0 <= each < (width or np.inf):
            classes.append(int(each))
        else:
            right = "a class, from 0" + ("" if width is None else f" to {width - 1}") + (", or a tag" if tags else "")
            raise wrong(name, each, right)
    return tuple(classes)
