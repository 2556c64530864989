"""The figures that the verdicts of one monitor show."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import judge_rows, make_comparisons, make_plan
from tightrope.monitors.detector_bank import recent_mean, recovery_evidence
from tightrope.monitors.status.shown_rule import ShownRule, leading


def test_figures_are_those_of_the_shown_cell() -> None:
    """Read for all scopes at once, as they would be one by one."""
    plan = make_plan("mix", "disagreement")
    rows = make_comparisons(
        640, disagree=np.arange(640) % 3 == 0, member=np.arange(640)[:, None] % np.array([2, 3, 5]) == 0
    )
    state, _ = judge_rows(replace(plan, budget=replace(plan.budget, samples=1e300)), rows)
    cells = [
        replace(each, tripped=np.arange(each.tripped.size).reshape(each.tripped.shape) == 1) for each in state.cells
    ]
    for index, (rule, own) in enumerate(zip(plan.rules, cells, strict=True)):
        shown = ShownRule.build(index, rule, own)
        (standing,) = [state.estimates.standings(plan.rules)[index]]
        figures = shown.figures(plan, state, standing)
        assert list(figures) == np.flatnonzero(rule.watched).tolist()
        for scope, cell in figures.items():
            at = shown.variants[scope], scope
            assert (cell.rows, cell.recent) == (own.count[at], recent_mean(own, *at)[1])
            assert cell.mean == (own.total[at] / own.count[at] if own.count[at] else None)
            assert (cell.limit, cell.tripped) == (rule.cell_limits[at], own.tripped[:, scope].any())
            assert cell.recovery == pytest.approx(recovery_evidence(rule, own)[scope])


def test_monitor_without_a_shown_scope_has_no_figures() -> None:
    """No scope but the model leads with it."""
    plan = make_plan("disagreement", "confidence")
    state, _ = judge_rows(plan, make_comparisons(64))
    shown = [ShownRule.build(index, *each) for index, each in enumerate(zip(plan.rules, state.cells, strict=True))]
    kept = leading(state, shown, complete=1)
    assert [0 in each.variants for each in kept] == [True, True]
    nothing = replace(kept[1], variants={})
    assert nothing.figures(plan, state, state.estimates.standings(plan.rules)[1]) == {}
    assert not nothing.scopes.any()
