"""The monitor of clear rows in the fold: it learns its margin from the first rows, then counts those above it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.support.judgement.comparisons import (
    RowSource,
    bit_exact,
    judge_rows,
    make_plan,
    monitor_specs,
    verdicts_by_cell,
)
from tightrope.monitors.budget import build_rules
from tightrope.monitors.clear_rows.clear_margin import MARGIN_ROWS, ClearDisagreement
from tightrope.monitors.definitions.clear_monitor import clear_above
from tightrope.monitors.migration import migrate_state
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons, Outcome
from tightrope.monitors.safemode import Input
from tightrope.monitors.watched_groups.plans import judged_plan
from tightrope.service.adapters.wire.record_codec import decode_state, encode_state

CLEAR_ALONE = make_plan("clear_disagreement", scopes=())
PLAN = make_plan("clear_disagreement", "disagreement", scopes=())
LEARNING_TICKS = -(-MARGIN_ROWS // PLAN.tick_rows)


def stream(n: int, *, clear: float, doubtful: float, seed: int = 5) -> Comparisons:
    """Rows whose margins are even in [0, 1]; those above .1 differ at the rate ``clear``, those below .05 at
    ``doubtful``.
    """
    rng = np.random.default_rng(seed)
    margin = rng.random(n)
    differs = rng.random(n) < np.select([margin > 0.1, margin < 0.05], [clear, doubtful])
    return RowSource().rows(n, scopes=(), margin_baseline=margin, disagree=differs)


def clear_count(plan: Plan, state: State) -> int:
    """The rows that the monitor counts at the model."""
    return int(state.cells[plan.monitors.index("clear_disagreement")].count[0, 0])


def test_first_rows_fix_the_margin_and_later_ones_are_judged() -> None:
    """The rows of the learning ticks are no evidence; of the next ones nine in ten count."""
    rows = stream(4_096, clear=0.0, doubtful=0.0)
    learning, later = rows.take(slice(LEARNING_TICKS * 64)), rows.take(slice(LEARNING_TICKS * 64, None))
    state, _ = judge_rows(PLAN, learning)
    assert state.margin.margin == pytest.approx(0.1, abs=0.03)
    assert clear_count(PLAN, state) == 0
    margin = state.margin.margin
    state, _ = judge_rows(PLAN, later, state=state)
    assert clear_count(PLAN, state) == int((later.margin_baseline > margin).sum())
    assert state.margin.margin == margin


def test_breach_among_clear_rows_is_one_of_its_own() -> None:
    """Three in a hundred clear rows differ, and no other."""
    _, moved = judge_rows(CLEAR_ALONE, stream(8_192, clear=0.03, doubtful=0.0))
    assert (moved[0].scope, moved[0].trigger) == ("model", Input.BREACH)
    assert moved[0].reason.startswith("clear_disagreement")


def test_differences_in_doubtful_rows_are_none() -> None:
    """Even if every second row about which the baseline hesitates most gets another answer."""
    state, moved = judge_rows(CLEAR_ALONE, stream(16_384, clear=0.0, doubtful=0.5))
    assert moved == []
    assert (
        verdicts_by_cell(judged_plan(CLEAR_ALONE, state), state)["model", "clear_disagreement"].outcome is Outcome.PASS
    )


def test_verdict_says_what_it_waits_for() -> None:
    """The rows so far, and the key that fixes the margin before traffic; afterwards it says nothing of it."""
    rows = stream(2_048, clear=0.0, doubtful=0.0)
    state, _ = judge_rows(PLAN, rows.take(slice(640)))
    waiting = verdicts_by_cell(PLAN, state)["model", "clear_disagreement"]
    assert waiting.outcome is Outcome.INSUFFICIENT
    assert "640 of the 1,000 rows that fix it are compared" in waiting.text
    assert "models.m.golden" in waiting.text
    state, _ = judge_rows(PLAN, rows.take(slice(640, None)), state=state)
    later = verdicts_by_cell(judged_plan(PLAN, state), state)["model", "clear_disagreement"]
    assert "margin" not in later.text


@pytest.mark.parametrize("cuts", [(1,), (999, 1_000, 1_001), (64, 1_023, 1_024, 1_025, 3_000)])
def test_polling_and_restarts_change_no_bit(cuts: tuple[int, ...]) -> None:
    """Batches of any size, with the state written and read between them."""
    rows = stream(4_000, clear=0.02, doubtful=0.3)
    whole, moved = judge_rows(PLAN, rows)
    state, transitions = judge_rows(PLAN)
    for begin, end in pairwise([0, *cuts, len(rows)]):
        state, made = judge_rows(PLAN, rows.take(slice(begin, end)), state=decode_state(encode_state(state)))
        transitions += made
    assert bit_exact(state) == bit_exact(whole)
    assert bit_exact(transitions) == bit_exact(moved)


def test_known_margin_needs_no_rows() -> None:
    """A plan that has it judges from the first row on, and learns nothing."""
    (spec,) = monitor_specs("clear_disagreement", scopes=())
    spec = replace(spec, monitor=clear_above(spec.monitor, 0.1))
    known = make_plan("clear_disagreement", scopes=(), rules=build_rules([spec], 0.75), specs=(spec,))
    rows = stream(640, clear=0.0, doubtful=0.0)
    state, _ = judge_rows(known, rows)
    assert clear_count(known, state) == int((rows.margin_baseline > 0.1).sum())
    assert (state.margin.margin, len(state.margin.margins)) == (None, 0)
    assert judged_plan(known, state) is known


def test_learned_margin_is_part_of_the_judged_plan() -> None:
    """Its rules observe above it; the digest is that of the plan, so that a restart goes on."""
    state, _ = judge_rows(PLAN, stream(2_048, clear=0.0, doubtful=0.0))
    plan = judged_plan(PLAN, state)
    observed = {rule.monitor.name: rule.monitor.observe for rule in plan.rules}
    assert observed["clear_disagreement"] == ClearDisagreement(state.margin.margin)
    assert (plan.digest, plan.scopes) == (PLAN.digest, PLAN.scopes)
    assert judged_plan(plan, state) is plan


def test_margin_of_another_pair_is_not_taken_over() -> None:
    """Another baseline has other margins: under another plan it is learned anew, though modes stay."""
    state, _ = judge_rows(PLAN, stream(2_048, clear=0.0, doubtful=0.0))
    other = replace(PLAN, digest="d2", baseline_digest="b2")
    for plan in (other, judged_plan(other, state)):
        moved = migrate_state(plan, state)
        assert moved.margin.margin is None
        assert judged_plan(plan, moved).rules[0].monitor.observe == ClearDisagreement()
