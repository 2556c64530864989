import numpy as np

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.qualification.cells import LimitProof, MeasuredCell, judge
from tightrope.monitors.qualification.evidence import weigh
from tightrope.offline.qualification.harm_words import figure, first_of_scopes, in_words


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


def test_a_figure_has_four_decimals() -> None:
    """And a sign of its absence."""
    assert [figure(0.12345), figure(-0.00001), figure(None)] == ["0.1235", "0.0000", "-"]
