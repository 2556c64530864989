"""The worst of many scopes have all verdicts, and the others only those that lead."""

from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import CLASS_MONITORS, SCOPES, judge_rows, make_comparisons, make_plan
from tightrope.monitors.records import Stream
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.status.verdicts import leading_verdicts, verdicts

MONITORS = [name for name, monitor in CLASS_MONITORS.items() if monitor.stream is Stream.COMPARISONS]


def test_leading_verdicts_are_those_of_the_full_list() -> None:
    """With equal figures, without texts: for the model and the scope in safe mode all of them, for others few."""
    plan = make_plan(*MONITORS)
    member = np.stack([np.arange(2048) % 3 == index for index in range(len(SCOPES))], axis=1)
    state, _ = judge_rows(plan, make_comparisons(2048, member=member))
    state = replace(state, modes=(*state.modes[:-1], Mode(ModeState.SAFE)))
    every = [replace(verdict, text="") for verdict in verdicts(plan, state)]
    assert leading_verdicts(plan, state, len(plan.scopes)) == every
    few = leading_verdicts(plan, state, complete=2)
    assert [verdict for verdict in every if verdict in few] == few
    own = {scope: [v.monitor for v in few if v.scope == scope] for scope in plan.scopes}
    all_of = {scope: [v.monitor for v in every if v.scope == scope] for scope in plan.scopes}
    assert own["model"] == all_of["model"]
    assert own[SCOPES[-1]] == all_of[SCOPES[-1]]
    assert 2 <= len(own[SCOPES[0]]) <= 3 < len(all_of[SCOPES[0]])
    assert {"sight", "disagreement"} <= {*own[SCOPES[0]]}
