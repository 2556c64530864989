from pathlib import Path

from tests.support.qualified_pair import sided_rows, sided_settings
from tests.support.qualified_reports import cell, judge
from tightrope.monitors.qualification.cells import EXIT_CODES

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
