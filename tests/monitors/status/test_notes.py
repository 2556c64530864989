"""The verdict on a kind whose rows do not speak: without a loss nothing would ever alarm."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors import observations
from tightrope.monitors.detector_bank import PATH_TICKS
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Outcome
from tightrope.monitors.status.verdicts import verdicts
from tightrope.monitors.verdict import Verdict

TICK_ROWS = 4
NAN = float("nan")


def plan_of_losses() -> Plan:
    """A plan of one monitor, of a kind's losses, without subgroups, in ticks of four rows."""
    plan = make_plan("disagreement", scopes=(), tick_rows=TICK_ROWS)
    (rule,) = plan.rules
    losses = replace(rule.monitor, observe=observations.loss)
    return replace(plan, rules=(replace(rule, monitor=losses, alarm=replace(rule.alarm, fractional=True)),))  # type: ignore[type-var]


def verdict_after(plan: Plan, *losses: float) -> Verdict:
    """The verdict after one tick for each of these losses."""
    traffic, state = RowSource(), None
    for loss in losses:
        state, _ = judge_rows(plan, traffic.rows(TICK_ROWS, loss=loss, scopes=()), state=state)
    assert state is not None
    (verdict,) = (each for each in verdicts(plan, state) if each.monitor == "disagreement")
    return verdict


def test_model_whose_rows_never_speak_is_an_error() -> None:
    """As with a mask that keeps no place; the note says what to look at."""
    verdict = verdict_after(plan_of_losses(), *[NAN] * PATH_TICKS)
    assert verdict.outcome is Outcome.ERROR
    assert (
        verdict.note
        == "none of the rows of the last 16 ticks has a loss that counts: a mask without places, or repeats?"
    )


@pytest.mark.parametrize("losses", [[NAN] * (PATH_TICKS - 1), [*[NAN] * (PATH_TICKS - 1), 0.0]], ids=["few", "one"])
def test_few_silent_rows_are_no_error(losses: list[float]) -> None:
    """Nor is one row that speaks."""
    verdict = verdict_after(plan_of_losses(), *losses)
    assert (verdict.outcome, verdict.note) == (Outcome.INSUFFICIENT, "")


def test_plain_classifier_has_no_losses_to_miss() -> None:
    """Its rows say whether the decisions differ."""
    verdict = verdict_after(make_plan("disagreement", scopes=(), tick_rows=TICK_ROWS), *[NAN] * PATH_TICKS)
    assert (verdict.note, verdict.count) == ("", PATH_TICKS * TICK_ROWS)


def test_model_that_speaks_again_is_no_error() -> None:
    """The next verdict counts its rows."""
    verdict = verdict_after(plan_of_losses(), *[NAN] * PATH_TICKS, 0.0)
    assert np.isfinite(verdict.mean or 0.0)
    assert verdict.outcome is Outcome.INSUFFICIENT
