"""One budget for all cells: shares of every cell of every monitor."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import CLASS_MONITORS, monitor_specs
from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_SHARE
from tightrope.monitors.definitions.definition import Hypothesis, Reach
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.evidence import MeanTest, RateTest


def all_rules(subgroups: int, classes: int, lanes: int = 1) -> tuple[Rule, ...]:
    """Build the rules of all monitors of a model with this number of subgroups and classes."""
    scopes = tuple(f"g={n}" for n in range(subgroups))
    return build_rules(monitor_specs(scopes=scopes, classes=classes, lanes=lanes), 0.75)


@pytest.mark.parametrize("subgroups", [0, 1, 23, 400])
@pytest.mark.parametrize("classes", [2, 3, 20])
def test_shares_of_all_cells_sum_to_at_most_one(subgroups: int, classes: int) -> None:
    """The sum over all cells of all variants of all monitors, for any number of subgroups and classes."""
    rules = all_rules(subgroups, classes)
    assert sum(float(rule.shares.sum()) * len(rule.variants) for rule in rules) <= 1
    model_shares = [rule.shares[0] * len(rule.variants) for rule in rules]
    assert model_shares == pytest.approx([monitor.share for monitor in CLASS_MONITORS.values()])
    subgroup_shares = np.concatenate([np.tile(rule.shares[1:], len(rule.variants)) for rule in rules])
    assert subgroup_shares.sum() == pytest.approx(SUBGROUP_SHARE if subgroups else 0)
    parts = [rule.shares[1] * len(rule.variants) for rule in rules if subgroups and rule.watched[1]]
    assert parts == pytest.approx([SUBGROUP_SHARE / max(subgroups * len(parts), 1)] * len(parts))


def test_scopes_of_undeclared_values_have_the_part_of_one_subgroup_together() -> None:
    """However many attributes there are; the sum is the same, and so are scopes that are added."""
    scopes = ("a=1", "a=2", "a=other", "b=1", "b=other")
    others = np.array([False, *(scope.endswith("other") for scope in scopes)])
    plain = [spec.with_added([0.002]) for spec in monitor_specs(scopes=scopes)]
    rules = build_rules([replace(spec, others=others) for spec in plain], 0.75)
    for rule, even in zip(rules, build_rules(plain, 0.75), strict=True):
        if rule.watched[1:].any():
            assert rule.shares[1:6] == pytest.approx(even.shares[1] * 5 / 4 * np.array([1, 1, 0.5, 1, 0.5]))
        assert rule.shares.sum() == pytest.approx(even.shares.sum())
        assert rule.shares[[0, -1]].tolist() == even.shares[[0, -1]].tolist()


@pytest.mark.parametrize("lanes", [1, 2, 50])
def test_lanes_share_the_budget_by_sharing_the_rows(lanes: int) -> None:
    """A lane's share is its variant's: every row seeds one lane only, so the sum over a stream is equal."""
    for rule, alone in zip(all_rules(3, 2, lanes), all_rules(3, 2), strict=True):
        assert rule.lanes == lanes
        assert rule.shares.tolist() == alone.shares.tolist()
        assert [rule.variant_name(index) for index in range(len(rule.variants) * lanes)] == [
            name for name in rule.variants for _ in range(lanes)
        ]


def test_monitors_reach_the_scopes_that_they_declare() -> None:
    """The model, the subgroups, or all: where a monitor does not reach, it has no budget."""
    for rule in all_rules(2, 3):
        expected = {Reach.ALL: [True] * 3, Reach.MODEL: [True, False, False], Reach.SUBGROUPS: [False, True, True]}
        assert rule.watched.tolist() == expected[rule.monitor.reach], rule.monitor.name


def test_hypotheses_get_their_tests() -> None:
    """A rate is counted; a mean is bet on from both sides, an upper one from above; ternary values are counted."""
    for rule in all_rules(2, 3):
        hypothesis = rule.monitor.hypothesis
        if hypothesis is Hypothesis.RATE:
            assert isinstance(rule.alarm, RateTest)
            assert (rule.alarm.width, rule.recovery.width) == (6, 4)
            continue
        assert isinstance(rule.alarm, MeanTest)
        assert rule.alarm.width == rule.recovery.width == (7 if hypothesis is Hypothesis.UPPER else 14)
        assert rule.alarm.ternary == rule.monitor.ternary


def test_quantity_of_a_larger_bound_is_not_taken_for_a_ternary_one() -> None:
    """Only -1, 0 and 1 can be counted."""
    monitor = CATALOGUE["accuracy"]
    (rule,) = build_rules([MonitorSpec(monitor, ("",), np.array([0.01]), bound=2.0)], 0.75)
    assert isinstance(rule.alarm, MeanTest)
    assert not rule.alarm.ternary


def test_threshold_is_the_logarithm_of_the_samples() -> None:
    """The threshold is in nats."""
    assert Budget(1e6).threshold == pytest.approx(6 * np.log(10), rel=1e-15)
