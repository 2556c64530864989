"""The fold of labelled rows: harm that labels show is found in the scope that has it."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan, watched_cells
from tests.support.judgement.labelled_rows import drawn_plan, hold, label, traffic
from tightrope.monitors.budget import Budget
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Comparisons, Stream
from tightrope.monitors.safemode import Input
from tightrope.monitors.status.verdicts import verdicts

SCOPES = ("half=harmed", "half=sound")
ROWS = 2048


def labelled_rows(source: RowSource, harm: float) -> Comparisons:
    """Labelled rows of two halves: in a share of the harmed one the compressed model alone is wrong."""
    row = np.arange(ROWS)
    harmed = row % 2 == 0
    wrong = harmed & (row % 200 < 200 * harm)
    return source.rows(
        ROWS,
        scopes=SCOPES,
        member=np.stack([harmed, ~harmed], axis=1),
        disagree=wrong,
        top_baseline=0,
        top_compressed=wrong,
        correct_baseline=True,
        correct_compressed=~wrong,
    )


def test_accuracy_is_watched_in_every_scope() -> None:
    """The model and its subgroups, with twice its limit."""
    plan = make_plan("accuracy", "brier", scopes=SCOPES)
    cells = {(v.scope, v.monitor) for v in verdicts(plan, initial_state(plan)) if v.monitor != "sight"}
    assert cells == watched_cells(["accuracy", "brier"], SCOPES)
    assert plan.rules[0].limits.tolist() == [0.01, 0.02, 0.02]


def test_a_subgroup_that_labels_show_to_be_harmed_goes_to_safe_mode_alone() -> None:
    """One in five of its rows is wrong by the compressed model alone; the other half and the model stay."""
    plan = make_plan("accuracy", scopes=SCOPES)
    _, transitions = judge_rows(plan, labelled_rows(RowSource(), 0.2), stream=Stream.LABELS)
    assert [(t.scope, t.trigger) for t in transitions if t.moved] == [("half=harmed", Input.BREACH)]
    _, none = judge_rows(plan, labelled_rows(RowSource(), 0.005), stream=Stream.LABELS)
    assert none == []


def rows_to_alarm(probability: float, seed: int, right: float = 1.0, budget: float = 3.15e8) -> tuple[int, int]:
    """Compared rows and labels until accuracy alarms, where one row in twenty differs and the baseline is right in a
    share of these.
    """
    plan = drawn_plan(probability, budget=Budget(budget))
    state, source, rng = initial_state(plan), RowSource(time=0.0), np.random.default_rng(seed)
    state = replace(state, modes=(replace(state.modes[0], held=True),))  # disagreement alone moves nothing
    labels = 0
    for tick in range(400):
        state, _, held = hold(plan, state, traffic(source, rng, 64, 0.05))
        drawn = [row for row in held if row.disagree]
        state, moved, count = label(
            plan, state, drawn, lambda row: int(row.top_compressed if rng.random() > right else 0), probability
        )
        labels += count
        if any("accuracy" in t.reason for t in moved):
            return 64 * (tick + 1), labels
    return 0, labels


@pytest.mark.parametrize("probability", [1.0, 0.25])
def test_labels_of_disagreements_alone_find_a_gap_as_soon_as_labels_of_all_rows(probability: float) -> None:
    """A gap of 5 in 100 against a limit of 1: about 850 rows and 42 labels if every disagreement is labelled; a quarter
    of them takes more rows and not more labels.
    """
    found = np.median([rows_to_alarm(probability, seed) for seed in range(5)], axis=0)
    assert 600 <= found[0] * (1 if probability == 1 else 0.25) <= 1_400
    assert 25 <= found[1] <= 70


def test_late_labels_do_not_alarm_by_the_rows_that_agree() -> None:
    """A gap of 9 in 1,000, the limit is 10: the rows between disagreements enter with their labels, in any order and
    however late, and not before.
    """
    plan = drawn_plan(1.0, budget=Budget(1e3), tick_rows=8)
    state, source, rng = initial_state(plan), RowSource(time=0.0), np.random.default_rng(2)
    state = replace(state, modes=(replace(state.modes[0], held=True),))
    held = []
    for _ in range(100):
        state, _, more = hold(plan, state, traffic(source, rng, 64, 0.01))
        held += [row for row in more if row.disagree]
    late = [held[index] for index in rng.permutation(len(held))]
    state, moved, count = label(plan, state, late, lambda _: 0 if rng.random() < 0.95 else 1)
    accuracy = state.cells[plan.monitors.index("accuracy")]
    assert count == len(held) > 50
    assert 5_000 < accuracy.count[0, 0] <= 6_400
    assert not [t for t in moved if "accuracy" in t.reason]
