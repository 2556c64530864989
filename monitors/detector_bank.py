"""A monitor's cells: one e-detector for every variant and scope, held as arrays, and one more each to judge recovery.

The rules say what is tested (from the configuration, fixed); the cells say how far it got (the state, replaced at
every tick). Arrays start with the axes (V, S): variants of the question, and scopes, of which 0 is the model as a
whole and the others are its subgroups. With several lanes, those of a variant stand side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.catalogue import Question
from tightrope.monitors.detector import NOTHING
from tightrope.monitors.evidence import Tally, Test
from tightrope.monitors.records import Bools, Floats, Ints

PATH = 16
"""How many ticks of evidence an event can show."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One question with its variants and lanes (together V), limits (S,), alarm-budget shares of a cell (S,), 0 where
    it does not reach, and the rows that a cell has to see before it may pass (S,).
    """

    question: Question
    variants: tuple[str, ...]
    lanes: int
    limits: Floats
    shares: Floats
    needed: Floats
    alarm: Test
    recovery: Test

    @property
    def watched(self) -> Bools:
        """The scopes that the question reaches, (S,)."""
        return np.asarray(self.shares > 0)

    def with_lanes(self, cells: Bools) -> Bools:
        """These cells (V, S), and those of the other lanes of their variants."""
        any_lane = cells.reshape(len(self.variants), self.lanes, -1).any(axis=1)
        return np.repeat(any_lane, self.lanes, axis=0)

    def name_of(self, variant: int) -> str:
        """The name of a variant by its place on the first axis."""
        return self.variants[variant // self.lanes]


@dataclass(frozen=True, slots=True)
class Cells:
    """State of one monitor.

    ``log_mass`` (V, S, K) and ``recovery`` (V, S, R) are the detectors; ``count`` and ``total`` (V, S) the rows since
    the last start and the sum of what they said; ``path`` (V, S, PATH, 3) evidence, rows and their sum at each of the
    latest ticks, newest last; ``tripped`` (V, S) which variants have sent which scopes to safe mode.
    """

    log_mass: Floats
    recovery: Floats
    count: Ints
    total: Floats
    path: Floats
    tripped: Bools

    @classmethod
    def fresh(cls, rule: Rule) -> "Cells":
        """Cells that have seen nothing."""
        cells = len(rule.variants) * rule.lanes, len(rule.limits)
        return cls(
            log_mass=np.full((*cells, rule.alarm.width), NOTHING),
            recovery=np.full((*cells, rule.recovery.width), NOTHING),
            count=np.zeros(cells, dtype=np.int64),
            total=np.zeros(cells),
            path=np.full((*cells, PATH, 3), (NOTHING, 0.0, 0.0)),
            tripped=np.zeros(cells, dtype=bool),
        )


@dataclass(frozen=True, slots=True)
class Course:
    """The detectors of one monitor at the end of each of T ticks: ``log_mass`` and ``recovery`` (T, V, S, ...)."""

    tally: Tally
    on_duty: Bools
    log_mass: Floats
    recovery: Floats

    def at(self, cells: Cells, rule: Rule, ticks: int) -> Cells:
        """The cells after the first ``ticks`` ticks."""
        count = np.where(self.on_duty, self.tally.count[:ticks], 0.0)
        total = np.where(self.on_duty, self.tally.total[:ticks], 0.0)
        latest = rule.alarm.evidence(self.log_mass[max(ticks - PATH, 0) : ticks])
        added = np.stack([latest, count[-PATH:], total[-PATH:]], axis=-1)
        return replace(
            cells,
            log_mass=self.log_mass[ticks - 1],
            recovery=self.recovery[ticks - 1],
            count=cells.count + count.sum(axis=0).astype(np.int64),
            total=_added(cells.total, total),
            path=np.concatenate([cells.path[:, :, len(added) :], np.moveaxis(added, 0, 2)], axis=2),
        )


def _added(start: Floats, parts: Floats) -> Floats:
    """A running sum, always in the same order, so that it does not depend on how ticks arrived."""
    for part in parts:
        start = start + part
    return start


@dataclass(frozen=True, slots=True)
class Run:
    """One monitor put to work on a tally; ``alarming`` and ``recovering``, (S,) or (V, S), say which cells are on duty,
    and ``on_trial`` (S,) which recover from a wealth of one that nobody adds to.
    """

    rule: Rule
    cells: Cells
    tally: Tally
    alarming: Bools
    recovering: Bools
    on_trial: Bools


def courses(runs: Sequence[Run]) -> list[Course]:
    """Run all detectors of several monitors through the same ticks, side by side."""
    alarms = [_alarm(run) for run in runs]
    returns = [_return(run) for run in runs if run.recovering.any()]
    done = iter(_advanced([*alarms, *returns]))
    log_masses = [next(done) for _ in runs]
    return [
        Course(
            run.tally,
            run.alarming | run.recovering,
            log_mass,
            next(done) if run.recovering.any() else np.broadcast_to(run.cells.recovery, _shape(run)),
        )
        for run, log_mass in zip(runs, log_masses, strict=True)
    ]


def _shape(run: Run) -> tuple[int, ...]:
    return (len(run.tally.seeds), *run.cells.recovery.shape)


Part = tuple[Floats, Floats, Floats]
"""Where detectors stand (V, S, K), their seeds (T, V, S, 1), and the log e-values of every tick (T, V, S, K)."""


def _alarm(run: Run) -> Part:
    seeds = np.where(run.alarming, run.rule.shares, 0.0) * run.tally.seeds[:, :, None]
    return run.cells.log_mass, seeds[..., None], _on_duty(run.rule.alarm.log_e(run.tally), run.alarming)


def _return(run: Run) -> Part:
    seeds = np.where(run.recovering & ~run.on_trial, run.tally.count, 0.0)
    return run.cells.recovery, seeds[..., None], _on_duty(run.rule.recovery.log_e(run.tally), run.recovering)


def _on_duty(log_e: Floats, on_duty: Bools) -> Floats:
    """A detector that is not on duty is neither seeded nor moved."""
    return log_e if on_duty.all() else np.where(on_duty[..., None], log_e, 0.0)


def _advanced(parts: Sequence[Part]) -> list[Floats]:
    """Tick by tick, all parts in one array: their detectors do not know of each other."""
    if not parts:
        return []
    moving = [(part, _live(part)) for part in parts]
    ticks = len(parts[0][2])
    with np.errstate(divide="ignore"):
        log_seeds = [np.repeat(np.log(seeds[:, on, 0]), start.shape[2], axis=1) for (start, seeds, _), on in moving]
    paths = _paths(
        np.concatenate([start[on].ravel() for (start, _, _), on in moving]),
        np.concatenate(log_seeds, axis=1),
        np.concatenate([log_e[:, on].reshape(ticks, -1) for (_, _, log_e), on in moving], axis=1),
    )
    ends = np.cumsum([seeds.shape[1] for seeds in log_seeds])[:-1]
    return [
        _spread(path, on, log_e.shape)
        for path, ((_, _, log_e), on) in zip(np.split(paths, ends, axis=1), moving, strict=True)
    ]


def _live(part: Part) -> Bools:
    """Cells (V, S) that hold anything or are given it: where a question does not reach a scope, there is nothing."""
    start, seeds, _ = part
    return np.asarray((seeds > 0).any(axis=(0, 3)) | (start > NOTHING).any(axis=2))


def _paths(here: Floats, log_seeds: Floats, log_e: Floats) -> Floats:
    """Where detectors (D,) stand after every tick, (T, D)."""
    for tick in range(len(log_e)):
        here = np.add(np.logaddexp(here, log_seeds[tick]), log_e[tick], out=log_e[tick])
    return log_e


def _spread(path: Floats, live: Bools, shape: tuple[int, ...]) -> Floats:
    """The paths (T, D) of live cells (V, S) among all, (T, V, S, K)."""
    if live.all():
        return path.reshape(shape)
    masses = np.full(shape, NOTHING)
    masses[:, live] = path.reshape(len(path), -1, shape[3])
    return masses


def recent(cells: Cells, variant: int, scope: int) -> tuple[int, float | None]:
    """Rows of the latest PATH ticks and their mean: for people to look at, never the switch."""
    count, total = cells.path[variant, scope, :, 1:].sum(axis=0)
    return int(count), float(total / count) if count else None


def disproved(rule: Rule, cells: Cells) -> Floats:
    """How far the harm of each scope is disproved by the cell that owes most, of those that tripped if any, (S,)."""
    evidence = rule.recovery.evidence(cells.recovery)
    owing = cells.tripped | ~cells.tripped.any(axis=0)
    return np.asarray(np.where(owing, evidence, np.inf).min(axis=0))


def try_again(cells: Cells, some: Bools) -> Cells:
    """The same cells with the recovery of some, (S,) or (V, S), at a wealth of one."""
    return replace(cells, recovery=np.where(some[..., None], 0.0, cells.recovery))


def restart(cells: Cells, some: Bools) -> Cells:
    """The same cells with the detectors and counts of some, (S,) or (V, S), at nothing."""
    return replace(
        cells,
        log_mass=np.where(some[..., None], NOTHING, cells.log_mass),
        recovery=np.where(some[..., None], NOTHING, cells.recovery),
        count=np.where(some, 0, cells.count),
        total=np.where(some, 0.0, cells.total),
        path=np.where(some[..., None, None], (NOTHING, 0.0, 0.0), cells.path),
    )
