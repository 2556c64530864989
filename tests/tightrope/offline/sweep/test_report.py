from dataclasses import replace
from pathlib import Path

from tests.support.sweeps import small_sweep, variant
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.report import SweepReport, breaches
from tightrope.offline.sweep.sizes import ModelSize


def costs(p50: float, cpu: float, joules: dict[str, float | None] | None = None) -> Costs:
    """Return costs as multiples of the baseline's."""
    latency: dict[str, dict[str, float | None]] = {"p50": {"baseline": 1.0, "compressed": p50}}
    return Costs(latency, {}, {}, {}, {"baseline": 1.0, "compressed": cpu}, joules or {})


def with_costs(report: SweepReport, goal: Goal) -> SweepReport:
    """Give the qualified variant half the size, three times the latency and a third of the energy."""
    size = ModelSize(report.baseline_size.file_bytes // 2, 10)
    variants = [replace(each, costs=costs(3.0, 1 / 3), size=size) for each in report.variants]
    return replace(report, variants=variants, goal=goal)


def test_the_goal_decides_what_is_recommended(tmp_path: Path) -> None:
    """Only a variant that costs less than its baseline is; a harmful one never."""
    report = small_sweep(tmp_path)
    best = {goal: with_costs(report, goal).recommended for goal in Goal}
    names = {goal: None if found is None else found.variant.name for goal, found in best.items()}
    assert names == {Goal.SIZE: "good", Goal.LATENCY: None, Goal.ENERGY: "good"}
    assert not with_costs(report, Goal.ENERGY).counts_joules


def test_the_worst_group_is_the_one_with_the_largest_bound(tmp_path: Path) -> None:
    """On the rows that judge; what is over its limit is listed."""
    crossed = variant(small_sweep(tmp_path), "crossed")
    scope, bound = crossed.worst("disagreement") or ("", 0.0)
    assert scope == "side=right"
    assert bound == crossed.bound_in("disagreement", scope)
    assert [each.cell.scope for each in breaches(crossed)] == ["side=right"]
    assert crossed.worst("brier") is None
    assert replace(crossed, costs=None).ratio("latency_p50") is None
