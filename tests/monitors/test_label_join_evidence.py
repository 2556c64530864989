"""The evidence of every label monitor, against hand-counted rows and exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from tests.support.judgement import exact_detector
from tests.support.judgement.comparisons import judge_rows, make_plan
from tests.support.judgement.ticks import seeded_evidence
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.detector import BETS
from tightrope.monitors.label_join import labelled_comparisons
from tightrope.monitors.label_records import Label, PendingRow
from tightrope.monitors.records import Stream

ROWS = (
    # confidence of baseline and compressed model (eighths), their classes, the label
    (7, 6, 1, 1, 1),
    (7, 5, 1, 0, 1),
    (4, 7, 0, 1, 1),
    (8, 8, 0, 0, 1),
    (6, 6, 1, 0, 1),
    (5, 7, 1, 0, 0),
    (7, 7, 2, 2, 2),
    (6, 5, 2, 1, 0),
)
TICK = 4

OBSERVED: dict[str, list[list[Fraction]]] = {
    "accuracy": [[Fraction(y) for y in tick] for tick in ([0, 1, -1, 0], [1, -1, 0, 0])],
    "excess_risk": [[Fraction(y) for y in tick] for tick in ([1, -1], [1, -1, 0])],
    "brier": [
        [Fraction(4 - 1, 64), Fraction(25 - 1, 64), Fraction(1 - 16, 64), Fraction(0)],
        [Fraction(36 - 4, 64), Fraction(1 - 25, 64), Fraction(0), Fraction(25 - 36, 64)],
    ],
}
"""By tick: difference of being right; that where the models disagree; and of squared errors, in 64ths."""

TENTHS = {
    6: ([Fraction(5, 8)], [Fraction(5, 8)]),
    7: ([Fraction(-1, 4)], [Fraction(3, 4)]),
    8: ([Fraction(-1, 8)], [Fraction(-1, 8), Fraction(-1, 8)]),
    9: ([Fraction(1)], []),
}
"""By tenth of the compressed model's confidence: that confidence, minus one if it was right, in two ticks."""


def matches() -> list[tuple[PendingRow, Label]]:
    """Pair the rows with their labels."""
    no_subgroups = np.zeros(0, dtype=bool)
    return [
        (
            PendingRow(
                f"r{n}", 0, 0.0, "d1", no_subgroups, 0.0, one != other, baseline / 8, compressed / 8, one, other
            ),
            Label("m", f"r{n}", 0, truth, float(n)),
        )
        for n, (baseline, compressed, one, other, truth) in enumerate(ROWS)
    ]


def evidence(monitor: str) -> list[float]:
    """Return the evidence of the detectors after all rows, by variant."""
    plan = make_plan(monitor, scopes=(), tick_rows=TICK)
    state, transitions = judge_rows(plan, labelled_comparisons(plan, "", matches()), stream=Stream.LABELS)
    assert (transitions, state.seen) == ([], {Stream.COMPARISONS: 0, Stream.LABELS: len(ROWS)})
    return seeded_evidence(plan.rules[0], state.cells[0])[:, 0].tolist()


def bets(monitor: str, *signs: int) -> list[exact_detector.EValue]:
    """Return all bets against the monitor's limit."""
    limit = Fraction(str(CATALOGUE[monitor].limit))
    return [exact_detector.bet(Fraction(str(share)), limit, Fraction(1), sign=sign) for sign in signs for share in BETS]


@pytest.mark.parametrize("monitor", OBSERVED)
def test_one_sided_monitors_bet_on_the_compressed_model_being_worse(monitor: str) -> None:
    """Every tick seeds with all its labels, times the share, with or without observation."""
    seed = Fraction(str(CATALOGUE[monitor].share)) * TICK
    expected = exact_detector.evidence([(seed, observed) for observed in OBSERVED[monitor]], bets(monitor, 1))
    assert evidence(monitor) == [pytest.approx(expected[-1], abs=1e-9)]


def test_calibration_bets_on_both_sides_in_every_tenth() -> None:
    """Each tenth has a tenth of the share, also without rows."""
    seed = Fraction(str(CATALOGUE["calibration"].share)) * TICK / 10
    for tenth, log_mass in enumerate(evidence("calibration")):
        ticks = [(seed, observed) for observed in TENTHS.get(tenth, ([], []))]
        assert log_mass == pytest.approx(exact_detector.evidence(ticks, bets("calibration", 1, -1))[-1], abs=1e-9), (
            tenth
        )
