"""Found groups are shown in words while their search goes on."""

from dataclasses import replace

from tests.monitors.test_group_search import COLUMNS, SCOPES, plan_of, rows_of
from tests.support.judgement.comparisons import judge_rows
from tightrope.monitors.hunter.search import SearchPlan
from tightrope.monitors.status.groups import found_groups


def test_found_group_has_words_figures_and_declaration() -> None:
    """All that a person needs to declare it."""
    plan = plan_of()
    state, _ = judge_rows(plan, rows_of(0))
    (group,) = found_groups(plan, state)
    assert group.words == "column 0 = 3"
    assert group.now.lower < 0.5 < group.now.upper
    assert 0.1 < group.share < 0.25
    assert group.text.startswith("column 0 = 3: ")
    assert "column_0: {column: 0, values: {value_3: [3]}}" in group.declaration


def test_groups_of_another_search_are_not_shown() -> None:
    """Its columns would be named by the words of others."""
    plan = plan_of()
    state, _ = judge_rows(plan, rows_of(0))
    assert found_groups(replace(plan, search=SearchPlan(COLUMNS, SCOPES, 0.2)), state) == []
    assert found_groups(replace(plan, search=None), state) == []
