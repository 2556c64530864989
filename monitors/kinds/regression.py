"""The kind *regression*: numbers, compared by a tolerance, by bands, or by their clipped difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np

from tightrope.monitors.compare import ABSOLUTE_NOISE, RELATIVE_NOISE
from tightrope.monitors.kinds.options import is_number, read_choice, read_number, read_positive, wrong
from tightrope.monitors.kinds.rows import (
    are_comparable,
    as_floats,
    column,
    count_classes,
    faults_of,
    find_matrix,
    pair_faults,
)
from tightrope.monitors.kinds.seam import Compared, DecisionKind, KindReading, PairLayout, TensorLayout
from tightrope.monitors.kinds.traits import KindTraits, choose_output, fixed_width, is_small
from tightrope.monitors.records import Fault, Floats, Role, Tensors

_LOSSES = ("absolute", "relative", "bands", "clipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionKind(KindTraits):
    """One number a row, or several, where the largest loss counts. With b and c the numbers of both models, the loss
    *absolute* is 1 where |c - b| > tolerance, *relative* where |c - b| > tolerance · max(|b|, floor), *bands* where
    the numbers lie in different bands of ``edges``, and *clipped* is min(|c - b| / cap, 1). What FP32 rounds away is
    never beyond a tolerance. The bias of a row is the mean of (c - b) / cap, clipped to [-1, 1].

    >>> layout = PairLayout([], [TensorLayout("price", (-1,), "f")])
    >>> kind = build_regression({"tolerance": 0.3, "cap": 2}, layout)
    >>> read = [kind.read({"price": np.array([price])}, {}, Role.BASELINE, 1) for price in (10.0, 10.4)]
    >>> kind.compare(*read).loss.tolist(), kind.compare(*read).bias.round(2).tolist()
    ([1.0], [0.2])
    """

    loss: str
    tolerance: float
    floor: float
    edges: Floats
    cap: float
    width: int | None
    """The number of numbers a row; None where any will do."""

    def read(self, outputs: Tensors, _inputs: Tensors, _role: Role, rows: int) -> KindReading:
        """Read the numbers of each row."""
        tensor = find_matrix(outputs, self.outputs[0], rows, self.width)
        if tensor is None:
            return KindReading.failed(rows, Fault.OUT_OF_RANGE)
        value = as_floats(tensor)
        fault = faults_of(value)
        value[fault != Fault.NONE] = np.nan
        return KindReading.of(fault, {"value": value})

    def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
        """Compare the numbers of each row."""
        fault = pair_faults(baseline, compressed)
        if not are_comparable(baseline, compressed):
            return Compared.failed(fault, self.watched)
        b, c = column(baseline, "value"), column(compressed, "value")
        with np.errstate(over="ignore"):
            gap = np.abs(c - b)
            known = (
                {} if not self.has_bias else {"bias": np.minimum(np.maximum((c - b) / self.cap, -1), 1).mean(axis=1)}
            )
            loss = self._bands_or_gap(b, c, gap, known)
        return Compared.of(fault, loss, gap.max(axis=1), **known)

    def _bands_or_gap(self, b: Floats, c: Floats, gap: Floats, known: dict[str, Floats]) -> Floats:
        if self.loss == "clipped":
            return np.asarray(np.minimum(gap / self.cap, 1.0).max(axis=1))
        if self.loss == "bands":
            band_b, band_c = (np.searchsorted(self.edges, values, side="right") for values in (b, c))
            if self.watched:
                known |= count_classes(band_b, band_c, np.ones(b.shape, bool), len(self.classes)).by_class()
            return np.asarray((band_b != band_c).any(axis=1), np.float64)
        scale = np.maximum(np.abs(b), self.floor) if self.loss == "relative" else 1.0
        noise = RELATIVE_NOISE * np.maximum(np.abs(b), np.abs(c)) + ABSOLUTE_NOISE
        return np.asarray((gap > np.maximum(self.tolerance * scale, noise)).any(axis=1), np.float64)


def build_regression(options: Mapping[str, Any], layout: PairLayout) -> DecisionKind:
    """Build the kind from ``loss``, ``tolerance``, ``floor``, ``edges`` and ``cap``.

    Raises:
        ValueError: when an option is wrong or missing, or no output has numbers.
    """
    output = choose_output(layout, "regression", "numbers, [rows] or [rows, numbers]", _can_decide)
    loss = read_choice(options, "loss", _LOSSES)
    edges = _read_edges(options) if loss == "bands" else np.zeros(0)
    cap = read_positive(options, "cap", needed_by="loss: clipped" if loss == "clipped" else None)
    return RegressionKind(
        name="regression",
        outputs=(output.name,),
        classes=_band_names(edges) if loss == "bands" else (),
        binary_loss=loss != "clipped",
        is_cheap=is_small(output),
        has_confidence=False,
        has_bias=cap is not None,
        loss=loss,
        tolerance=read_number(options, "tolerance"),
        floor=read_number(options, "floor"),
        edges=edges,
        cap=cap or 1.0,
        width=fixed_width(output),
    )


def _can_decide(tensor: TensorLayout) -> bool:
    return tensor.kind in {"f", "i", "u"} and fixed_width(tensor) != 0


def _read_edges(options: Mapping[str, Any]) -> Floats:
    value = options.get("edges")
    if value is None:
        raise ValueError("edges: is missing, and loss: bands needs it; write the numbers between the bands, [0, 10]")
    numbers = [*value] if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else []
    if not numbers or any(not is_number(each) or not isfinite(each) for each in numbers):
        raise wrong("edges", value, "a list of numbers")
    if any(low >= high for low, high in pairwise(numbers)):
        raise wrong("edges", value, "each number larger than the one before it")
    return np.array(numbers, np.float64)


def _band_names(edges: Floats) -> tuple[str, ...]:
    texts = [f"{edge:g}" if float(f"{edge:g}") == edge else repr(edge) for edge in edges.tolist()]
    between = [f"{low} to {high}" for low, high in pairwise(texts)]
    return (f"below {texts[0]}", *between, f"{texts[-1]} or more")
