"""Cells of classes with limits of their own, and classes without a cell, through the whole judgement."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import judge_rows, make_comparisons
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.dependence.cluster_sums import ClusterSums
from tightrope.monitors.evidence import RateTest
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import MODEL_SCOPE, Bools, Comparisons, Floats, Outcome
from tightrope.monitors.status.verdicts import verdicts

MISS = CATALOGUE["class_miss"]
CLASSES = ("a", "b", "c")


def plan_of(limits: Floats | None = None, cells: Bools | None = None, critical: tuple[str, ...] = ()) -> Plan:
    """A plan with one monitor, of three classes."""
    spec = MonitorSpec(MISS, CLASSES, np.array([0.1]), critical=critical, variant_limits=limits, cells=cells)
    rules = build_rules([spec], recovery_ratio=0.75)
    return Plan("m", "b1", "c1", (MODEL_SCOPE,), np.ones(1), rules, budget=Budget(1e6), tick_seconds=1e9)


def rows_with(rates: tuple[float, float, float], n: int = 6_000) -> Comparisons:
    """Rows of the three classes in turn, each missed at its rate."""
    baseline = np.arange(n) % 3
    missed = np.random.default_rng(0).random(n) < np.array(rates)[baseline]
    compressed = np.where(missed, (baseline + 1) % 3, baseline)
    return make_comparisons(n, scopes=(), top_baseline=baseline, top_compressed=compressed, disagree=missed)


def test_class_is_judged_by_its_own_limit() -> None:
    """At half of a raised limit it passes, and the default one would be breached."""
    rows, raised = rows_with((0.25, 0.01, 0.01)), np.array([[0.5], [0.1], [0.1]])
    outcomes = {
        name: next(v for v in verdicts(plan, judge_rows(plan, rows)[0]) if v.monitor == "class_miss")
        for name, plan in (("raised", plan_of(raised)), ("default", plan_of()))
    }
    assert (outcomes["raised"].outcome, outcomes["default"].outcome) == (Outcome.PASS, Outcome.BREACH)
    assert (outcomes["default"].variant, outcomes["default"].limit) == ("a", 0.1)


def test_breach_of_a_raised_limit_names_it() -> None:
    """In the event and in the verdict."""
    plan = plan_of(np.array([[0.2], [0.1], [0.1]]))
    state, transitions = judge_rows(plan, rows_with((0.6, 0.01, 0.01)))
    cases = transitions[0].evidence["monitors"]
    assert isinstance(cases, list)
    assert (cases[0]["variant"], cases[0]["limit"]) == ("a", 0.2)
    (shown,) = (v for v in verdicts(plan, state) if v.monitor == "class_miss")
    assert shown.limit == 0.2


def test_class_without_a_cell_neither_alarms_nor_keeps_others_from_a_pass() -> None:
    """Its rows are counted, and the others share its part of the budget."""
    plan = plan_of(cells=np.array([[False], [True], [True]]))
    state, transitions = judge_rows(plan, rows_with((1.0, 0.01, 0.01)))
    assert transitions == []
    (shown,) = (v for v in verdicts(plan, state) if v.monitor == "class_miss")
    assert (shown.outcome, shown.variant in {"b", "c"}) == (Outcome.PASS, True)
    assert np.isneginf(state.cells[0].log_mass[0]).all()
    assert plan.rules[0].weights.ravel().tolist() == [0, 1.5, 1.5]


@pytest.mark.parametrize("rows", [1.0, 8.0])
def test_limits_of_variants_count_as_rules_of_their_own(rows: float) -> None:
    """Single rows, and steps of several."""
    limits = np.array([[0.2], [0.1], [0.02]])
    plan = plan_of(limits)
    alarm = plan.rules[0].alarm
    assert isinstance(alarm, RateTest)
    steps = ClusterSums(
        np.zeros(3, int), np.arange(3), np.zeros(3, int), np.arange(3), np.full(3, rows), np.full(3, rows / 2)
    )
    together = alarm.log_e_of_clusters(steps)
    for variant, limit in enumerate(limits):
        (rule,) = build_rules([MonitorSpec(MISS, ("x",), limit)], recovery_ratio=0.75)
        alone = rule.alarm.log_e_of_clusters(steps.take(np.array([0])))
        assert together[variant].tolist() == alone[0].tolist()
