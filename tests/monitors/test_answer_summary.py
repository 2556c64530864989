"""The summary for the gateway equals the reading of the shadow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tightrope.monitors.answer_summary import SMALL_OUTPUT_SIZE, AnswerSummary, summarize
from tightrope.monitors.compare import (
    Decision,
    Refusal,
    Scale,
    Score,
    certainty,
    confidence,
    entropy,
    read_output,
    refusal_mask,
)
from tightrope.monitors.records import Fault, Role

UNIT = st.floats(0, 1, width=32)
ROLE = Role.COMPRESSED


def make_decision(scale: Scale, score: Score) -> Decision:
    """Build a decision with a rule that refuses about half of all rows."""
    threshold = {Score.MAX_PROBABILITY: 0.6, Score.MARGIN: 0.3, Score.ENTROPY: 0.6}[score]
    return Decision(scale, Refusal(score, dict.fromkeys(Role, threshold)))


@given(
    rows=arrays.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, SMALL_OUTPUT_SIZE + 2)), elements=UNIT),
    score=st.sampled_from(Score),
    scale=st.sampled_from([Scale.PROBABILITIES, Scale.LOGITS]),
    sums=st.booleans(),
)
def test_summary_agrees_with_the_reading(rows: np.ndarray, score: Score, scale: Scale, *, sums: bool) -> None:  # type: ignore[type-arg]
    """Faults and refusals are equal, figures equal up to rounding, on the fast path for few values and on the other."""
    if sums and rows.shape[1] > 1:
        rows = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-30)
    decision = make_decision(scale, score)
    summary, reading = summarize(rows, decision, ROLE), read_output(rows, scale)
    assert list(summary.fault) == reading.fault.tolist()
    sound = reading.fault == Fault.NONE
    assert np.array(summary.confidence)[sound] == pytest.approx(confidence(reading.values)[sound], rel=1e-12)
    expected = entropy(reading.values)[sound] / np.log(reading.values.shape[1])
    assert np.array(summary.uncertainty)[sound] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    threshold = decision.refusal.thresholds[ROLE] if decision.refusal else 0.0
    close = bool(np.any(np.abs(certainty(reading.values, score) - threshold) < 1e-9))
    if not close:
        assert list(summary.refused) == refusal_mask(reading, decision, ROLE).tolist()


@pytest.mark.parametrize("score", Score)
def test_each_role_is_summarized_by_its_own_scale(score: Score) -> None:
    """One distribution, as probabilities of the baseline and as logits of the compressed model."""
    rule = make_decision(Scale.PROBABILITIES, score).refusal
    decision = Decision(Scale.PROBABILITIES, rule, compressed_scale=Scale.LOGITS)
    rows = np.array([[0.9, 0.1], [0.55, 0.45]])
    baseline = summarize(rows, decision, Role.BASELINE)
    compressed = summarize(np.log(rows) + 3, decision, Role.COMPRESSED)
    assert baseline.refused == compressed.refused == [False, True]
    assert compressed.confidence == pytest.approx(baseline.confidence)
    assert compressed.uncertainty == pytest.approx(baseline.uncertainty)


@pytest.mark.parametrize("score", Score)
@pytest.mark.parametrize(("row", "refused"), [([0.9, 0.1], False), ([0.55, 0.45], True), ([0.2, 0.8], False)])
def test_rule_refuses_a_single_row_by_every_score(score: Score, row: list[float], *, refused: bool) -> None:
    """A single row is refused exactly as one of several rows."""
    decision = make_decision(Scale.PROBABILITIES, score)
    alone = summarize(np.array([row], np.float32), decision, ROLE)
    among = summarize(np.array([row, row], np.float32), decision, ROLE)
    assert (list(alone.refused), list(among.refused)) == ([refused], [refused] * 2)


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
def test_single_row_that_is_no_distribution_is_a_fault(row: list[float], fault: Fault) -> None:
    """Values out of range are never clipped; only rounding is normalised."""
    assert list(summarize(np.array([row]), Decision(Scale.PROBABILITIES), ROLE).fault) == [fault]


@pytest.mark.parametrize("score", Score)
@pytest.mark.parametrize("scale", [Scale.PROBABILITIES, Scale.LOGITS])
def test_row_with_a_fault_is_as_uncertain_as_can_be(scale: Scale, score: Score) -> None:
    """It is not refused: no certainty is known. The sound row beside it is as before."""
    rows = np.array([[np.nan, 0.5], [0.9, 0.1]])
    summary, alone = (
        summarize(rows, make_decision(scale, score), ROLE),
        summarize(rows[1:], make_decision(scale, score), ROLE),
    )
    assert (summary.fault[0], summary.confidence[0], summary.uncertainty[0]) == (Fault.NOT_FINITE, 0.0, 1.0)
    assert summary.refused == [False, *alone.refused]
    assert summary.uncertainty[1] == pytest.approx(alone.uncertainty[0])


def test_regression_has_no_certainty() -> None:
    """A regression has faults only, and nothing is refused."""
    summary = summarize(np.array([[1.0], [np.nan]]), Decision(Scale.REGRESSION), ROLE)
    assert summary == AnswerSummary([Fault.NONE, Fault.NOT_FINITE], (), (), [False, False])
