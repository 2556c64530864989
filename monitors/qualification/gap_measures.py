"""How far apart two models' answers to a row are, as one number that a search can climb on, for each kind of decision.

A probability is apart by its difference, and a number by its difference in tolerances; a kind whose loss lies anywhere
between 0 and 1 is apart by its loss. A kind whose answers are only equal or not has no gap: a search has nothing to
climb on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tightrope.monitors.compare import Decision, Reading, Scale
from tightrope.monitors.kinds.embedding import EmbeddingKind
from tightrope.monitors.kinds.positions import PositionsKind
from tightrope.monitors.kinds.regression import RegressionKind
from tightrope.monitors.kinds.rows import column
from tightrope.monitors.kinds.seam import DecisionKind, KindReading
from tightrope.monitors.records import Floats

FOUND_GAP = 0.3
"""The gap of a probability, or of a loss in [0, 1], that counts as found."""

FOUND_TOLERANCES = 3.0
"""The gap in tolerances that counts as found: one alone is a disagreement, and good models have some."""

NO_TOLERANCE = "decision.tolerance is 0, and a gap is counted in tolerances"

_PROBABILITIES = ("values", "p")
"""The columns of readings that hold probabilities, of the kinds that have them."""

GapsOfRows: TypeAlias = Callable[[KindReading, KindReading], Floats]


@dataclass(frozen=True, slots=True)
class GapMeasure:
    """The gaps of n rows, (n,) from 0, by the readings of the baseline and of the compressed model; one of at least
    ``found`` counts as found. ``unit`` follows that number in a sentence; empty for probabilities.

    >>> measure = plain_gap(Decision(Scale.REGRESSION, tolerance=0.5))
    >>> readings = [plain_reading(Reading(np.array([[value]]), np.zeros(1, np.int8))) for value in (1.0, 3.0)]
    >>> measure.gaps(*readings).tolist(), measure.found, measure.unit
    ([4.0], 3.0, 'tolerances')
    """

    gaps: GapsOfRows
    found: float = FOUND_GAP
    unit: str = ""


def plain_reading(reading: Reading) -> KindReading:
    """The reading of a decision without a kind, as one with a column of values."""
    return KindReading.of(reading.fault, {"values": reading.values})


def plain_gap(decision: Decision) -> GapMeasure | str:
    """The measure of a decision without a kind, or why it has no gap."""
    if Scale.REGRESSION not in decision.scales.values():
        return GapMeasure(_largest_difference("values"))
    if not decision.tolerance:
        return NO_TOLERANCE
    return _in_tolerances(_largest_difference("values"), decision.tolerance)


def gap_of_kind(kind: DecisionKind) -> GapMeasure | str:
    """The measure of a kind, or why it has no gap."""
    if kind.name in {"classes", "binary", "multilabel"}:
        return GapMeasure(_gap_of_probabilities)
    if not kind.binary_loss:
        return GapMeasure(_loss(kind), unit="in the loss")
    if isinstance(kind, RegressionKind):
        return _regression_gap(kind)
    if isinstance(kind, EmbeddingKind):
        return _in_tolerances(_distance(kind), kind.tolerance) if kind.tolerance else NO_TOLERANCE
    if isinstance(kind, PositionsKind):
        return GapMeasure(_distance(kind), unit="of the places")
    return f"two answers of kind {kind.name} differ or do not, and nothing between"


def _regression_gap(kind: RegressionKind) -> GapMeasure | str:
    if kind.loss == "bands":
        if not kind.has_bias:
            return "decision.cap is not written, and bands have no unit of their own"
        difference = _largest_difference("value")
        return GapMeasure(lambda b, c: np.minimum(difference(b, c) / kind.cap, 1.0), unit="of decision.cap")
    if not kind.tolerance:
        return NO_TOLERANCE
    if kind.loss == "absolute":
        return _in_tolerances(_largest_difference("value"), kind.tolerance)
    if not kind.floor:
        return "decision.floor is not written, and a relative gap has no bound near 0"

    def relative(baseline: KindReading, compressed: KindReading) -> Floats:
        b, c = column(baseline, "value"), column(compressed, "value")
        return np.asarray((np.abs(c - b) / np.maximum(np.abs(b), kind.floor)).max(axis=1))

    return _in_tolerances(relative, kind.tolerance)


def _in_tolerances(gaps: GapsOfRows, tolerance: float) -> GapMeasure:
    return GapMeasure(lambda b, c: gaps(b, c) / tolerance, FOUND_TOLERANCES, "tolerances")


def _largest_difference(name: str) -> GapsOfRows:
    """The largest difference in a row of a column (n, k)."""
    return lambda b, c: np.asarray(np.abs(column(b, name) - column(c, name)).max(axis=1))


def _gap_of_probabilities(baseline: KindReading, compressed: KindReading) -> Floats:
    """The largest difference of a probability, (n,), from a column of one or of several a row."""
    name = next(each for each in _PROBABILITIES if each in baseline.columns)
    difference = np.abs(column(baseline, name) - column(compressed, name))
    return np.asarray(difference.reshape(len(difference), -1).max(axis=1))


def _distance(kind: DecisionKind) -> GapsOfRows:
    """The kind's distance; 0 for a row that does not speak."""
    return lambda b, c: np.nan_to_num(kind.compare(b, c).distance)


def _loss(kind: DecisionKind) -> GapsOfRows:
    """The kind's loss; 0 for a row that does not speak."""
    return lambda b, c: np.nan_to_num(kind.compare(b, c).loss)
