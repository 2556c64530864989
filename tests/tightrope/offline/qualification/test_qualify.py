from pathlib import Path

import msgspec
import pytest

from tests.support.qualified_pair import plan_for, sided_rows, sided_settings
from tests.support.qualified_reports import cell, judge
from tightrope.monitors.qualification.cells import EXIT_CODES
from tightrope.offline.qualification import runner
from tightrope.service.config.loader import ConfigError

SAME = [[1, 0], [0, 0]]
"""Weights of a compressed model that is its baseline."""


def test_the_result_is_the_same_bytes_again(tmp_path: Path) -> None:
    """Times stand beside the result; the second statement lists the first attempt."""
    settings, data = sided_settings(tmp_path, SAME), sided_rows(tmp_path)
    first, second = (judge(settings, data, tmp_path).statement.predicate for _ in range(2))
    assert msgspec.json.encode(first.result) == msgspec.json.encode(second.result)
    assert (len(first.data.attempts), len(second.data.attempts)) == (0, 1)


def test_finished_stages_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends after the cells leaves them to the next one, whose result is the same."""
    settings, data = sided_settings(tmp_path, SAME), sided_rows(tmp_path)
    whole = judge(settings, data, tmp_path).statement.predicate.result
    with monkeypatch.context() as patched:
        patched.setattr(runner.QualificationRun, "numerics", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            judge(settings, data, tmp_path)
    assert len(list((tmp_path / "state/qualify").glob("*.partial"))) == 1
    monkeypatch.setattr(runner.QualificationRun, "cells", _interrupt)
    assert judge(settings, data, tmp_path).statement.predicate.result == whole
    assert list((tmp_path / "state/qualify").glob("*.partial")) == []


def _interrupt(_: object) -> None:
    raise KeyboardInterrupt


def test_what_time_does_not_reach_is_an_error(tmp_path: Path) -> None:
    """No time at all: no cell is measured, and the exit code is 5."""
    report = judge(sided_settings(tmp_path, SAME), sided_rows(tmp_path), tmp_path, seconds=0.0)
    assert EXIT_CODES[report.verdict] == 5
    assert {each.note for each in report.cells} == {"not measured: time"}


def test_an_empty_subgroup_is_no_pass(tmp_path: Path) -> None:
    """It has no rows, and says so."""
    sides = {"side": {"column": 1, "values": {"left": [0], "right": [1], "top": [2]}}}
    report = judge(sided_settings(tmp_path, SAME, subgroups=sides), sided_rows(tmp_path), tmp_path)
    assert EXIT_CODES[report.verdict] == 4
    assert cell(report, "disagreement", "side=top").note.startswith("no rows: about")


def test_written_label_criteria_need_labels(tmp_path: Path) -> None:
    """Default ones are left out with a note; written ones could not be measured."""
    written = {"qualification": {"criteria": {"accuracy": {"model": 0.1}}}}
    report = judge(sided_settings(tmp_path, SAME, **written), sided_rows(tmp_path), tmp_path)
    assert EXIT_CODES[report.verdict] == 5
    assert report.cells[0].note == "not measured: the rows have no labels"
    plain = judge(sided_settings(tmp_path, SAME), sided_rows(tmp_path), tmp_path)
    assert any("no labels" in note for note in plain.notes)
    assert all(each.cell.criterion != "accuracy" for each in plain.cells)
    labelled = judge(sided_settings(tmp_path, SAME), sided_rows(tmp_path, labelled=True), tmp_path)
    assert cell(labelled, "accuracy", "model").outcome == "pass"


def test_other_criteria_than_expected_are_refused(tmp_path: Path) -> None:
    """The digest that was registered before decides, with or without its prefix."""
    settings, data = sided_settings(tmp_path), sided_rows(tmp_path)
    digest = plan_for(settings).digest
    with pytest.raises(ConfigError, match="they are other criteria"):
        judge(settings, data, tmp_path, expect="sha256:00")
    assert judge(settings, data, tmp_path, expect=f"sha256:{digest}").cells
