"""The sums of a model's cells: their places, their units, and where a breach began."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.intervals.estimates import Estimates, rows_to_pass
from tightrope.monitors.intervals.sequences import steps_to_prove_rate
from tightrope.monitors.plan import Plan, State, initial_state
from tightrope.monitors.records import Outcome, Stream
from tightrope.monitors.status.verdicts import verdicts

IN_A = [True, False, False]


def judged(plan: Plan, *, ticks: int, disagree: float, state: State | None = None, source: RowSource) -> State:
    """Fold full ticks of rows of group=a; a share of them disagrees."""
    rows = plan.tick_rows * ticks
    every = np.arange(rows) % max(round(1 / disagree), 1) == 0 if disagree else np.zeros(rows, dtype=bool)
    return judge_rows(plan, source.rows(rows, disagree=every, member=IN_A), state=state)[0]


def test_each_cell_has_its_own_sums() -> None:
    """Rates and means, of watched scopes only, in the units of their monitors."""
    plan = make_plan("disagreement", "confidence", "confidence_shape")
    rows = RowSource().rows(640, disagree=np.arange(640) % 4 == 0, confidence_compressed=0.25, member=IN_A)
    state, _ = judge_rows(replace(plan, budget=replace(plan.budget, samples=1e300)), rows)
    cells = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 0), (1, 0, 1), (2, 8, 0)]
    found = state.estimates.intervals(plan.rules, cells)
    assert len(state.estimates.cohorts.age) == 4 + 4 + 9
    assert [found[cell].mean if found[cell] else None for cell in cells] == pytest.approx(
        [0.25, 0.25, None, 0.25, 0.25, 0.0]
    )
    shown = found[1, 0, 0]
    assert shown is not None
    assert (shown.rows, -1 < shown.lower < 0.25 < shown.upper < 1) == (640, True)


def test_label_monitors_have_cells_of_their_own() -> None:
    """A block of one stream leaves those of the other where they are."""
    plan = make_plan("disagreement", "accuracy")
    right = np.ones(64)
    rows = RowSource().rows(64, correct_baseline=right, correct_compressed=right)
    state, _ = judge_rows(plan, rows, stream=Stream.LABELS)
    found = state.estimates.intervals(plan.rules, [(0, 0, 0), (1, 0, 0)])
    assert found[0, 0, 0] is None
    assert found[1, 0, 0] is not None
    assert len(state.estimates.checkpoints.rows) == 0


def test_rows_to_pass_are_those_without_any_difference() -> None:
    """Each scope at its own limit."""
    plan = make_plan("disagreement", "confidence")
    rate, mean = (rows_to_pass(rule, {}) for rule in plan.rules)
    assert rate == pytest.approx(steps_to_prove_rate(plan.rules[0].limits, np.zeros(4), np.log(120)))
    assert (rate[0] > rate[1], mean[0] > mean[1] > 0) == (True, True)


def test_beginning_is_kept_until_the_scope_returns() -> None:
    """It counts requests while each has one row, and stays while the scope is safe."""
    plan, source = make_plan("disagreement", tick_rows=16), RowSource()
    state = judged(plan, ticks=40, disagree=0.0, source=source)
    state = judged(plan, ticks=40, disagree=0.5, source=source, state=state)
    (shown,) = (v for v in verdicts(plan, state) if (v.scope, v.monitor) == ("group=a", "disagreement"))
    assert shown.outcome is Outcome.BREACH
    assert shown.since is not None
    assert (shown.since.unit, abs(shown.since.number - 640) <= 16) == ("request", True)
    assert shown.since.earliest <= 640 <= shown.since.latest
    assert shown.since.time == pytest.approx(shown.since.number, abs=1)
    assert state.estimates.with_onsets("group=a", None).onsets == {}


def test_beginning_counts_rows_where_requests_have_several() -> None:
    """Neighbours with one id are rows of one request."""
    estimates = Estimates.fresh(())
    assert not estimates.noting(("a", "b", "c")).several
    assert not estimates.noting(("a", "b", "a")).several
    assert estimates.noting(("a", "a")).noting(("b",)).several


def test_a_start_forgets_the_cells_of_its_scope() -> None:
    """Others go on. A change of mode alone leaves the checkpoints, which belong to the detectors."""
    plan = make_plan("disagreement", "confidence")
    state = judged(plan, ticks=4, disagree=0.0, source=RowSource())
    first = np.array([False, True, False, False])
    fresh = state.estimates.reset(plan.rules, [first, first], 256, 9.0)
    assert fresh.cohorts.age.tolist() == [256, 0, 0, 0, 256, 0, 0, 0]
    assert fresh.checkpoints.start.tolist() == [0, 256, 0, 0]
    moved = state.estimates.restarted(plan.rules, [first, first])
    assert (moved.cohorts.age.tolist(), moved.checkpoints) == (fresh.cohorts.age.tolist(), state.estimates.checkpoints)
    none = np.zeros(4, dtype=bool)
    assert state.estimates.reset(plan.rules, [none, none], 256, 9.0) is state.estimates


def test_sums_of_other_rules_do_not_fit() -> None:
    """A snapshot without any neither."""
    plan, other = make_plan("disagreement"), make_plan("confidence")
    assert Estimates.fresh(plan.rules).fits(plan.rules)
    assert not Estimates.fresh(plan.rules).fits(other.rules)
    assert not Estimates.fresh(()).fits(plan.rules)


def test_means_have_no_beginning() -> None:
    """The set of moments is proved for rates; a breach of a mean tells no moment."""
    plan, source = make_plan("confidence", tick_rows=16), RowSource()
    rows = [source.rows(320, confidence_baseline=0.8, confidence_compressed=0.8 - moved) for moved in (0.0, 0.4)]
    state = initial_state(plan)
    for each in rows:
        state, _ = judge_rows(plan, each, state=state)
    (shown,) = (v for v in verdicts(plan, state) if (v.scope, v.monitor) == ("model", "confidence"))
    assert (shown.outcome, shown.since) == (Outcome.BREACH, None)
    assert state.estimates.locate(plan.rules, (0, 0, 0), "request") is None


def test_standing_of_chosen_scopes_is_that_of_all() -> None:
    """Others are neither within their bounds nor beyond; without a look ahead no rows to a pass are computed."""
    plan = make_plan("disagreement", "confidence", "confidence_shape")
    rows = RowSource().rows(640, disagree=np.arange(640) % 4 == 0, confidence_compressed=0.25, member=IN_A)
    estimates = judge_rows(replace(plan, budget=replace(plan.budget, samples=1e300)), rows)[0].estimates
    chosen = [np.arange(len(rule.limits)) == 0 for rule in plan.rules]
    for rule, whole, part in zip(
        plan.rules,
        estimates.standings(plan.rules),
        estimates.standings(plan.rules, chosen, ahead=False),
        strict=True,
    ):
        assert (part.within[:, 0] == whole.within[:, 0]).all()
        assert (part.beyond[:, 0] == whole.beyond[:, 0]).all()
        assert whole.beyond[:, 0].any()
        assert not (part.within[:, 1:] | part.beyond[:, 1:]).any()
        assert whole.more.any()
        assert not part.more.any()
        assert whole.within.shape[1] == rule.watched.sum()
