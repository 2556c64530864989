"""Read the scores of places: the decision at each place, and how certain it is. Arrays are (n, places)."""

from dataclasses import dataclass
from math import log, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.compare import ROUNDING, Scale
from tightrope.monitors.kinds.rows import (
    Faults,
    as_matrix,
    exceeds,
    faults_of,
    label_entropy,
)
from tightrope.monitors.kinds.rows import read_probabilities as read_labels
from tightrope.monitors.kinds.seam import KindReading
from tightrope.monitors.records import Bools, Fault, Floats

DROPPED = -1
"""The id of a place that is not kept."""

_FEW_CLASSES = 64
"""The largest number of classes whose scores are rearranged class by class."""

_BLOCK = 2**16
"""The number of scores that are read at once."""

_LEAST_POWER = -745.0
"""The natural logarithm of the smallest float64; powers below it are 0."""


@dataclass(frozen=True, slots=True)
class Places:
    """The class, the probability of that class and the entropy in nats at each place; ``kept`` is None where all count.
    Without scores, the last two are None.

    >>> places = Places(np.zeros(1, np.int8), np.array([[1, 0]]), np.array([[True, False]]), None, None, 2)
    >>> places.reading(least=False).columns["ids"].tolist()
    [[1, -1]]
    """

    fault: Faults
    ids: NDArray[Any]
    kept: Bools | None
    sure: Floats | None
    entropy: Floats | None
    classes: int

    def reading(self, *, least: bool) -> KindReading:
        """Reduce the places to figures a row: means over the kept places, or the least certain one."""
        ids = np.array(self.ids, _narrowest(self.classes))
        kept = np.broadcast_to(self.fault[:, None] == Fault.NONE, ids.shape)
        kept = kept if self.kept is None else kept & self.kept
        ids[~kept] = DROPPED
        if self.sure is None or self.entropy is None:
            return KindReading.of(self.fault, {"ids": ids})
        counts = kept.sum(axis=1)
        with np.errstate(invalid="ignore"):
            entropy = np.where(kept, self.entropy, 0.0).sum(axis=1) / counts
            sure = np.where(kept, self.sure, 0.0).sum(axis=1) / counts
        if least:
            sure = np.where(counts > 0, np.where(kept, self.sure, 1.0).min(axis=1, initial=1.0), np.nan)
        return KindReading.of(
            self.fault,
            {"ids": ids},
            confidence=np.minimum(sure, 1.0),
            uncertainty=np.minimum(entropy / log(self.classes), 1.0),
            entropy=entropy,
        )


def _narrowest(classes: int) -> type[np.signedinteger[Any]]:
    fitting = [dtype for dtype in (np.int8, np.int16) if classes <= np.iinfo(dtype).max]
    return fitting[0] if fitting else np.int32


def _precise(tensor: NDArray[Any]) -> Any:  # noqa: ANN401 - a datatype that mypy takes for one of its two values
    """The datatype of figures a place: float64 where the output is that precise, else float32, for images are large."""
    return np.float32 if tensor.dtype in {np.float16, np.float32} else np.float64


def read_yes(tensor: NDArray[Any], kept: Bools | None, threshold: Floats, scale: Scale) -> Places | None:
    """Read one probability or logit a place; None where the mask has another number of places."""
    matrix = as_matrix(tensor)
    if kept is not None and kept.shape != matrix.shape:
        return None
    values = np.asarray(matrix, _precise(matrix))
    p, fault = read_labels(values if kept is None else np.where(kept, values, 0.0), scale)
    yes = exceeds(matrix, p, threshold, scale)
    return Places(fault, yes.view(np.int8), kept, np.abs(p - ~yes), label_entropy(p), 2)


def read_ids(tensor: NDArray[Any], kept: Bools | None, classes: int | None) -> Places | None:
    """Read the id of a class a place; an id without a class is a fault of its row."""
    ids = as_matrix(tensor)
    if kept is not None and kept.shape != ids.shape:
        return None
    most = np.iinfo(np.int32).max if classes is None else classes
    outside = (ids < 0) | (ids >= most) if kept is None else kept & ((ids < 0) | (ids >= most))
    fault = np.where(outside.any(axis=1), np.int8(Fault.OUT_OF_RANGE), np.int8(Fault.NONE))
    return Places(fault, np.where(outside, 0, ids), kept, None, None, most)


def read_classes(tensor: NDArray[Any], kept: Bools | None, axis: int, scale: Scale) -> Places | None:
    """Read a score a class and place, with the classes on ``axis``; ties go to the lower class."""
    rows, classes = len(tensor), tensor.shape[axis]
    before, after = prod(tensor.shape[1:axis]), prod(tensor.shape[axis + 1 :])
    shape = rows, before * after
    if classes < 2 or (kept is not None and kept.shape != shape):  # noqa: PLR2004 - nothing to decide
        return None
    most = max(_BLOCK // max(prod(tensor.shape[1:]), 1), 1)
    if rows > most:
        blocks = [slice(start, start + most) for start in range(0, rows, most)]
        parts = [read_classes(tensor[block], None if kept is None else kept[block], axis, scale) for block in blocks]
        return _join([part for part in parts if part is not None], kept)
    scores = tensor.reshape(rows, before, classes, after)
    if after == 1 and classes <= _FEW_CLASSES:
        scores, before, after = scores.transpose(0, 3, 2, 1), 1, before
    values = np.ascontiguousarray(scores, _precise(tensor))
    inside = np.ones((1, 1, 1, 1), bool) if kept is None else kept.reshape(rows, before, 1, after)
    if not inside.all():
        values = np.where(inside, values, 0.0)
    fault = faults_of(values.reshape(rows, classes * before * after))
    if fault.any():
        values = np.where((fault == Fault.NONE)[:, None, None, None], values, 0.0)
    ids = _largest(values)
    sure, entropy = _blockwise(values) if scale is Scale.LOGITS else _certainty(values, inside, fault)
    return Places(fault, ids.reshape(shape), kept, sure.reshape(shape), entropy.reshape(shape), classes)


def _join(parts: list[Places], kept: Bools | None) -> Places:
    columns: Any = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("fault", "ids", "sure", "entropy")
    )
    fault, ids, sure, entropy = columns
    return Places(fault, ids, kept, sure, entropy, parts[0].classes)


def _largest(values: Floats) -> NDArray[Any]:
    """The class of the largest value, (n, 1, C, places) or alike; few classes are compared one plane after the other,
    because numpy's own search along a short axis is slow.
    """
    if values.shape[2] > _FEW_CLASSES:
        return np.asarray(values.argmax(axis=2))
    best = values[:, :, 0].copy()
    ids = np.zeros(best.shape, np.int8)
    for index in range(1, values.shape[2]):
        plane = values[:, :, index]
        np.maximum(ids, (plane > best).view(np.int8) * np.int8(index), out=ids)  # a mask would be slower to assign by
        np.maximum(best, plane, out=best)
    return ids


def _blockwise(values: Floats) -> tuple[Floats, Floats]:
    """`_certainty_of_logits` in blocks of places that fit the processor's cache."""
    rows, before, classes, after = values.shape
    if values.size <= _BLOCK:
        return _certainty_of_logits(values)
    sure, entropy = (np.empty((rows, before, after), values.dtype) for _ in range(2))
    width = max(_BLOCK // (before * classes), 1)
    for start in range(0, after, width):
        part = slice(None), slice(None), slice(start, start + width)
        sure[part], entropy[part] = _certainty_of_logits(values[..., start : start + width])
    return sure, entropy


def _certainty_of_logits(values: Floats) -> tuple[Floats, Floats]:
    """The largest probability, and the entropy, of the distributions on axis 2."""
    with np.errstate(over="ignore"):
        gaps = values - values.max(axis=2, keepdims=True)
    np.maximum(gaps, _LEAST_POWER, out=gaps)
    powers = np.exp(gaps)
    total = powers.sum(axis=2)
    gaps *= powers
    return 1 / total, np.maximum(np.log(total) - gaps.sum(axis=2) / total, 0.0)


def _certainty(values: Floats, inside: Bools, fault: Faults) -> tuple[Floats, Floats]:
    """`_certainty_of_logits` for probabilities; rows with a kept place that has none are marked in ``fault``."""
    total = values.sum(axis=2, keepdims=True)
    least, most = values.min(axis=2, keepdims=True), values.max(axis=2, keepdims=True)
    wrong = (least < -ROUNDING) | (most > 1 + ROUNDING) | (np.abs(total - 1) > ROUNDING)
    faulty = (wrong & inside).any(axis=(1, 2, 3))
    fault[faulty & (fault == Fault.NONE)] = Fault.OUT_OF_RANGE
    p = np.maximum(values, 0.0)
    total = p.sum(axis=2, keepdims=True)
    p /= np.where(total > 0, total, 1.0)
    return p.max(axis=2), np.abs((p * np.log(np.maximum(p, np.finfo(p.dtype).tiny))).sum(axis=2))
