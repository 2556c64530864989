"""Run every method on every scene: false alarms, and the delay until a change is found."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from benchmarks.power.method import Cost, Method
from benchmarks.power.scenes import Cell, Scene, draw

PROCESSES = 2

QUIET_REPETITIONS = {Cost.ARRAYS: 100, Cost.LOOP: 20, Cost.REPORT: 6}
CHANGE_REPETITIONS = {Cost.ARRAYS: 400, Cost.LOOP: 60, Cost.REPORT: 20}
"""Repetitions by cost of a method: of scenes without a harmful change, and of scenes with one, which end early."""

JOB_REPETITIONS = 25
"""Repetitions of one job of the process pool."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One method on one scene. ``alarms`` are the false alarms of each repetition, ``samples`` the samples of a
    repetition in which they count, ``delays`` the samples from the change to its alarm, infinite where it is missed.
    """

    alarms: tuple[int, ...]
    samples: int
    delays: tuple[float, ...]

    @property
    def repetitions(self) -> int:
        """The number of streams."""
        return len(self.alarms)

    @property
    def per_100_000(self) -> float:
        """False alarms per 100,000 samples."""
        return 1e5 * sum(self.alarms) / (self.samples * self.repetitions)

    @property
    def runs_with_alarm(self) -> float:
        """The share of streams with any false alarm."""
        return sum(count > 0 for count in self.alarms) / self.repetitions

    @property
    def missed(self) -> float:
        """The share of streams whose change was missed."""
        return float(np.mean(np.isinf(self.delays)))

    def delay(self, share: float) -> float:
        """The samples within which this share of the changes was found; infinite when it was not."""
        return float(np.quantile(self.delays, share, method="higher"))


OutcomeKey = tuple[str, str, str]
Outcomes = dict[OutcomeKey, Outcome]
"""By family, scene and method."""


def repetitions(scene: Scene, cost: Cost) -> int:
    """Repetitions of a scene for a method of this cost."""
    return (QUIET_REPETITIONS if scene.quiet else CHANGE_REPETITIONS)[cost]


def run_once(method: Method, scene: Scene, cells: Sequence[Cell]) -> tuple[int, float]:
    """False alarms of one repetition, and the delay of the true alarm (infinite in a quiet scene)."""
    stop = scene.length if scene.quiet else scene.change
    alarms = np.concatenate([method.alarms(cell.spec, cell.rows, stop) for cell in cells])
    true = alarms[alarms >= stop]
    since = scene.change if scene.benign else 0
    return int(np.sum((alarms >= since) & (alarms < stop))), float(true.min() - stop + 1) if len(true) else np.inf


def run_repetitions(methods: Sequence[Method], scene: Scene, begin: int, end: int) -> list[tuple[str, int, float]]:
    """Run repetitions of a scene: each is drawn once for all methods that take part in it."""
    results = []
    for repetition in range(begin, end):
        cells = draw(scene, repetition)
        active = [method for method in methods if repetition < repetitions(scene, method.cost)]
        results += [(method.name, *run_once(method, scene, cells)) for method in active]
    return results


def measure(panels: Sequence[tuple[Sequence[Method], Scene]]) -> Outcomes:
    """Run all scenes with their methods on two processes, the expensive jobs first."""
    jobs = sorted(_jobs(panels), key=lambda job: job[2])
    with ProcessPoolExecutor(PROCESSES) as pool:
        futures = [(job[1], pool.submit(run_repetitions, *job)) for job in jobs]
        results = [(scene.family, scene.name, *line) for scene, future in futures for line in future.result()]
    scenes = {(scene.family, scene.name): scene for _, scene in panels}
    lines = sorted(results, key=lambda line: line[:3])
    return {key: _outcome(scenes[key[:2]], list(of_key)) for key, of_key in groupby(lines, key=lambda line: line[:3])}


def _jobs(panels: Sequence[tuple[Sequence[Method], Scene]]) -> Iterator[tuple[Sequence[Method], Scene, int, int]]:
    for methods, scene in panels:
        last = max(repetitions(scene, method.cost) for method in methods)
        slow = max(repetitions(scene, cost) for cost in (Cost.LOOP, Cost.REPORT))
        step = min(JOB_REPETITIONS, slow // 4)  # only the first repetitions include slow methods: smaller jobs
        bounds = [*range(0, slow, step), *range(slow, last, JOB_REPETITIONS), last]
        yield from ((methods, scene, begin, end) for begin, end in pairwise(bounds) if begin < end)


def _outcome(scene: Scene, lines: Sequence[tuple[str, str, str, int, float]]) -> Outcome:
    samples = scene.length if scene.quiet else scene.change
    samples -= scene.change if scene.benign else 0
    return Outcome(tuple(line[3] for line in lines), samples, tuple(line[4] for line in lines))
