"""Every method on every scene: the false alarms, and how long a change takes to be found."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from benchmarks.power.method import Cost, Method
from benchmarks.power.scenes import Cell, Scene, draw

PROCESSES = 2

QUIET = {Cost.ARRAYS: 100, Cost.LOOP: 20, Cost.REPORT: 6}
LOUD = {Cost.ARRAYS: 400, Cost.LOOP: 60, Cost.REPORT: 20}
"""Repetitions of scenes without a harmful change, which take long, and with one, which end when it is found."""

PIECE = 25
"""Repetitions that a process takes at a time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One method on one scene. ``alarms`` has the false ones of each repetition, ``samples`` how many each of them
    could have come from, ``delays`` samples from the change to its alarm, infinite where there was none.
    """

    alarms: tuple[int, ...]
    samples: int
    delays: tuple[float, ...]

    @property
    def repetitions(self) -> int:
        """How many streams the method saw."""
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
        """The share of streams whose change was never found."""
        return float(np.mean(np.isinf(self.delays)))

    def delay(self, share: float) -> float:
        """Within how many samples this share of the changes was found; infinite when it was not."""
        return float(np.quantile(self.delays, share, method="higher"))


Key = tuple[str, str, str]
Outcomes = dict[Key, Outcome]
"""By family, scene and method."""


def repetitions(scene: Scene, cost: Cost) -> int:
    """How often a scene is drawn for a method of this cost."""
    return (QUIET if scene.quiet else LOUD)[cost]


def once(method: Method, scene: Scene, cells: Sequence[Cell]) -> tuple[int, float]:
    """False alarms of one repetition, and the delay of the true one (infinite in a quiet scene)."""
    stop = scene.length if scene.quiet else scene.change
    at = np.concatenate([method.alarms(cell.watch, cell.rows, stop) for cell in cells])
    true = at[at >= stop]
    since = scene.change if scene.benign else 0
    return int(np.sum((at >= since) & (at < stop))), float(true.min() - stop + 1) if len(true) else np.inf


def piece(methods: Sequence[Method], scene: Scene, begin: int, end: int) -> list[tuple[str, int, float]]:
    """Some repetitions of one scene: each is drawn once, and every method that is due sees it."""
    said = []
    for repetition in range(begin, end):
        cells = draw(scene, repetition)
        due = [method for method in methods if repetition < repetitions(scene, method.cost)]
        said += [(method.name, *once(method, scene, cells)) for method in due]
    return said


def measure(panels: Sequence[tuple[Sequence[Method], Scene]]) -> Outcomes:
    """All scenes with their methods, on two processes, the dear pieces first."""
    jobs = sorted(_jobs(panels), key=lambda job: job[2])
    with ProcessPoolExecutor(PROCESSES) as pool:
        futures = [(job[1], pool.submit(piece, *job)) for job in jobs]
        said = [(scene.family, scene.name, *line) for scene, future in futures for line in future.result()]
    scenes = {(scene.family, scene.name): scene for _, scene in panels}
    lines = sorted(said, key=lambda line: line[:3])
    return {key: _outcome(scenes[key[:2]], list(of_key)) for key, of_key in groupby(lines, key=lambda line: line[:3])}


def _jobs(panels: Sequence[tuple[Sequence[Method], Scene]]) -> Iterator[tuple[Sequence[Method], Scene, int, int]]:
    for methods, scene in panels:
        last = max(repetitions(scene, method.cost) for method in methods)
        dear = max(repetitions(scene, cost) for cost in (Cost.LOOP, Cost.REPORT))
        step = min(PIECE, dear // 4)  # only the first repetitions are dear: they are cut finer
        bounds = [*range(0, dear, step), *range(dear, last, PIECE), last]
        yield from ((methods, scene, begin, end) for begin, end in pairwise(bounds) if begin < end)


def _outcome(scene: Scene, lines: Sequence[tuple[str, str, str, int, float]]) -> Outcome:
    samples = scene.length if scene.quiet else scene.change
    samples -= scene.change if scene.benign else 0
    return Outcome(tuple(line[3] for line in lines), samples, tuple(line[4] for line in lines))
