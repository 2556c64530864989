"""Every monitor is documented, funded and observes what it says it does."""

from dataclasses import fields

import numpy as np
import pytest

from monitors.catalogue import CATALOGUE, SUBGROUP_FACTOR, SUBGROUP_SHARE, Kind, Question
from monitors.records import Fault
from tests.comparisons import comparisons

QUESTIONS = list(CATALOGUE.values())


def test_shares_of_the_alarm_budget_sum_to_at_most_one() -> None:
    """The model-wide cells' and that of all subgroups together."""
    assert sum(question.share for question in QUESTIONS) + SUBGROUP_SHARE <= 1
    assert SUBGROUP_SHARE > 0
    assert SUBGROUP_FACTOR >= 1


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_monitor_is_documented(name: str) -> None:
    """A question, what it measures, what it cannot see; filed under its own name, with a limit that can be left."""
    question = CATALOGUE[name]
    assert question.name == name
    assert name.isidentifier()
    assert question.asks.endswith("?")
    assert min(len(question.statistic), len(question.blind_to)) > 20
    assert 0 < question.limit * SUBGROUP_FACTOR < 0.72
    assert 0 < question.share < 1
    assert question.needs_classes >= question.needs_refusal


def test_texts_differ_from_monitor_to_monitor() -> None:
    """No entry was copied and forgotten."""
    for field in ("asks", "statistic", "blind_to", "observe"):
        assert len({getattr(question, field) for question in QUESTIONS}) == len(QUESTIONS)
    assert {field.name for field in fields(Question)} >= {"asks", "statistic", "blind_to", "observe"}


@pytest.mark.parametrize(
    ("name", "speaks", "says"),
    [
        ("disagreement", [True, True, True, True, False], [0, 1, 0, 0, 0]),
        ("confidence", [True, True, True, True, False], [0.25, -0.5, 0, 0, np.nan]),
        ("refusal_rate", [True, True, True, True, False], [0, -1, 1, 0, 0]),
        ("refusal_persistence", [False, True, False, True, False], [1, 1, 0, 0, 1]),
    ],
)
def test_monitor_observes_what_it_says(name: str, speaks: list[bool], says: list[float]) -> None:
    """Rows: sure and surer; unlike, and only the baseline refused; only the compressed did; both did; a fault."""
    rows = comparisons(
        5,
        disagree=[False, True, False, False, False],
        confidence_baseline=[0.5, 0.75, 0.5, 0.5, np.nan],
        confidence_compressed=[0.75, 0.25, 0.5, 0.5, np.nan],
        refused_baseline=[False, True, False, True, False],
        refused_compressed=[False, False, True, True, False],
        fault=[Fault.NONE] * 4 + [Fault.RUN_FAILED],
    )
    valid, y = CATALOGUE[name].observe(rows)
    assert valid.tolist() == speaks
    assert y.dtype == np.float64
    assert np.array_equal(y, np.array(says, dtype=float), equal_nan=True)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_row_with_any_fault_speaks_to_no_question(question: Question, fault: Fault) -> None:
    """Not even when its other columns look sound."""
    rows = comparisons(2, fault=[fault, Fault.NONE], refused_baseline=True, disagree=True)
    assert question.observe(rows)[0].tolist() == [False, True]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_observations_lie_in_the_range_of_their_kind(question: Question) -> None:
    """A rate's are zeros and ones; a mean's lie in [-1, 1], whatever the two models do."""
    flags = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=bool)
    rows = comparisons(
        8,
        disagree=flags[:, 0],
        confidence_baseline=flags[:, 1],
        confidence_compressed=flags[:, 2],
        refused_baseline=flags[:, 1],
        refused_compressed=flags[:, 2],
    )
    y = question.observe(rows)[1]
    allowed = {0.0, 1.0} if question.kind is Kind.RATE else {-1.0, 0.0, 1.0}
    assert set(y.tolist()) == allowed
