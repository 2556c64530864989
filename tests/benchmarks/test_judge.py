"""Tests of the judge's benchmark: its settings, the size of the state, and turns against a revision."""

import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks import judge_against
from benchmarks.judge import build_plan, traffic
from benchmarks.judge_against import Setting, Turns
from benchmarks.judge_turns import known_as, with_classes, with_classes_said
from benchmarks.serving.revision import ROOT, RevisionError, Tree
from tightrope.monitors import watch
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.wire.record_codec import encode_state

MOST_STATE_BYTES = 1_000_000
"""The bound for a model with every monitor, 22 subgroups or more, 50 classes, and a lattice of 1,341 slices or more."""

HERE = Tree("this tree", ROOT, Path(sys.executable))


def setting_of(classes: int) -> tuple[Plan, Comparisons]:
    """The plan and the rows of a model; 0 classes: the two of the demo."""
    plan = build_plan()
    rows = traffic(plan)
    return (with_classes(plan, classes), with_classes_said(rows, classes)) if classes else (plan, rows)


@pytest.mark.parametrize("classes", [0, 50])
def test_state_of_a_model_with_everything_on_stays_below_a_megabyte(classes: int) -> None:
    """Also while it learns: it is largest just before the lattice is built from the first 5,000 rows, and later where
    many rows are kept from which slots are chosen; each time 63 rows wait for the end of their tick.
    """
    plan, rows = setting_of(classes)
    assert len(plan.scopes) > 22
    state, _ = watch.step(plan, initial_state(plan), rows.take(slice(4_992 + 63)))
    assert len(state.search.learned) == 4_992
    learning = len(encode_state(state))
    state, _ = watch.step(plan, state, rows.take(slice(4_992 + 63, 16_383)))
    assert state.search.lattice is not None
    assert len(state.search.lattice) >= 1_341
    assert max(learning, len(encode_state(state))) <= MOST_STATE_BYTES


def test_every_class_is_said_and_watched() -> None:
    """As often by either model; the setting has no monitor without variants."""
    plan, rows = setting_of(50)
    assert {len(rule.variants) for rule in plan.rules if rule.monitor.class_of} == {50}
    assert all(rule.variants for rule in plan.rules)
    assert set(rows.top_baseline.tolist()) == set(range(50))
    assert np.array_equal(rows.top_baseline != rows.top_compressed, rows.disagree)


def test_names_that_an_older_tree_had_are_found() -> None:
    """The latest name is taken first."""
    assert known_as(judge_against, "no_such_name", "TURNS_FILE", "TURNS") is judge_against.TURNS_FILE


def test_ratio_is_that_of_speeds_by_turn() -> None:
    """The median with its interval and range, beside the time of a row in both trees."""
    turns = Turns(Setting(1024, 50), [2e-6, 4e-6, 8e-6], [1e-6, 2e-6, 8e-6])
    assert turns.ratios == [0.5, 0.5, 1.0]
    console = Console(width=200, record=True)
    console.print(judge_against.table([turns], ("this tree", "d93bd25")))
    shown = console.export_text()
    for text in ("1,024 rows a record, 50 classes", "4.00", "2.00", "0.50 to 1.00", "d93bd25, us a row"):
        assert text in shown


def test_turns_run_the_judge_of_a_tree() -> None:
    """This one twice: both sides answer with processor time for every turn."""
    found = judge_against.measure((HERE, HERE), Setting(4096), turns=1)
    assert len(found.ratios) == 1
    assert 0 < found.new[0] < 1e-3


def test_tree_whose_judge_does_not_run_is_an_error(tmp_path: Path) -> None:
    """A revision without such a benchmark, for example."""
    with pytest.raises(RevisionError, match="its judge ended"):
        judge_against.measure((Tree("empty", tmp_path, HERE.python), HERE), Setting(1024), turns=1)
