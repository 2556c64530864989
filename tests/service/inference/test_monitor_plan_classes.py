"""The plan of a model with more classes than subgroups watch one by one."""

from pathlib import Path

from tests.support.many_classes import merged_classes
from tests.support.serving.service_harness import settings_of
from tightrope.monitors.plan import Plan
from tightrope.service.app import load_pairs


def many_classes_plan(folder: Path, **section: object) -> Plan:
    """The plan of a pair of 25 classes with two subgroups."""
    subgroups = {"first": {"column": 0, "values": {"yes": [1]}}}
    models = {"m": merged_classes(folder, golden=False, subgroups=subgroups, **section)}
    return load_pairs(settings_of(folder, models))["m"].plan  # type: ignore[arg-type]


def test_subgroups_of_many_classes_watch_the_critical_ones_and_all_others(tmp_path: Path) -> None:
    """At twice the limit of the model; without critical classes they have none, and the digest stays what it was."""
    plan = many_classes_plan(tmp_path, decision={"critical": [3]})
    rules = [rule for rule in plan.rules if rule.monitor.name == "class_miss"]
    assert [len(rule.variants) for rule in rules] == [25, 2]
    assert (rules[1].variants, rules[1].limits.tolist()) == (("class 3", "all other classes"), [0.1, 0.2, 0.2])
    assert rules[1].watched.tolist() == [False, True, True]
    plain, again = many_classes_plan(tmp_path), many_classes_plan(tmp_path, decision={"critical": [4]})
    assert plain.monitors.count("class_miss") == 1
    assert len({plan.digest, plain.digest, again.digest}) == 3
