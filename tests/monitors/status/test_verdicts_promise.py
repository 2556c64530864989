"""The promise of a pass, through the whole fold: many subgroups at once, each a run of its own."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan, verdicts_by_cell
from tightrope.monitors.intervals.cohorts import RUNGS
from tightrope.monitors.intervals.ladder import ALPHA
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Outcome

GROUPS, ROWS, BATCH = 40, 2_048, 8_192
SCOPES = tuple(f"group={n}" for n in range(GROUPS))
SUBGROUP_LIMIT = 0.04


@pytest.mark.parametrize(("share", "most"), [(0.25, 1.0), (1.0, ALPHA / len(RUNGS) + 0.05), (3.0, 0.0)])
def test_passes_are_earned(share: float, most: float) -> None:
    """At a quarter of the limit every run passes; at the limit next to none ever does, and at three times none.

    At the limit two of forty runs may pass, which is more than a third of alpha by what chance allows.
    """
    plan = make_plan("disagreement", scopes=SCOPES, samples=1e3 if share > 1 else 1e9)
    rng, state, source = np.random.default_rng(5), initial_state(plan), RowSource(seconds=1e-6)
    passed = dict.fromkeys(SCOPES, False)
    for _ in range(GROUPS * ROWS // BATCH):
        group = rng.integers(0, GROUPS, BATCH)
        rows = source.rows(
            BATCH,
            disagree=rng.random(BATCH) < share * SUBGROUP_LIMIT,
            scopes=SCOPES,
            member=group[:, None] == np.arange(GROUPS),
        )
        state, _ = judge_rows(plan, rows, state=state)
        shown = verdicts_by_cell(plan, state)
        for scope in SCOPES:
            passed[scope] |= shown[scope, "disagreement"].outcome is Outcome.PASS
    share_passed = sum(passed.values()) / GROUPS
    assert share_passed <= most
    assert share > 0.5 or share_passed == 1.0
