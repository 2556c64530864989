import io

import pytest
from rich.console import Console

from tightrope.demo_run import prologue
from tightrope.demo_run.prologue import READING_SECONDS, run_prologue
from tightrope.demo_run.prologue_board import GroupHarm
from tightrope.monitors.qualification.cells import QualificationVerdict

GOOD, BAD = "good_distilled", "bad_distilled_households_only"


def on_terminal(monkeypatch: pytest.MonkeyPatch, *models: str, seconds: float = 1e6) -> tuple[str, list[float]]:
    """Run the prologue of these models on a terminal of 80 columns; return what is shown, and the pauses."""
    monkeypatch.setattr(prologue, "DEMO_MODELS", models)
    monkeypatch.setattr(prologue, "PROLOGUE_SECONDS", seconds)
    monkeypatch.setattr(prologue, "REDRAW_SECONDS", 0.0)
    console, pauses = Console(file=io.StringIO(), width=80, height=24, force_terminal=True), list[float]()
    run_prologue(models[-1], console, fast=False, pause=pauses.append)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), pauses


def test_models_are_judged_by_the_criteria_of_the_demo() -> None:
    """Two qualify; two are refused, with the group that is harmed and the figures of the run."""
    _, found = run_prologue(BAD, None, fast=True)
    verdicts = {each.model: (each.verdict, each.cells, each.passed, each.over) for each in found}
    assert verdicts == {
        "good_int8": (QualificationVerdict.QUALIFIED, 77, 77, 0),
        GOOD: (QualificationVerdict.QUALIFIED, 77, 77, 0),
        "bad_pruned98": (QualificationVerdict.BREACH, 77, 48, 10),
        BAD: (QualificationVerdict.BREACH, 77, 58, 8),
    }
    assert [each.harm is None for each in found] == [True, True, False, False]
    assert found[-1].harm == GroupHarm(
        "residence=group_quarters", 117 / 217, pytest.approx(0.4810633149, abs=5e-11), 0.1
    )


def test_progress_and_the_verdict_are_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages of the model, then its verdict, which stays for a while before the replay begins."""
    shown, pauses = on_terminal(monkeypatch, GOOD)
    assert {stage in shown for stage in ("running the models", "golden answers", "changing the rows")} == {True}
    assert "77 of 77 proved" in shown
    assert pauses == [READING_SECONDS]


def test_slow_host_goes_without_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdicts are the same ones."""
    shown, pauses = on_terminal(monkeypatch, GOOD, seconds=0.0)
    assert "77 of 77 proved" in shown
    assert pauses == [0.0]


def test_fast_prologue_has_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is for tests and programs."""
    monkeypatch.setattr(prologue, "DEMO_MODELS", (GOOD,))
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    _, found = run_prologue(GOOD, console, fast=True, pause=pytest.fail)
    assert [each.verdict for each in found] == [QualificationVerdict.QUALIFIED]
