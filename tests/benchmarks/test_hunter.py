"""The benchmark of the search finds the demo's harmed group by its name, and nothing of a good model."""

import numpy as np

from benchmarks.hunter import DemoRows, demo_rows, orders, search


def found(demo: DemoRows, rows: int) -> list[str]:
    """The words of the groups that are found in the first rows of the first shuffled order."""
    order = next(orders(len(demo.rows), story=False))
    plan = demo.plan.search
    assert plan is not None
    findings = search(demo.plan, demo.ordered(order[:rows]))
    return [plan.layout.words(finding.predicates) for finding in findings]


def test_demos_harmed_group_is_named_within_a_thousand_rows() -> None:
    """With nothing declared, by the titles of the configuration."""
    demo = demo_rows("bad_distilled_households_only")
    assert found(demo, 1_000) == ["residence: group quarters"]
    ordered = demo.ordered(np.arange(100))
    assert ordered.features.shape == (100, 16)


def test_nothing_is_found_of_a_good_model() -> None:
    """In all of the demo's rows."""
    assert found(demo_rows("good_int8"), 12_000) == []
