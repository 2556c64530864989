from pathlib import Path

import pytest

from tests.support.qualified_pair import sided_rows, sided_settings
from tests.support.qualified_reports import judge
from tightrope.offline.qualification.stress import scenario_stages
from tightrope.offline.qualification.stress.probe import ProbeFigures
from tightrope.offline.qualification.stress.scenario_stages import scenario_changes
from tightrope.service.config.qualification import QualificationSection

ASKED = {"criteria": {"probe": {"model": 0.05}}}


def test_figures_stand_beside_the_result_with_or_without_a_criterion(tmp_path: Path) -> None:
    """The criterion has a cell; without `--stress` and criterion nothing is searched."""
    settings = sided_settings(tmp_path, qualification=ASKED)
    report = judge(settings, sided_rows(tmp_path), tmp_path, costs=False)
    assert report.stress.scenarios["probe"]["found"] > 0
    assert [each.cell.criterion for each in report.cells] == ["probe"]
    assert report.statement.predicate.measured.scenarios == report.stress.document
    plain = sided_settings(tmp_path)
    assert judge(plain, sided_rows(tmp_path), tmp_path, costs=False).stress.document == {}
    stressed = judge(plain, sided_rows(tmp_path), tmp_path, costs=False, stress=True)
    found = stressed.stress.document
    assert found["jitter"]["reason"] == "not asked for: scenarios.jitter is not written"
    assert found["typos"]["reason"] == "does not apply: no input has texts"
    assert found["link"]["reason"] == "does not apply: both models are files on this host"
    assert found["groups"]["disparity"]["side=right"] == pytest.approx(0.2)
    assert stressed.stress.document["probe"] == report.stress.document["probe"]
    assert "probe" not in {each.cell.criterion for each in stressed.cells}


def test_time_that_is_up_is_said_and_finished_stages_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run goes on; one that is killed after the probe does not repeat it."""
    settings = sided_settings(tmp_path, qualification=ASKED)
    late = judge(settings, sided_rows(tmp_path), tmp_path, costs=False, seconds=0.0, stress=True)
    assert late.stress.scenarios["groups"] == {"reason": "not measured: time"}
    assert late.stress.scenarios["probe"]["reason"] == "not measured: time"
    assert [each.note for each in late.cells][:1] == ["not measured: time"]
    assert not late.stress.is_whole
    with monkeypatch.context() as killed:
        killed.setattr("tightrope.offline.qualification.qualify.write_statement", _killed)
        with pytest.raises(KeyboardInterrupt):
            judge(settings, sided_rows(tmp_path), tmp_path, costs=False)
    monkeypatch.setattr(scenario_stages, "run_probe", lambda *_: ProbeFigures(reason="again"))
    assert judge(settings, sided_rows(tmp_path), tmp_path, costs=False).stress.scenarios["probe"]["reason"] == ""


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_every_written_scenario_is_measured(tmp_path: Path) -> None:
    """Each by its own section."""
    written = {"jitter": {0: 1.0}, "missing": {0: 0.0}, "quantised": {0: 4}}
    settings = sided_settings(tmp_path, qualification={"criteria": ASKED["criteria"], "scenarios": written})
    found = judge(settings, sided_rows(tmp_path), tmp_path, costs=False, stress=True).stress.document
    assert [found[name]["rows"] for name in written] == [1000] * 3
    section = QualificationSection.model_validate({"scenarios": {"layout": "NCHW", "tokens": {"input": "ids"}}})
    asked = dict(scenario_changes(section))
    assert [name for name, change in asked.items() if not isinstance(change, str)] == [
        "typos", "tokens", "blur", "contrast",
    ]  # fmt: skip
