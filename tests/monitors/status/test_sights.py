"""The verdict on whether a scope is seen."""

import numpy as np

from tests.support.judgement.comparisons import RowSource, judge_rows, make_comparisons, make_plan
from tightrope.monitors.records import Outcome
from tightrope.monitors.status.verdicts import verdicts


def test_subgroup_without_rows_is_unseen() -> None:
    """Its own verdict says so, with the rows that passed by; others are seen."""
    plan = make_plan("disagreement", scopes=("home=gq", "home=house", "home=other"))
    rows = make_comparisons(10_048, scopes=plan.scopes[1:], member=[False, True, False])
    before, after = (judge_rows(plan, rows.take(slice(n)))[0] for n in (9_984, 10_048))
    outcomes = [{v.scope: v for v in verdicts(plan, state) if v.monitor == "sight"} for state in (before, after)]
    assert outcomes[0]["home=gq"].outcome is Outcome.INSUFFICIENT
    unseen = outcomes[1]["home=gq"]
    assert (unseen.outcome, unseen.count, unseen.recent, unseen.limit) == (Outcome.UNSEEN, 0, 10_048.0, 10_000.0)
    assert "none of the last 10048 compared rows" in unseen.note
    assert (outcomes[1]["home=house"].outcome, outcomes[1]["home=house"].note) == (Outcome.PASS, "")
    assert outcomes[1]["home=other"].outcome is Outcome.INSUFFICIENT


def test_subgroup_that_has_rows_again_is_seen() -> None:
    """A renamed value is unseen after the rows that its past share should have brought, until it comes again."""
    plan, traffic = make_plan("disagreement", scopes=("home=gq", "home=house")), RowSource()
    both, house = [[True, False], [False, True]] * 640, [False, True]
    state = None
    outcomes = []
    for count, member in ((1_280, both), (64, house), (64, [*[house] * 63, [True, False]])):
        rows = make_comparisons(count, scopes=plan.scopes[1:], member=member, offset=traffic.offset + np.arange(count))
        traffic.offset += count
        state, _ = judge_rows(plan, rows, state=state)
        outcomes += [v.outcome for v in verdicts(plan, state) if (v.scope, v.monitor) == ("home=gq", "sight")]
    assert outcomes == [Outcome.PASS, Outcome.UNSEEN, Outcome.PASS]
    assert state is not None
    assert state.sighted.tolist() == [1_408, 1_408, 1_407]
