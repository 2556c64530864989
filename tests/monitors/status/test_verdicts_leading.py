"""The worst of many scopes have all verdicts, and the others only those that lead."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import CLASS_MONITORS, SCOPES, judge_rows, make_comparisons, make_plan
from tightrope.monitors.records import Stream
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.status.verdicts import leading_verdicts, verdicts
from tightrope.monitors.verdict import Verdict

MONITORS = [name for name, monitor in CLASS_MONITORS.items() if monitor.stream is Stream.COMPARISONS]


def without_texts(found: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts without their texts and their rows to a pass."""
    return [replace(verdict, text="", more=None) for verdict in found]


def test_leading_verdicts_are_those_of_the_full_list() -> None:
    """With equal figures, without texts but reasons and without rows to a pass: all for the model and the scope in safe
    mode, few for others.
    """
    plan = make_plan(*MONITORS)
    member = np.stack([np.arange(2048) % 3 == index for index in range(len(SCOPES))], axis=1)
    state, _ = judge_rows(plan, make_comparisons(2048, member=member))
    state = replace(state, modes=(*state.modes[:-1], Mode(ModeState.SAFE)))
    every = without_texts(verdicts(plan, state))
    leading = leading_verdicts(plan, state, len(plan.scopes))
    assert without_texts(leading) == every
    assert all(verdict.text in {"", verdict.note} and verdict.more is None for verdict in leading)
    assert any(verdict.more is not None for verdict in verdicts(plan, state))
    few = without_texts(leading_verdicts(plan, state, complete=2))
    assert [verdict for verdict in every if verdict in few] == few
    own = {scope: [v.monitor for v in few if v.scope == scope] for scope in plan.scopes}
    all_of = {scope: [v.monitor for v in every if v.scope == scope] for scope in plan.scopes}
    assert own["model"] == all_of["model"]
    assert own[SCOPES[-1]] == all_of[SCOPES[-1]]
    assert 2 <= len(own[SCOPES[0]]) <= 3 < len(all_of[SCOPES[0]])
    assert {"sight", "disagreement"} <= {*own[SCOPES[0]]}
