"""The finding for one output of a model, from runs of made-up rows alone and together."""

from collections.abc import Mapping

import numpy as np

from tightrope.service.inference.batchability import Proof, RowFinding
from tightrope.service.protocol.tensors import Tensor

OWN_SHARE = 4.0
"""A row's place must be this many times closer to the row alone than another row's answer is."""

RELATIVE, ABSOLUTE = 1e-6, 1e-7
"""Rounding, within which the answers beside two neighbours are equal."""

NO_AXIS = "no axis of it is the rows"
"""The start of the reason of a finding that an output has no rows."""

REQUEST_IS_ROW = "a request is a row (rows: request)"
"""The reason why requests that are rows never share a run."""

WRONG_ORDER = "the answers of a run are not those of its rows, in their order"
"""The reason of a finding that disproves an axis of the rows."""


def finding_of(
    a: Tensor, b: Tensor, aa: Tensor, bb: Tensor, ab: Tensor, ba: Tensor, ac: Tensor, ca: Tensor, aab: Tensor
) -> RowFinding:
    """The finding for one output, from what it holds in each run."""
    outputs = {1: (a, b), 2: (aa, bb, ab, ba, ac, ca), 3: (aab,)}
    axis = _row_axis({rows: {output.shape for output in found} for rows, found in outputs.items()})
    if axis is None:
        shapes = ", ".join(f"{rows} gave the shape {list(found[0].shape)}" for rows, found in outputs.items())
        return RowFinding(Proof.DISPROVED, f"{NO_AXIS}: {shapes}")
    return _finding_of_rows(axis, *(np.moveaxis(output, axis, 0) for output in (a, b, aa, bb, ab, ba, ac, ca, aab)))


def _row_axis(shapes: Mapping[int, set[tuple[int, ...]]]) -> int | None:
    """The axis whose length is the number of rows, where all other sides stay, in shapes by their rows."""
    one = next(iter(shapes[1]))
    for axis, length in enumerate(one):
        if length == 1 and all(found == {(*one[:axis], rows, *one[axis + 1 :])} for rows, found in shapes.items()):
            return axis
    return None


def _finding_of_rows(
    axis: int, a: Tensor, b: Tensor, aa: Tensor, bb: Tensor, ab: Tensor, ba: Tensor, ac: Tensor, ca: Tensor, aab: Tensor
) -> RowFinding:
    """The finding for an output whose rows are on this axis, from what it holds in each run, rows first."""
    if not (np.size(a) and holds_numbers(a) and holds_numbers(b)):
        return RowFinding(Proof.UNKNOWN, "made-up rows get no finite numbers", axis)
    beside = ((ab[0], ac[0]), (ab[0], aa[0]), (ba[1], ca[1]), (ba[0], bb[0]), (ab[1], bb[1]))
    if not all(_equal(one, other) for one, other in beside):
        return RowFinding(Proof.DISPROVED, "a row's answer depends on the other rows of its run", axis)
    apart = distance_of(a[0], b[0])
    if not apart or distance_of(aa[0], a[0]) > apart / OWN_SHARE:
        return RowFinding(Proof.UNKNOWN, "made-up rows all get the same answer", axis)
    served = ((ab[0], a), (ab[1], b), (ba[0], b), (ba[1], a), (aab[0], a), (aab[1], a), (aab[2], b))
    noise = max(distance_of(row, alone[0]) for row, alone in served)
    if not noise <= apart / OWN_SHARE:
        return RowFinding(Proof.DISPROVED, WRONG_ORDER, axis)
    return RowFinding(Proof.PROVEN, axis=axis, noise=noise if a.dtype.kind == "f" else 0.0)


def has_no_rows(finding: RowFinding | None) -> bool:
    """Whether runs showed that an output has no axis of rows, here or in the process of a trial."""
    if finding is None or finding.error:
        return False
    no_axis = finding.axis is None and (finding.entries is not None or finding.reason.startswith(NO_AXIS))
    return no_axis or finding.reason == REQUEST_IS_ROW


def holds_numbers(output: Tensor) -> bool:
    """Whether no number of an output is NaN or infinite."""
    return output.dtype.kind != "f" or bool(np.isfinite(output).all())


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two answers are equal up to rounding."""
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    x, y = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(x - y) <= RELATIVE * np.maximum(np.abs(x), np.abs(y)) + ABSOLUTE))


def distance_of(one: Tensor, other: Tensor) -> float:
    """The largest difference of two answers, or the share of their entries that differ; infinite for NaN."""
    if one.shape != other.shape or not one.size:
        return float(one.shape != other.shape)
    if one.dtype.kind != "f":
        return float(np.mean(one != other))
    with np.errstate(invalid="ignore"):
        distance = float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())
    return distance if distance == distance else float("inf")  # noqa: PLR0124 - NaN differs from itself
