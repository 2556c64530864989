"""Acceptance on the demo's pairs, with the numbers that were measured."""

from pathlib import Path

import pytest

from tests.support.qualified_pair import GOLDEN, WITHHELD, demo_settings
from tests.support.qualified_reports import cell, judge, outcomes
from tightrope.monitors.qualification.cells import EXIT_CODES
from tightrope.monitors.records import Outcome


@pytest.mark.parametrize("compressed", ["good_int8", "good_distilled"])
def test_good_students_qualify(tmp_path: Path, compressed: str) -> None:
    """All 77 cells pass."""
    report = judge(demo_settings(tmp_path, compressed), GOLDEN, tmp_path)
    assert EXIT_CODES[report.verdict] == 0
    assert outcomes(report) == {Outcome.PASS: 77}
    model = cell(report, "disagreement", "model")
    clear = cell(report, "clear_disagreement", "model")
    assert (clear.rows, clear.hits) == (3600, 0)
    assert clear.bound == pytest.approx(0.0008, abs=5e-5)
    if compressed == "good_distilled":
        assert (model.hits, model.rows, model.bound) == (25, 4000, pytest.approx(0.0087181935, abs=5e-11))


def test_the_student_of_households_is_proved_harmful(tmp_path: Path) -> None:
    """Eight breaches, group quarters first; institutions by clear rows alone, as their disagreement fails Holm."""
    report = judge(demo_settings(tmp_path, "bad_distilled_households_only"), GOLDEN, tmp_path)
    assert EXIT_CODES[report.verdict] == 3
    assert outcomes(report) == {Outcome.BREACH: 8, Outcome.INSUFFICIENT: 11, Outcome.PASS: 58}
    first = report.statement.predicate.result.cells[0]
    assert (first.scope, first.hits, first.rows) == ("residence=group_quarters", 117, 217)
    assert first.least == pytest.approx(0.4810633149, abs=5e-11)
    clear = cell(report, "clear_disagreement", "residence=group_quarters")
    assert (clear.hits, clear.rows, clear.outcome) == (91, 153, "breach")
    institution = cell(report, "clear_disagreement", "residence=institution")
    assert (institution.hits, institution.rows, institution.outcome) == (21, 114, "breach")
    doubtful = cell(report, "disagreement", "residence=institution")
    assert (doubtful.outcome, doubtful.p_over) == ("insufficient", pytest.approx(0.004355289, rel=1e-6))


def test_the_pruned_student_is_proved_harmful(tmp_path: Path) -> None:
    """Ten breaches, and 19 cells that cannot tell."""
    report = judge(demo_settings(tmp_path, "bad_pruned98"), GOLDEN, tmp_path)
    assert EXIT_CODES[report.verdict] == 3
    assert (outcomes(report)[Outcome.BREACH], outcomes(report)[Outcome.INSUFFICIENT]) == (10, 19)


def test_few_rows_cannot_tell_and_say_how_many_more(tmp_path: Path) -> None:
    """The first 1,000 rows have too few people of two groups."""
    few = tmp_path / "few.csv"
    few.write_text("".join(GOLDEN.read_text().splitlines(keepends=True)[:1001]))
    report = judge(demo_settings(tmp_path, "good_int8"), few, tmp_path)
    assert EXIT_CODES[report.verdict] == 4
    for scope, rows, more in (("race=two_or_more_races", 19, "about 10"), ("residence=institution", 28, "about 1")):
        found = cell(report, "disagreement", scope)
        assert (found.rows, found.outcome, found.note) == (rows, "insufficient", f"{more} more rows")


def test_harmed_groups_may_be_withheld(tmp_path: Path) -> None:
    """A part of the rows chooses the groups that the baseline serves; the others prove the rest."""
    report = judge(demo_settings(tmp_path, "bad_distilled_households_only", WITHHELD), GOLDEN, tmp_path)
    predicate = report.statement.predicate
    assert EXIT_CODES[report.verdict] == 0
    assert set(predicate.result.withheld) == {
        "race=other_race", "race=two_or_more_races", "residence=institution", "residence=group_quarters",
        "age_band=16_to_19", "age_band=20_to_24",
    }  # fmt: skip
    assert (predicate.data.chosen_on, predicate.data.judged_on) == (1204, 2154)
    assert predicate.result.covers == pytest.approx(0.770, abs=5e-4)
    assert cell(report, "disagreement", "model").bound == pytest.approx(0.0107, abs=5e-5)
    assert len(report.cells) == 17
