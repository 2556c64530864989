import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.cells import LimitProof, MeasuredCell, judge
from tightrope.monitors.qualification.evidence import weigh
from tightrope.offline.qualification.harm_words import first_of_scopes, harm_sentence, in_words, rounded_figure


def cell(scope: str, criterion: str = "disagreement") -> MeasuredCell:
    """Return a rate of 117 of 217."""
    evidence = weigh(Hypothesis.RATE, np.repeat([1.0, 0.0], [117, 100]), 0.1, 0.05)
    return MeasuredCell(criterion, scope, "", Hypothesis.RATE, 0.1, LimitProof.WITHIN, evidence)


def test_harm_is_a_sentence_about_a_thousand() -> None:
    """With the fewest and the limit."""
    (judged,) = judge([cell("residence=group_quarters")], 0.05)
    sentence = "of 1,000 in residence=group_quarters about 539 get another answer (at least 481; the limit is 100)"
    assert in_words(judged) == sentence


def test_each_group_is_named_once() -> None:
    """By its first cell."""
    cells = judge([cell("a"), cell("b"), cell("a", "clear_disagreement")], 0.05)
    assert [each.cell.criterion for each in first_of_scopes(cells)] == ["disagreement", "disagreement"]


def test_harm_is_told_of_a_thousand_rows() -> None:
    """The lower bound is rounded down; a criterion that counts no rows has its figure."""
    sentence = harm_sentence("disagreement", "sex=male", 0.2116, 0.1729, 0.075)
    assert sentence == "of 1,000 in sex=male about 212 get another answer (at least 172; the limit is 75)"
    assert harm_sentence("disagreement", "x", 0.2, None, 0.1).endswith(
        "about 200 get another answer (the limit is 100)"
    )
    assert harm_sentence("brier", "all rows", 0.2, 0.15, 0.1) == "brier in all rows: 0.2000, at least 0.1500, over 0.1"


def test_small_negative_figure_is_no_minus_zero() -> None:
    """And a missing one is a dash."""
    assert [rounded_figure(value) for value in (-0.00001, None)] == ["0.0000", "-"]
