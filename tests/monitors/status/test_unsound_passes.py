"""Passes are withheld where rows are not counted because they repeat others."""

from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import judge_rows, make_comparisons, make_plan
from tightrope.monitors.intake.repeats import RepeatMemory, Repeats, RepeatWarning
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Outcome
from tightrope.monitors.status.verdicts import verdicts


def test_pass_is_withheld_where_most_rows_repeat_an_input() -> None:
    """The verdict says which key to set; with that key the same rows pass."""
    rows = make_comparisons(2048, twin=np.arange(2048) % 4 + 1, draw=0.5)
    outcomes = {}
    for repeats in (Repeats.DISTINCT, Repeats.RETRIES):
        plan = make_plan("disagreement", repeats=repeats)
        verdict = next(v for v in verdicts(plan, judge_rows(plan, rows)[0]) if v.monitor == "disagreement")
        outcomes[repeats] = verdict.outcome
        assert ("models.m.repeats: retries" in verdict.note) is (repeats is Repeats.DISTINCT)
    assert outcomes == {Repeats.DISTINCT: Outcome.INSUFFICIENT, Repeats.RETRIES: Outcome.PASS}


def test_one_repeated_row_trips_nothing() -> None:
    """A good model that differs on one row: repeated a thousand times under fresh ids it counts once in 4,096 rows."""
    rows = make_comparisons(1000, twin=1, disagree=True, draw=0.5)
    for repeats, safe in ((Repeats.DISTINCT, False), (Repeats.RETRIES, True)):
        plan = make_plan("disagreement", repeats=repeats, samples=1e6)
        state = judge_rows(plan, rows)[0]
        assert state.modes[0].safe is safe
        assert state.disagreed[0] > 900, "people see every row"


def test_sight_tells_of_a_popular_input_on_which_the_models_differ() -> None:
    """It is one finding, and sight stays what it is."""
    plan, n = make_plan("disagreement", repeats=Repeats.DISTINCT), 2048
    popular = np.arange(n) % 4 == 0
    rows = make_comparisons(n, twin=np.where(popular, 1, np.arange(n) + 2), disagree=popular, draw=0.5)
    state = judge_rows(plan, rows)[0]
    assert not state.modes[0].safe
    sight = verdicts(plan, state)[0]
    assert sight.outcome is Outcome.PASS
    assert sight.note.startswith("one input makes 512 of the latest 2,048 rows, and the models differ there, ")


def test_sight_tells_of_repeated_requests() -> None:
    """Its verdict is no pass, and the note has the share."""
    plan = make_plan("disagreement")
    memory = RepeatMemory(id_share=0.8, warnings=(RepeatWarning.ONE_ID,))
    state = replace(initial_state(plan), seen=dict.fromkeys(initial_state(plan).seen, 9), repeats=memory)
    sight = verdicts(plan, state)[0]
    assert (sight.outcome, sight.note) == (
        Outcome.INSUFFICIENT,
        "one request id has 80% of the last 1000 requests",
    )
