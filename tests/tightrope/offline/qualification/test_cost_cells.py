from pathlib import Path

import pytest

from tests.support.qualified_pair import sided_rows, sided_settings
from tests.support.qualified_reports import cell, judge
from tightrope.monitors.qualification.cells import EXIT_CODES
from tightrope.offline.qualification.cost_cells import cost_cells
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.qualification.criteria import CriteriaPlan, Criterion
from tightrope.service.config.qualification import QualificationSection
from tightrope.service.statements.qualification import GoldenRecord

SAME = [[1, 0], [0, 0]]


def test_costs_are_gated_where_asked(tmp_path: Path) -> None:
    """A file that is not smaller by half is over its limit; the figure itself is no part of the result."""
    asked = {"qualification": {"criteria": {"disagreement": {"model": 0.5}, "file_size": {"ratio": 0.5}}}}
    report = judge(sided_settings(tmp_path, SAME, **asked), sided_rows(tmp_path), tmp_path)
    assert EXIT_CODES[report.verdict] == 3
    assert (cell(report, "file_size", "model").seen, cell(report, "file_size", "model").note) == (None, "ratio over")


def test_costs_within_their_limits_pass(tmp_path: Path) -> None:
    """In bytes, and as a multiple of the baseline's."""
    limits = {"file_size": {"ratio": 1.5, "most": 1e9}, "cold_start": {"most": 600}}
    asked = {"qualification": {"criteria": {"disagreement": {"model": 0.5}, **limits}}}
    report = judge(sided_settings(tmp_path, SAME, **asked), sided_rows(tmp_path), tmp_path)
    assert EXIT_CODES[report.verdict] == 0
    assert [each.note for each in report.cells[1:]] == ["most within", "ratio within", "most within"]


@pytest.mark.parametrize(
    ("joules", "notes"),
    [
        ({}, ["not measured: this host does not tell", "ratio within"]),
        ({"baseline": 2e-3, "compressed": 5e-4}, ["most within", "ratio within"]),
        ({"baseline": 2e-3, "compressed": 2e-2}, ["most over", "ratio over"]),
        ({"baseline": None, "compressed": None}, ["not measured: this host does not tell"] * 2),
    ],
)
def test_energy_is_judged_in_joules(joules: dict[str, float | None], notes: list[str]) -> None:
    """Seconds of the processor stand in for a ratio alone: a number of joules is not one of seconds."""
    criterion = Criterion("energy", ratio=1.0, most=1e-3)
    plan = CriteriaPlan((criterion,), True, QualificationSection(), {})  # noqa: FBT003 - written criteria
    costs = Costs({}, {}, {}, {}, {"baseline": 2e-5, "compressed": 1e-5}, joules)
    golden = GoldenRecord(rows="", answers={}, bound={})
    assert sorted(each.note for each in cost_cells(plan, golden, costs)) == sorted(notes)
