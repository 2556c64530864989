"""The kind *embedding*: a vector a row, compared by its direction or by its nearest neighbours among fixed anchors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.kinds.classes import first_classes
from tightrope.monitors.kinds.options import by_role, read_choice, read_count, read_number, wrong
from tightrope.monitors.kinds.rows import (
    are_comparable,
    as_floats,
    as_matrix,
    column,
    faults_of,
    find_rows,
    pair_faults,
)
from tightrope.monitors.kinds.seam import Compared, DecisionKind, KindReading, PairLayout, TensorLayout
from tightrope.monitors.kinds.traits import KindTraits, choose_input, choose_output, is_small, sides
from tightrope.monitors.records import Bools, Fault, Floats, Ints, Role, Tensors

_LOSSES = ("angular", "cosine", "beyond", "neighbours")
_POOLS = ("none", "mean", "cls")
_NEIGHBOURS = 10
_TOKENS = 3
"""Dimensions of an output of a vector a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingKind(KindTraits):
    """A vector a row, or the pooled vectors of its tokens. The loss *angular* is the angle between the two vectors over
    π, *cosine* is (1 - cos) / 2, *beyond* is 1 where 1 - cos > tolerance, and *neighbours* is the share of the ``k``
    nearest anchors that the two models do not share. Two zero vectors are alike, and one is as far as can be from any
    other vector. With anchors, the confidence is (1 + cos) / 2 of the nearest one.

    >>> kind = build_embedding({}, PairLayout([], [TensorLayout("e", (-1, 3), "f")]))
    >>> rows = np.array([[1.0, 2.0, 2.0]]), np.array([[2.0, 1.0, 2.0]])
    >>> compared = kind.compare(*(kind.read({"e": e}, {}, Role.BASELINE, 1) for e in rows))
    >>> compared.loss.round(6).tolist(), compared.distance.round(6).tolist()
    ([0.151478], [0.111111])
    """

    loss: str
    tolerance: float
    pool: str
    anchors: Mapping[Role, Floats]
    """Vectors of length 1 (or 0) by role, (anchors, width); empty without anchors."""
    k: int

    def read(self, outputs: Tensors, inputs: Tensors, role: Role, rows: int) -> KindReading:
        """Read the direction of each row's vector, or its nearest anchors."""
        tensor = find_rows(outputs, self.outputs[0], rows)
        mask = find_rows(inputs, self.inputs[0], rows) if self.inputs else None
        if tensor is None or (self.inputs and mask is None):
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        vectors = as_floats(as_matrix(tensor)) if self.pool == "none" else pool_tokens(tensor, mask, self.pool)
        anchors = self.anchors.get(role)
        if vectors is None or not vectors.shape[1] or (anchors is not None and anchors.shape[1] != vectors.shape[1]):
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        silent = np.zeros(rows, bool) if mask is None else np.asarray(~(as_matrix(mask) > 0).any(axis=1))
        return self._read_vectors(vectors, anchors, silent)

    def _read_vectors(self, vectors: Floats, anchors: Floats | None, silent: Bools) -> KindReading:
        """Read vectors; a silent row has no kept token, and does not speak."""
        fault = faults_of(vectors)
        fault[silent] = Fault.NONE
        vectors[(fault != Fault.NONE) | silent] = np.nan
        units = unit_vectors(vectors)
        if anchors is None:
            return KindReading.of(fault, {"unit": units})
        nearest, cosine = nearest_anchors(units, anchors, self.k)
        sure = (1 + cosine) / 2
        kept: dict[str, NDArray[Any]] = {"unit": units}
        if self.loss == "neighbours":
            nearest[silent] = -1
            kept = {"nearest": nearest}
        return KindReading.of(fault, kept, confidence=sure, uncertainty=1 - sure)

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare the vectors of each row; the distance is 1 - cos, or the share of neighbours that differ."""
        fault = pair_faults(baseline, compressed)
        if not are_comparable(baseline, compressed):
            return Compared.failed(fault)
        if self.loss == "neighbours":
            b, c = column(baseline, "nearest"), column(compressed, "nearest")
            shared = (b[:, :, None] == c[:, None, :]).sum(axis=(1, 2))
            loss = np.where(b[:, 0] < 0, np.nan, 1 - shared / self.k)
            return Compared.of(fault, loss, loss)
        chord, sum_length = chords(column(baseline, "unit"), column(compressed, "unit"))
        gap = np.minimum(chord**2 / 2, 2.0)
        if self.loss == "angular":
            loss = 2 / np.pi * np.arctan2(chord, sum_length)
        elif self.loss == "cosine":
            loss = gap / 2
        else:
            loss = np.where(np.isnan(gap), np.nan, gap > self.tolerance)
        return Compared.of(fault, np.minimum(loss, 1.0), gap)


def pool_tokens(tensor: NDArray[Any], mask: NDArray[Any] | None, pool: str) -> Floats | None:
    """The vectors of each row's tokens (n, tokens, width) as one: their mean by the weights of the mask, or the first.
    A row without a kept token has NaN. None where the shapes do not fit.

    >>> pool_tokens(np.array([[[1, 2], [3, 4], [9, 9]]]), np.array([[1, 1, 0]]), "mean").tolist()
    [[2.0, 3.0]]
    """
    if tensor.ndim != _TOKENS or not tensor.shape[1]:
        return None
    if pool == "cls":
        return as_floats(tensor[:, 0])
    if mask is None:
        return np.asarray(as_floats(tensor).mean(axis=1))
    weights = as_floats(as_matrix(mask))
    if weights.shape != tensor.shape[:2]:
        return None
    weights = np.where(weights > 0, weights, 0.0)[:, :, None]
    total = weights.sum(axis=1)
    summed = np.where(weights > 0, tensor, 0.0) * weights
    return np.asarray(summed.sum(axis=1) / np.where(total > 0, total, np.nan))


def unit_vectors(vectors: Floats) -> Floats:
    """Vectors (n, width) at length 1; a zero vector stays zero, and NaN stays NaN.

    >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0], [3e200, 4e200]])).tolist()
    [[0.6, 0.8], [0.0, 0.0], [0.6, 0.8]]
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = vectors / np.where(largest == 0, 1.0, largest)
    length = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
    return np.asarray(scaled / np.where(length == 0, 1.0, length))


def chords(b: Floats, c: Floats) -> tuple[Floats, Floats]:
    """The lengths of c - b and of c + b, of unit vectors (n, width): 0 and 2 for equal ones, 2 and 0 for opposite ones.
    Rounding near equal vectors is that of c - b, not that of a cosine near 1.
    """
    chord = np.sqrt(((c - b) ** 2).sum(axis=1))
    total = np.sqrt(((c + b) ** 2).sum(axis=1))
    single = (b == 0).all(axis=1) != (c == 0).all(axis=1)
    nothing = (b == 0).all(axis=1) & (c == 0).all(axis=1)
    chord = np.where(single, 2.0, chord)
    return chord, np.where(single, 0.0, np.where(nothing, 2.0, total))


def nearest_anchors(units: Floats, anchors: Floats, k: int) -> tuple[Ints, Floats]:
    """The k anchors nearest to each row (n, k), ascending, and the nearest's cosine; ties go to the lower index."""
    cosines = np.matmul(anchors, units[:, :, None])[:, :, 0]
    zero_row, zero_anchor = (units == 0).all(axis=1)[:, None], (anchors == 0).all(axis=1)
    if zero_row.any() or zero_anchor.any():
        cosines = np.where(zero_row & zero_anchor, 1.0, np.where(zero_row | zero_anchor, -1.0, cosines))
    cosines = np.minimum(np.maximum(cosines, -1.0), 1.0)
    return first_classes(cosines, ~np.isnan(cosines[:, 0]), k), cosines.max(axis=1)


def build_embedding(options: Mapping[str, Any], layout: PairLayout) -> DecisionKind:
    """Build the kind from ``loss``, ``tolerance``, ``pool``, ``mask``, ``anchors`` (an array, or one a role) and ``k``.

    Raises:
        ValueError: when an option is wrong or missing, or no output has vectors.
    """
    pool = read_choice(options, "pool", _POOLS)
    tokens = pool != "none"
    wanted = "a vector a token, [rows, tokens, numbers]" if tokens else "a vector a row, [rows, numbers]"
    output = choose_output(layout, "embedding", wanted, _has_tokens if tokens else _has_vectors)
    if options.get("mask") is not None and pool != "mean":
        raise wrong("mask", options["mask"], "pool: mean beside it, or leave mask out")
    loss = read_choice(options, "loss", _LOSSES)
    anchors = _read_anchors(options, output.shape[-1])
    if loss == "neighbours" and not anchors:
        raise ValueError("anchors: is missing, and loss: neighbours needs it; write a file of vectors, anchors.npy")
    most = len(anchors[Role.BASELINE]) - (loss == "neighbours") if anchors else None
    if most == 0:
        raise ValueError("anchors: has 1 vector, which is always the nearest; write more of them")
    return EmbeddingKind(
        name="embedding",
        outputs=(output.name,),
        inputs=choose_input(options, "mask", layout),
        binary_loss=loss == "beyond",
        is_cheap=not anchors and is_small(output),
        is_condensed=tokens or loss == "neighbours",
        has_confidence=bool(anchors),
        loss=loss,
        tolerance=read_number(options, "tolerance", 0.05),
        pool=pool,
        anchors=anchors,
        k=read_count(options, "k", min(_NEIGHBOURS, most or _NEIGHBOURS), most=most),
    )


def _has_vectors(tensor: TensorLayout) -> bool:
    return tensor.kind == "f" and len(sides(tensor)) == 1


def _has_tokens(tensor: TensorLayout) -> bool:
    return tensor.kind == "f" and len(tensor.shape) == _TOKENS


def _read_anchors(options: Mapping[str, Any], width: int) -> dict[Role, Floats]:
    """Anchors by role at length 1, as many of each role: the same texts or images through both models."""
    value = options.get("anchors")
    if value is None:
        return {}
    anchors = {role: _unit_anchors(each) for role, each in by_role("anchors", value, "an array").items()}
    baseline, compressed = anchors[Role.BASELINE], anchors[Role.COMPRESSED]
    if len(baseline) != len(compressed):
        counts = f"{len(baseline)} vectors for baseline and {len(compressed)} for compressed"
        raise ValueError(f"anchors: has {counts}; write the vectors that both models give the same rows")
    if width not in {-1, baseline.shape[1]}:
        raise ValueError(f"anchors: has {baseline.shape[1]} numbers a vector; write {width} numbers, as the output has")
    return anchors


def _unit_anchors(value: object) -> Floats:
    try:
        vectors = np.array(value, np.float64)
    except (TypeError, ValueError):
        vectors = np.zeros(0)
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():  # noqa: PLR2004 - vectors and numbers
        raise wrong("anchors", _shown(value), "an array of finite vectors, [anchors, numbers]")
    return unit_vectors(vectors)


def _shown(value: object) -> object:
    return f"array of shape {[*value.shape]}" if isinstance(value, np.ndarray) else value
