from pathlib import Path

import numpy as np
import pytest

from tests.support.qualified_pair import sided_settings
from tests.support.sweeps import DISAGREEMENT, distinct_rows
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.progress import NO_PROGRESS
from tightrope.offline.qualification.criteria import plan_criteria
from tightrope.offline.qualification.runner import QualificationRun
from tightrope.offline.qualification.stages import TimedProgress
from tightrope.offline.sweep.variant_run import (
    at_alpha,
    compare_variant,
    judging_cells,
    measure_variant_costs,
    screen_variant,
)


def run_of(folder: Path) -> QualificationRun:
    """Return the run of `CROSSED`."""
    settings, timed = sided_settings(folder, qualification=DISAGREEMENT), TimedProgress(NO_PROGRESS, None)
    evaluation = prepare(settings, None, distinct_rows(folder))
    return QualificationRun(evaluation, settings, plan_criteria(evaluation.pair, settings), timed, stress=False)


def test_the_parts_look_at_their_own_rows(tmp_path: Path) -> None:
    """The harm of this variant is in the first half alone: the rows that choose do not see it in the other one."""
    run = run_of(tmp_path)
    compared = compare_variant(run)
    harmed = compared.rows.ways[0].disagree
    first = np.cumsum(harmed) <= harmed.sum() // 2
    screened = screen_variant(run, compared, first)
    assert screened.opposed == ["side=right disagreement"]
    assert screen_variant(run, compared, ~harmed).opposed == []
    cells = judging_cells(compared, run.plan, first, (), NO_PROGRESS)
    assert next(each.evidence.rows for each in cells if each.evidence) == int((~first).sum())


def test_the_bounds_are_those_of_the_level(tmp_path: Path) -> None:
    """A smaller alpha has larger bounds, and the digest of the criteria stays."""
    run = run_of(tmp_path)
    compared, chosen = compare_variant(run), np.arange(1000) < 300
    level = at_alpha(run.plan, 0.001)
    assert (level.alpha, level.digest) == (pytest.approx(0.001), run.plan.digest)
    bounds = [
        judging_cells(compared, plan, chosen, (), NO_PROGRESS)[0].evidence.bound  # type: ignore[union-attr]
        for plan in (run.plan, level)
    ]
    assert bounds[0] < bounds[1]


def test_costs_need_no_process_of_their_own(tmp_path: Path) -> None:
    """Latency, size and the processor's time; a fresh process is started only for a criterion that asks for it."""
    costs = measure_variant_costs(run_of(tmp_path), energy=False)
    assert costs.peak_bytes == {}
    assert set(costs.latency) == {"p50", "p99"}
    assert set(costs.file_bytes) == set(costs.cpu_seconds_per_row) == {"baseline", "compressed"}
