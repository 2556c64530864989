"""The evidence of every label monitor, against hand-counted rows and exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from tests.support.judgement import exact_detector
from tests.support.judgement.comparisons import fold, plan
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.detector import BETS
from tightrope.monitors.label_join import labelled
from tightrope.monitors.records import Held, Label, Stream

ROWS = (
    # confidence of baseline and compressed (eighths), their classes, the truth
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

SAID: dict[str, list[list[Fraction]]] = {
    "accuracy": [[Fraction(y) for y in tick] for tick in ([0, 1, -1, 0], [1, -1, 0, 0])],
    "excess_risk": [[Fraction(y) for y in tick] for tick in ([1, -1], [1, -1, 0])],
    "brier": [
        [Fraction(4 - 1, 64), Fraction(25 - 1, 64), Fraction(1 - 16, 64), Fraction(0)],
        [Fraction(36 - 4, 64), Fraction(1 - 25, 64), Fraction(0), Fraction(25 - 36, 64)],
    ],
}
"""Tick by tick: who was right; the same where they disagree; and squared errors of confidence, in 64ths."""

TENTHS = {
    6: ([Fraction(5, 8)], [Fraction(5, 8)]),
    7: ([Fraction(-1, 4)], [Fraction(3, 4)]),
    8: ([Fraction(-1, 8)], [Fraction(-1, 8), Fraction(-1, 8)]),
    9: ([Fraction(1)], []),
}
"""By tenth of the compressed model's confidence: that confidence, less one if it was right."""


def joined() -> list[tuple[Held, Label]]:
    """The rows with their labels."""
    nobody = np.zeros(0, dtype=bool)
    return [
        (
            Held(f"r{n}", 0, 0.0, "d1", nobody, 0.0, one != other, sure / 8, unsure / 8, one, other),
            Label("m", f"r{n}", 0, truth, float(n)),
        )
        for n, (sure, unsure, one, other, truth) in enumerate(ROWS)
    ]


def evidence(monitor: str) -> list[float]:
    """What the detectors have after all rows, variant by variant."""
    of = plan(monitor, scopes=(), tick_rows=TICK)
    state, happened = fold(of, labelled(of, "", joined()), stream=Stream.LABELS)
    assert (happened, state.seen) == ([], {Stream.COMPARISONS: 0, Stream.LABELS: len(ROWS)})
    return of.rules[0].alarm.evidence(state.cells[0].log_mass)[:, 0].tolist()


def bets(monitor: str, *signs: int) -> list[exact_detector.EValue]:
    """All bets against the monitor's limit."""
    limit = Fraction(str(CATALOGUE[monitor].limit))
    return [exact_detector.bet(Fraction(str(share)), limit, Fraction(1), sign=sign) for sign in signs for share in BETS]


@pytest.mark.parametrize("monitor", SAID)
def test_one_sided_monitors_bet_on_the_compressed_model_being_worse(monitor: str) -> None:
    """Every tick seeds with its labels, times the share, whether or not they speak to the question."""
    seed = Fraction(str(CATALOGUE[monitor].share)) * TICK
    expected = exact_detector.evidence([(seed, said) for said in SAID[monitor]], bets(monitor, 1))
    assert evidence(monitor) == [pytest.approx(expected[-1], abs=1e-9)]


def test_calibration_bets_on_both_sides_in_every_tenth() -> None:
    """Each has a tenth of the share, also those that no row belongs to."""
    seed = Fraction(str(CATALOGUE["calibration"].share)) * TICK / 10
    for tenth, found in enumerate(evidence("calibration")):
        ticks = [(seed, said) for said in TENTHS.get(tenth, ([], []))]
        assert found == pytest.approx(exact_detector.evidence(ticks, bets("calibration", 1, -1))[-1], abs=1e-9), tenth
