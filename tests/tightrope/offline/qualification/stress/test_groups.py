from pathlib import Path

import pytest

from tests.support.qualified_pair import sided_rows, sided_settings
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.qualification.stress.flips import FlipMeasuring
from tightrope.offline.qualification.stress.groups import measure_disparity


def test_groups_are_compared_with_all_others(tmp_path: Path) -> None:
    """A fifth of the rows on the right differ, and none on the left; each tenth of the margins has its share."""
    evaluation = prepare(sided_settings(tmp_path), None, sided_rows(tmp_path))
    member = evaluation.table.members(evaluation.pair.subgroups)
    scopes = list(evaluation.pair.plan.scopes[1:])
    measuring = FlipMeasuring(evaluation)
    found = measure_disparity(measuring.compared(), scopes, member, measuring.margins())
    assert found.disparity["side=right"] == pytest.approx(0.2)
    assert found.disparity["side=left"] == pytest.approx(-0.2)
    assert [each.rows for each in found.boundary] == [100] * 10
    assert sum(each.differ for each in found.boundary) == pytest.approx(0.4)
    margins = [each.margin for each in found.boundary]
    assert margins == sorted(margins)
    assert (found.by, found.no_boundary) == ("margin", "")


def test_rows_without_margins_have_groups_all_the_same(tmp_path: Path) -> None:
    """The reason stands in the place of the bins."""
    evaluation = prepare(sided_settings(tmp_path), None, sided_rows(tmp_path))
    member = evaluation.table.members(evaluation.pair.subgroups)
    scopes = list(evaluation.pair.plan.scopes[1:])
    found = measure_disparity(FlipMeasuring(evaluation).compared(), scopes, member, "a reason")
    assert found.disparity["side=right"] == pytest.approx(0.2)
    assert (found.boundary, found.no_boundary) == ([], "a reason")
