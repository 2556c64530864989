from pathlib import Path

from tests.support.sweeps import DISAGREEMENT, small_sweep, variant
from tightrope.offline.sweep.sweep import SweepOptions


def test_harm_is_judged_on_all_rows_and_proof_on_those_that_judge(tmp_path: Path) -> None:
    """The cells of a harmful variant have other rows than those of its passes."""
    report = small_sweep(tmp_path)
    cells = variant(report, "crossed").cells
    rows = {each.cell.name: each.cell.evidence.rows for each in cells if each.cell.evidence}
    assert rows["side=right disagreement"] == 200
    assert rows["model disagreement"] == report.judging


def test_no_golden_answers_are_asked_for(tmp_path: Path) -> None:
    """They belong to a statement; a cost that was not measured in time is an error."""
    section = {"criteria": {**DISAGREEMENT["criteria"], "cold_start": {"most": 60.0}}}
    unreached = variant(small_sweep(tmp_path, SweepOptions(seconds=0.0), qualification=section), "good")
    assert {each.cell.criterion for each in unreached.cells} == {"disagreement", "cold_start"}
    assert {each.outcome.value for each in unreached.cells} == {"error"}
