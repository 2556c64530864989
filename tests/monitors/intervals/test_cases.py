"""The case of a monitor: its interval and words stand in the event of a breach, and of a return."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.intervals.cases import make_case


@pytest.mark.parametrize("breached", [True, False])
def test_case_says_what_is_so_and_since_when(*, breached: bool) -> None:
    """A return has no beginning, and needs no evidence of an alarm."""
    plan = make_plan("disagreement", samples=1e30)
    state, _ = judge_rows(plan, RowSource().rows(256, disagree=np.arange(256) % 10 == 0))
    case = make_case(
        plan.rules, state.cells[0], state.estimates, (0, 0), threshold=10.0, unit="compared row", breached=breached
    )
    assert case.text == case.detail["text"]
    assert case.text.startswith("disagreement 10 in 100 (")
    assert (case.onset is not None, "since about compared row" in case.text) == (breached, breached)
    assert ("of what an alarm needs" in case.text) == breached
