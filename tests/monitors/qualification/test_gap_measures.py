from typing import Any

import numpy as np
import pytest

from tests.support.kind_samples import layout, read
from tightrope.monitors.compare import Decision, Reading, Scale
from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.kinds.seam import PairLayout
from tightrope.monitors.kinds.traits import KindTraits
from tightrope.monitors.qualification.gap_measures import (
    FOUND_GAP,
    FOUND_TOLERANCES,
    NO_TOLERANCE,
    GapMeasure,
    gap_of_kind,
    plain_gap,
    plain_reading,
)

UNLIKE = [[0.0, 0.0], [0.0, 4.0]]


@pytest.mark.parametrize(
    ("kind", "options", "shape", "rows", "gap", "found", "unit"),
    [
        ("classes", {}, (3,), ([[0.5, 0.3, 0.2]], [[0.1, 0.5, 0.4]]), 0.4, FOUND_GAP, ""),
        ("binary", {}, (1,), ([[0.9]], [[0.2]]), 0.7, FOUND_GAP, ""),
        ("multilabel", {}, (2,), ([[0.9, 0.1]], [[0.8, 0.6]]), 0.5, FOUND_GAP, ""),
        ("regression", {"tolerance": 0.5}, (1,), ([[1.0]], [[3.0]]), 4.0, FOUND_TOLERANCES, "tolerances"),
        (
            "regression",
            {"loss": "relative", "tolerance": 0.1, "floor": 10.0},
            (2,),
            ([[1.0, 40.0]], [[2.0, 48.0]]),
            2.0,
            FOUND_TOLERANCES,
            "tolerances",
        ),
        (
            "regression",
            {"loss": "bands", "edges": [0], "cap": 8},
            (1,),
            ([[1.0]], [[-1.0]]),
            0.25,
            0.3,
            "of decision.cap",
        ),
        ("regression", {"loss": "clipped", "cap": 8}, (1,), ([[1.0]], [[3.0]]), 0.25, 0.3, "in the loss"),
        ("embedding", {"loss": "cosine"}, (2,), ([[1.0, 0.0]], [[0.0, 1.0]]), 0.5, 0.3, "in the loss"),
        ("embedding", {"loss": "beyond", "tolerance": 0.5}, (2,), ([[1.0, 0.0]], [[0.0, 1.0]]), 2.0, 3.0, "tolerances"),
        ("positions", {"scale": "logits"}, (2, 2), ([UNLIKE], [UNLIKE[::-1]]), 1.0, 0.3, "in the loss"),
        ("positions", {"loss": "any"}, (2, 2), ([UNLIKE], [[[0.0, 0.0]] * 2]), 0.5, 0.3, "of the places"),
    ],
)
def test_gap_is_a_number_that_grows_with_the_difference(
    kind: str,
    options: dict[str, Any],
    shape: tuple[int, ...],
    rows: tuple[object, object],
    gap: float,
    found: float,
    unit: str,
) -> None:
    """Each kind counts it as its loss is meant; equal answers have none."""
    built = KINDS[kind](options, layout(*shape))
    measure = gap_of_kind(built)
    assert isinstance(measure, GapMeasure)
    readings = [read(built, each) for each in rows]
    assert measure.gaps(*readings).tolist() == pytest.approx([gap])
    assert measure.gaps(readings[0], readings[0]).tolist() == [0.0]
    assert (measure.found, measure.unit) == (found, unit)


@pytest.mark.parametrize(
    ("kind", "options", "tensors", "reason"),
    [
        ("labels", {}, layout(kind="i"), "two answers of kind labels differ or do not, and nothing between"),
        ("regression", {}, layout(1), NO_TOLERANCE),
        (
            "regression",
            {"loss": "relative", "tolerance": 0.1},
            layout(1),
            "decision.floor is not written, and a relative",
        ),
        ("regression", {"loss": "bands", "edges": [0]}, layout(1), "decision.cap is not written, and bands have"),
        ("embedding", {"loss": "beyond", "tolerance": 0}, layout(2), NO_TOLERANCE),
    ],
)
def test_decision_without_a_gap_says_why(kind: str, options: dict[str, Any], tensors: PairLayout, reason: str) -> None:
    """Nothing is skipped in silence."""
    found = gap_of_kind(KINDS[kind](options, tensors))
    assert isinstance(found, str)
    assert found.startswith(reason)


def test_kind_of_a_package_is_measured_by_its_loss() -> None:
    """If that lies anywhere between 0 and 1."""
    traits = {"name": "own", "outputs": ("y",)}
    assert isinstance(gap_of_kind(KindTraits(**traits)), GapMeasure)  # type: ignore[arg-type]
    assert gap_of_kind(KindTraits(**traits, binary_loss=True)) == (  # type: ignore[arg-type]
        "two answers of kind own differ or do not, and nothing between"
    )


def test_plain_decisions_have_gaps() -> None:
    """Probabilities, and numbers with a tolerance."""
    readings = [plain_reading(Reading(np.array([row]), np.zeros(1, np.int8))) for row in ([0.9, 0.1], [0.2, 0.8])]
    measure = plain_gap(Decision(Scale.LOGITS))
    assert isinstance(measure, GapMeasure)
    assert measure.gaps(*readings).tolist() == pytest.approx([0.7])
    assert plain_gap(Decision(Scale.REGRESSION)) == NO_TOLERANCE
