"""What the gateway sees at a glance is what the shadow reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tightrope.monitors.answer_summary import FEW, Glance, glance
from tightrope.monitors.compare import Decision, Refusal, Scale, Score, certainty, confidence, entropy, read, refused
from tightrope.monitors.records import Fault, Role

UNIT = st.floats(0, 1, width=32)
ROLE = Role.COMPRESSED


def decision(scale: Scale, score: Score) -> Decision:
    """Refuses about half of what there is."""
    threshold = {Score.MAX_PROBABILITY: 0.6, Score.MARGIN: 0.3, Score.ENTROPY: 0.6}[score]
    return Decision(scale, Refusal(score, dict.fromkeys(Role, threshold)))


@given(
    rows=arrays.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, FEW + 2)), elements=UNIT),
    score=st.sampled_from(Score),
    scale=st.sampled_from([Scale.PROBABILITIES, Scale.LOGITS]),
    sums=st.booleans(),
)
def test_glance_agrees_with_the_reading(rows: np.ndarray, score: Score, scale: Scale, *, sums: bool) -> None:  # type: ignore[type-arg]
    """Faults and refusals alike, figures up to rounding; one row of a few classes goes another way than all others."""
    if sums and rows.shape[1] > 1:
        rows = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-30)
    how = decision(scale, score)
    seen, reading = glance(rows, how, ROLE), read(rows, scale)
    assert list(seen.fault) == reading.fault.tolist()
    sound = reading.fault == Fault.NONE
    assert np.array(seen.confidence)[sound] == pytest.approx(confidence(reading.values)[sound], rel=1e-12)
    expected = entropy(reading.values)[sound] / np.log(reading.values.shape[1])
    assert np.array(seen.uncertainty)[sound] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    threshold = how.refusal.thresholds[ROLE] if how.refusal else 0.0
    close = bool(np.any(np.abs(certainty(reading.values, score) - threshold) < 1e-9))
    if not close:
        assert list(seen.refused) == refused(reading, how, ROLE).tolist()


@pytest.mark.parametrize("score", Score)
@pytest.mark.parametrize(("row", "unsure"), [([0.9, 0.1], False), ([0.55, 0.45], True), ([0.2, 0.8], False)])
def test_rule_refuses_a_lone_row_by_every_score(score: Score, row: list[float], *, unsure: bool) -> None:
    """As it does among others."""
    how = decision(Scale.PROBABILITIES, score)
    alone = glance(np.array([row], np.float32), how, ROLE)
    among = glance(np.array([row, row], np.float32), how, ROLE)
    assert (list(alone.refused), list(among.refused)) == ([unsure], [unsure] * 2)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ([np.nan, 0.5], Fault.NOT_FINITE),
        ([np.inf, 0.5], Fault.NOT_FINITE),
        ([0.7, 0.7], Fault.OUT_OF_RANGE),
        ([-0.5, 1.5], Fault.OUT_OF_RANGE),
        ([1.004, -0.004], Fault.NONE),
    ],
)
def test_lone_row_that_is_no_answer_is_a_fault(row: list[float], fault: Fault) -> None:
    """Never a silent clip; only rounding is."""
    assert list(glance(np.array([row]), Decision(Scale.PROBABILITIES), ROLE).fault) == [fault]


def test_regression_has_no_certainty() -> None:
    """Only faults, and nothing is refused."""
    seen = glance(np.array([[1.0], [np.nan]]), Decision(Scale.REGRESSION), ROLE)
    assert seen == Glance([Fault.NONE, Fault.NOT_FINITE], (), (), [False, False])
