"""Simulation of the intervals: how often a cohort's interval excludes the mean of its own stretch, and a pass is wrong.

Many runs of one rate or mean go through the cohorts at once, beside the truth of every cohort.

    python -m benchmarks.intervals
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from tightrope.monitors.intervals.cohorts import RUNGS, SPREAD, STEPS, TOTAL, Cohorts, Steps
from tightrope.monitors.intervals.ladder import ALPHA, PROOF, Bounds, proofs, standing
from tightrope.monitors.intervals.sequences import evidence_above, evidence_apart, evidence_below
from tightrope.monitors.records import Bools, Floats, Ints

TICK = 64
"""Rows of a tick."""

LIMIT = 0.02
CHANGE = 4_096
"""The row at which a rate moves."""

RUNS, TICKS, SEED = 4_000, 512, 20_260_911

PROMISE = ALPHA / len(RUNGS)
"""The share of cohorts whose interval may ever be wrong."""

Course = Callable[[Ints], NDArray[Any]]
"""The true rate, or mean, of each row by its number."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A course of a rate, or with a ``spread`` of values in [0, 1] around a mean.

    >>> Scene("constant", lambda row: 0.02 + 0.0 * row).spread
    0.0
    """

    name: str
    course: Course
    spread: float = 0.0

    def bounds(self, runs: int) -> Bounds:
        """The bounds of the runs."""
        limit = np.full(runs, LIMIT)
        return Bounds.of_mean(limit, 1.0, two_sided=True) if self.spread else Bounds(limit, np.full(runs, -1.0))


SCENES = (
    Scene("rate at half the limit", lambda row: 0.5 * LIMIT + 0.0 * row),
    Scene("rate at the limit", lambda row: LIMIT + 0.0 * row),
    Scene("rate at 1.5 times the limit", lambda row: 1.5 * LIMIT + 0.0 * row),
    Scene("rate at 3 times the limit", lambda row: 3 * LIMIT + 0.0 * row),
    Scene("rate of 10 %", lambda row: 0.1 + 0.0 * row),
    Scene("rate in waves from .5 to 1.5 times the limit", lambda row: LIMIT * (1 + 0.5 * np.sign(np.sin(row / 300)))),
    Scene("rate of 1 %, and of 6 % from a row on", lambda row: np.where(row < CHANGE, 0.01, 0.06)),
    Scene("mean at its tolerance", lambda row: 0.5 + LIMIT / 2 + 0.0 * row, 0.1),
    Scene("mean of 0, wide", lambda row: 0.5 + 0.0 * row, 0.4),
    Scene("mean in waves", lambda row: 0.5 + LIMIT * np.sin(row / 500), 0.2),
)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Shares that are ever wrong: intervals and passes of all cohorts by rung, and runs with a wrong pass shown.

    >>> Wrong([0.0], [0.0], 0.0).runs
    0.0
    """

    intervals: Sequence[float]
    passes: Sequence[float]
    runs: float


def simulate(scene: Scene, *, runs: int, ticks: int, seed: int) -> Wrong:
    """Run a scene. An interval is wrong where it excludes the mean of its own stretch; a pass of a cohort where that
    mean is not within the bounds; a pass that is shown where no open stretch is.
    """
    rng, bounds = np.random.default_rng(seed), scene.bounds(runs)
    seen, true = Cohorts.fresh(runs), Cohorts.fresh(runs)
    cohorts = np.zeros(len(RUNGS))
    ever, missed = np.zeros((2, runs, len(RUNGS)), dtype=bool), np.zeros((2, len(RUNGS)))
    shown = np.zeros(runs, dtype=bool)
    for tick in range(ticks):
        chance = scene.course(TICK * tick + np.arange(TICK))
        before = seen.age[0] // (np.array(RUNGS) / 2)
        seen = seen.after(_ticks(_values(rng, chance, scene.spread, runs)))
        true = true.after(_ticks(np.broadcast_to(chance, (runs, TICK))))
        mean = true.older[..., TOTAL] / np.maximum(true.older[..., STEPS], 1.0)
        sound = (mean < bounds.high[:, None] - 1e-12) & (mean > bounds.low[:, None] + 1e-12)
        ever[0] |= _excludes(seen.older, mean, means=bounds.means)
        ever[1] |= proofs(seen.older, bounds)[0] & ~sound
        shown |= standing(seen, bounds).within & ~sound.any(axis=1)
        # The older cohort of a rung ends where the next one begins; the first two beginnings end none.
        ended = (seen.age[0] // (np.array(RUNGS) / 2) > np.maximum(before, 1)) | (tick == ticks - 1)
        cohorts += ended * runs
        missed += ever.sum(axis=1) * ended
        ever &= ~ended
    wrong = missed / cohorts
    return Wrong(wrong[0].tolist(), wrong[1].tolist(), float(shown.mean()))


def _values(rng: np.random.Generator, chance: Floats, spread: float, runs: int) -> Floats:
    if not spread:
        return (rng.random((runs, len(chance))) < chance).astype(np.float64)
    return np.clip(chance + spread * rng.choice([-1.0, 1.0], (runs, len(chance))), 0, 1)


def _ticks(values: Floats) -> Steps:
    """One tick of every run."""
    count = np.full((1, len(values)), float(values.shape[1]))
    return Steps(count, values.sum(axis=1)[None], (values**2).sum(axis=1)[None])


def _excludes(older: Floats, mean: Floats, *, means: bool) -> Bools:
    """Mask the cohorts whose interval excludes a mean."""
    steps, total = older[..., STEPS], older[..., TOTAL]
    if means:
        return evidence_apart(np.abs(total - steps * mean), older[..., SPREAD]) >= PROOF
    return (evidence_below(steps, total, mean) >= PROOF) | (evidence_above(steps, total, mean) >= PROOF)


def main() -> None:
    """Simulate every scene, and print how often an interval, and a pass, is ever wrong."""
    table = Table(title=f"Ever wrong in {RUNS:,} runs of {TICK * TICKS:,} rows; at most {PROMISE:.2%} of cohorts")
    headings = [f"{what}, {width:,}" for what in ("interval", "pass") for width in RUNGS]
    for heading in ("scene", *headings, "runs with a wrong pass"):
        table.add_column(heading, justify="left" if heading == "scene" else "right")
    for scene in SCENES:
        wrong = simulate(scene, runs=RUNS, ticks=TICKS, seed=SEED)
        table.add_row(scene.name, *(f"{share:.2%}" for share in (*wrong.intervals, *wrong.passes, wrong.runs)))
    Console().print(table)


if __name__ == "__main__":
    main()
