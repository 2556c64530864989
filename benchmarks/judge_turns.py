"""Run the judge of a source tree in turns: the side of `python -m benchmarks.judge --against` that is measured.

The interpreter of the tree runs this file, so it imports nothing of its own tree: plan, rows and judge are those of the
tree's own benchmark, from the same seed, by the names that they had there. After ``ready`` each line of the input
starts a turn, whose processor time (s) is printed.

    env PYTHONPATH=TREE python -P judge_turns.py 1024 50
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from inspect import signature
from time import process_time
from types import ModuleType
from typing import Any

import numpy as np

SEED, RECOVERY_RATIO = 20_261_130, 0.75


def known_as(module: ModuleType, *names: str) -> Any:  # noqa: ANN401 - any member
    """The member of a module that has one of these names, the latest one first."""
    return next(getattr(module, name) for name in names if hasattr(module, name))


def with_classes(plan: Any, classes: int) -> Any:  # noqa: ANN401 - the plan of any tree
    """The plan with this number of classes; the model as a whole watches each of them."""
    budget = import_module(f"{type(plan).__module__.rpartition('.')[0]}.budget")
    specification = known_as(budget, "MonitorSpec", "Ask")
    specs = []
    for rule in plan.rules:
        monitor = rule.monitor if hasattr(rule, "monitor") else rule.question
        limits = rule.limits
        if getattr(monitor, "class_of", None) is not None:
            monitor, limits = replace(monitor, reach=budget.Reach.MODEL), limits[:1]
        if variants := monitor.variants(classes):  # the mix is for two classes alone since each class has its cells
            specs.append(specification(monitor, variants, limits))
    if hasattr(budget, "build_rules"):
        return replace(plan, rules=budget.build_rules(specs, RECOVERY_RATIO))
    return replace(plan, rules=budget.rules(specs, plan.budget, RECOVERY_RATIO))


def with_classes_said(rows: Any, classes: int) -> Any:  # noqa: ANN401 - the rows of any tree
    """The rows in which both models say classes that are equally frequent: where they differ, the compressed model says
    the next one.
    """
    said = np.random.default_rng(SEED).integers(0, classes, len(rows))
    return replace(rows, top_baseline=said, top_compressed=(said + rows.disagree) % classes)


def judge_of_tree(rows_a_record: int, classes: int) -> tuple[Callable[[], object], int]:
    """The judge's benchmark of the tree that is imported, and its number of rows; 0 classes: those of the demo."""
    benchmark = import_module("benchmarks.judge")
    plan = known_as(benchmark, "build_plan", "watched")()
    rows = benchmark.traffic(plan)
    if classes:
        plan, rows = with_classes(plan, classes), with_classes_said(rows, classes)
    records = known_as(benchmark, "to_records", "recorded")(rows, rows_a_record)
    most = getattr(benchmark, "MOST_RECORDS", len(records))
    if most < len(records) and "rows" in signature(benchmark.judge).parameters:
        count = most * rows_a_record
        return lambda: benchmark.judge(plan, records[:most], count), count
    return lambda: benchmark.judge(plan, records), len(rows)


def main(rows_a_record: int, classes: int) -> None:
    """Measure a turn for every line of the input."""
    judge, rows = judge_of_tree(rows_a_record, classes)
    judge()  # tables and caches are built once
    print(f"ready {rows}", flush=True)
    for _ in sys.stdin:
        began = process_time()
        judge()
        print(process_time() - began, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
