"""The promise of the intervals, simulated: short runs of what `make bench-intervals` runs at length."""

import pytest

from benchmarks.intervals import PROMISE, SCENES, Scene, simulate

RUNS, TICKS, SEED = 400, 128, 3


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_intervals_and_passes_of_cohorts_keep_their_promise(scene: Scene) -> None:
    """Each is ever wrong in at most a third of alpha, though rates move."""
    wrong = simulate(scene, runs=RUNS, ticks=TICKS, seed=SEED)
    assert max(wrong.intervals) <= PROMISE
    assert max(wrong.passes) <= PROMISE


@pytest.mark.parametrize("factor", [1.5, 3.0])
def test_no_run_well_over_its_limit_ever_passes(factor: float) -> None:
    """At one and a half times the limit and at three times."""
    scene = Scene("over", lambda row: factor * 0.02 + 0.0 * row)
    assert simulate(scene, runs=RUNS, ticks=TICKS, seed=SEED).runs == 0
