from pathlib import Path

import numpy as np

from tests.support.qualified_pair import plan_for, sided_rows, sided_settings
from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.monitors.records import Comparisons
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.qualification.measuring import JudgedRows, measure_cells, seen_over

SCOPES = ("model", "side=left", "side=right", "side=other")


def judged(ways: list[list[bool]], member: list[list[bool]], judging: list[bool] | None = None) -> JudgedRows:
    """Return rows that disagree as told, in each way."""
    rows = len(member)
    compared = [Comparisons.from_columns(rows, disagree=way, margin_baseline=[0.5] * rows) for way in ways]
    mask = np.array(judging or [True] * rows)
    return JudgedRows(compared, SCOPES, np.array(member), mask, (), 0.1, labelled=False)


def cells(folder: Path, rows: JudgedRows, limits: dict[str, object]) -> dict[str, MeasuredCell]:
    """Measure disagreement."""
    plan = plan_for(sided_settings(folder, qualification={"criteria": {"disagreement": limits}}))
    return {each.scope: each for each in measure_cells(plan, rows)}


MEMBER = [[True, True, False, False]] * 6 + [[True, False, True, False]] * 4


def test_each_scope_counts_its_rows(tmp_path: Path) -> None:
    """An attribute's other values have no cell as long as no row has one."""
    found = cells(tmp_path, judged([[False] * 8 + [True] * 2] * 2, MEMBER), {"model": 0.1, "subgroups": 0.2})
    counted = {scope: (each.evidence.hits, each.evidence.rows) for scope, each in found.items() if each.evidence}
    assert counted == {"model": (2, 10), "side=left": (0, 6), "side=right": (2, 4)}


def test_the_worse_way_proves_and_the_milder_accuses(tmp_path: Path) -> None:
    """Two ways of one pair."""
    rows = judged([[False] * 10, [True] * 5 + [False] * 5], MEMBER)
    evidence = cells(tmp_path, rows, {"model": 0.1})["model"].evidence
    assert evidence is not None
    assert (evidence.hits, evidence.p_over) == (5, 1.0)


def test_only_rows_that_judge_count(tmp_path: Path) -> None:
    """Those that chose are left out."""
    rows = judged([[True] + [False] * 9] * 2, MEMBER, [False] + [True] * 9)
    evidence = cells(tmp_path, rows, {"model": 0.1})["model"].evidence
    assert evidence is not None
    assert (evidence.hits, evidence.rows) == (0, 9)


def test_scopes_seen_over_a_limit_are_found(tmp_path: Path) -> None:
    """In either way."""
    plan = plan_for(sided_settings(tmp_path, qualification={"criteria": {"disagreement": {"subgroups": 0.2}}}))
    assert seen_over(plan, judged([[False] * 10, [False] * 8 + [True] * 2], MEMBER)) == [2]


def test_classes_have_cells_of_their_own(tmp_path: Path) -> None:
    """Each class that the baseline says, at the model."""
    settings = sided_settings(tmp_path, qualification={"criteria": {"class_miss": {"classes": 0.3}}})
    evaluation = prepare(settings, None, sided_rows(tmp_path))
    compared = evaluation.compare()
    rows = JudgedRows(
        compared.ways, evaluation.pair.plan.scopes, compared.member, np.ones(1000, dtype=bool), (), None, labelled=False
    )
    found = measure_cells(plan_for(settings), rows)
    assert [each.variant for each in found] == ["class 0", "class 1"]
    assert found[0].evidence is not None
    assert (found[0].evidence.hits, found[0].evidence.rows) == (40, 200)
