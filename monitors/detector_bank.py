"""The detectors of one monitor: one e-detector per variant and scope, held as arrays, and one more for recovery.

How it works. A `Rule` is configuration and fixed: what is tested, at which limits. `Cells` are state and replaced at
every tick: masses, counts and recent evidence. Arrays start with the axes (V, S): variants of the monitor, and scopes;
scope 0 is the model as a whole and the others are its subgroups. With several lanes, the lanes of a variant are
adjacent on the first axis. `run_detectors` advances many ticks of several monitors at once: their detectors do not
interact, so all masses that can move are concatenated into one array (T, D), and one loop over ticks serves them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.catalogue import MonitorDefinition
from tightrope.monitors.detector import LOG_ZERO
from tightrope.monitors.evidence import HypothesisTest, Tally
from tightrope.monitors.records import Bools, Floats, Ints

PATH_TICKS = 16
"""The number of ticks of evidence that an event reports."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One monitor as a model uses it, with its tests for alarm and recovery.

    ``limits`` (S,); ``shares`` (S,) of the alarm budget per cell, 0 where the monitor does not reach; ``needed`` (S,)
    the rows that a cell needs before it can pass. Variants times lanes make the axis V.

    >>> from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> spec = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02, 0.04]))
    >>> (rule,) = build_rules([spec], Budget(), recovery_ratio=0.75)
    >>> rule.needed.round().tolist()
    [648.0, 331.0]
    """

    monitor: MonitorDefinition
    variants: tuple[str, ...]
    lanes: int
    limits: Floats
    shares: Floats
    needed: Floats
    alarm: HypothesisTest
    recovery: HypothesisTest

    @property
    def watched(self) -> Bools:
        """The scopes that the monitor reaches, (S,)."""
        return np.asarray(self.shares > 0)

    def with_lanes(self, cells: Bools) -> Bools:
        """Extend a mask of cells (V, S) to the other lanes of their variants."""
        any_lane = cells.reshape(len(self.variants), self.lanes, -1).any(axis=1)
        return np.repeat(any_lane, self.lanes, axis=0)

    def variant_name(self, index: int) -> str:
        """Name the variant at an index of the first axis."""
        return self.variants[index // self.lanes]


@dataclass(frozen=True, slots=True)
class Cells:
    """The state of one monitor.

    ``log_mass`` (V, S, K) and ``recovery`` (V, S, R) are the detectors; ``count`` and ``total`` (V, S) the rows since
    the last start and the sum of their observations; ``path`` (V, S, PATH_TICKS, 3) evidence, rows and sum of the
    latest ticks, newest last; ``tripped`` (V, S) the variants that sent the scope to safe mode.

    >>> from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> (rule,) = build_rules([MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02]))], Budget(), 0.75)
    >>> Cells.fresh(rule).log_mass.shape
    (1, 1, 6)
    """

    log_mass: Floats
    recovery: Floats
    count: Ints
    total: Floats
    path: Floats
    tripped: Bools

    @classmethod
    def fresh(cls, rule: Rule) -> "Cells":
        """Build cells without observations."""
        shape = len(rule.variants) * rule.lanes, len(rule.limits)
        return cls(
            log_mass=np.full((*shape, rule.alarm.width), LOG_ZERO),
            recovery=np.full((*shape, rule.recovery.width), LOG_ZERO),
            count=np.zeros(shape, dtype=np.int64),
            total=np.zeros(shape),
            path=np.full((*shape, PATH_TICKS, 3), (LOG_ZERO, 0.0, 0.0)),
            tripped=np.zeros(shape, dtype=bool),
        )


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The detectors of one monitor after each of T ticks: ``log_mass`` and ``recovery`` (T, V, S, …).

    >>> from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> (rule,) = build_rules([MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02]))], Budget(), 0.75)
    >>> y = np.array([[[1.0], [0.0]], [[0.0], [0.0]]])  # two ticks of two rows
    >>> tally = Tally.from_rows(np.ones((2, 2, 1)), np.ones((2, 2, 1), dtype=bool), y, np.full((2, 1), 2.0))
    >>> on, off = np.array([True]), np.array([False])
    >>> (trajectory,) = run_detectors([MonitorRun(rule, Cells.fresh(rule), tally, on, off, off)])
    >>> trajectory.cells_after(Cells.fresh(rule), rule, 1).count.tolist()
    [[2]]
    """

    tally: Tally
    on_duty: Bools
    log_mass: Floats
    recovery: Floats

    def cells_after(self, cells: Cells, rule: Rule, ticks: int) -> Cells:
        """Return the cells after the first ``ticks`` ticks."""
        count = np.where(self.on_duty, self.tally.count[:ticks], 0.0)
        total = np.where(self.on_duty, self.tally.total[:ticks], 0.0)
        latest = rule.alarm.evidence(self.log_mass[max(ticks - PATH_TICKS, 0) : ticks])
        added = np.stack([latest, count[-PATH_TICKS:], total[-PATH_TICKS:]], axis=-1)
        return replace(
            cells,
            log_mass=self.log_mass[ticks - 1],
            recovery=self.recovery[ticks - 1],
            count=cells.count + count.sum(axis=0).astype(np.int64),
            total=_added(cells.total, total),
            path=np.concatenate([cells.path[:, :, len(added) :], np.moveaxis(added, 0, 2)], axis=2),
        )


def _added(start: Floats, parts: Floats) -> Floats:
    """Sum in a fixed order, so that the result does not depend on how ticks were batched."""
    for part in parts:
        start = start + part
    return start


@dataclass(frozen=True, slots=True)
class MonitorRun:
    """One monitor applied to a tally; see `Trajectory` for an example.

    ``alarming`` and ``recovering``, (S,) or (V, S), mark the cells on duty; ``on_trial`` (S,) the scopes whose recovery
    starts from a wealth of one and is not seeded.
    """

    rule: Rule
    cells: Cells
    tally: Tally
    alarming: Bools
    recovering: Bools
    on_trial: Bools


def run_detectors(runs: Sequence[MonitorRun]) -> list[Trajectory]:
    """Run all detectors of several monitors through the same ticks."""
    alarms = [_alarm(run) for run in runs]
    returns = [_return(run) for run in runs if run.recovering.any()]
    done = iter(_advanced([*alarms, *returns]))
    log_masses = [next(done) for _ in runs]
    return [
        Trajectory(
            run.tally,
            run.alarming | run.recovering,
            log_mass,
            next(done) if run.recovering.any() else np.broadcast_to(run.cells.recovery, _shape(run)),
        )
        for run, log_mass in zip(runs, log_masses, strict=True)
    ]


def _shape(run: MonitorRun) -> tuple[int, ...]:
    return (len(run.tally.seeds), *run.cells.recovery.shape)


DetectorBatch = tuple[Floats, Floats, Floats]
"""Log masses before the first tick (V, S, K), seeds (T, V, S, 1), and log e-values of every tick (T, V, S, K)."""


def _alarm(run: MonitorRun) -> DetectorBatch:
    seeds = np.where(run.alarming, run.rule.shares, 0.0) * run.tally.seeds[:, :, None]
    return run.cells.log_mass, seeds[..., None], _on_duty(run.rule.alarm.log_e(run.tally), run.alarming)


def _return(run: MonitorRun) -> DetectorBatch:
    seeds = np.where(run.recovering & ~run.on_trial, run.tally.count, 0.0)
    return run.cells.recovery, seeds[..., None], _on_duty(run.rule.recovery.log_e(run.tally), run.recovering)


def _on_duty(log_e: Floats, on_duty: Bools) -> Floats:
    """Zero the log e-values of cells off duty, so that their detectors do not move."""
    return log_e if on_duty.all() else np.where(on_duty[..., None], log_e, 0.0)


def _advanced(batches: Sequence[DetectorBatch]) -> list[Floats]:
    """Advance all batches tick by tick in one array (T, D); returns the log masses of each, (T, V, S, K)."""
    if not batches:
        return []
    moving = [(batch, _moving_cells(batch)) for batch in batches]
    ticks = len(batches[0][2])
    with np.errstate(divide="ignore"):
        log_seeds = [np.repeat(np.log(seeds[:, on, 0]), start.shape[2], axis=1) for (start, seeds, _), on in moving]
    paths = _recurse(
        np.concatenate([start[on].ravel() for (start, _, _), on in moving]),
        np.concatenate(log_seeds, axis=1),
        np.concatenate([log_e[:, on].reshape(ticks, -1) for (_, _, log_e), on in moving], axis=1),
    )
    ends = np.cumsum([seeds.shape[1] for seeds in log_seeds])[:-1]
    return [
        _scatter(path, on, log_e.shape)
        for path, ((_, _, log_e), on) in zip(np.split(paths, ends, axis=1), moving, strict=True)
    ]


def _moving_cells(batch: DetectorBatch) -> Bools:
    """Mask the cells (V, S) that have mass or receive seed; the others stay at zero mass."""
    start, seeds, _ = batch
    return np.asarray((seeds > 0).any(axis=(0, 3)) | (start > LOG_ZERO).any(axis=2))


def _recurse(log_mass: Floats, log_seeds: Floats, log_e: Floats) -> Floats:
    """Advance the log masses (D,) through all ticks; overwrites ``log_e`` (T, D) with the masses after each tick."""
    for tick in range(len(log_e)):
        log_mass = np.add(np.logaddexp(log_mass, log_seeds[tick]), log_e[tick], out=log_e[tick])
    return log_e


def _scatter(path: Floats, moving: Bools, shape: tuple[int, ...]) -> Floats:
    """Place the paths (T, D) of moving cells (V, S) among all cells, (T, V, S, K)."""
    if moving.all():
        return path.reshape(shape)
    masses = np.full(shape, LOG_ZERO)
    masses[:, moving] = path.reshape(len(path), -1, shape[3])
    return masses


def recent_mean(cells: Cells, variant: int, scope: int) -> tuple[int, float | None]:
    """Rows of the latest ticks and their mean: shown to people, not used for decisions."""
    count, total = cells.path[variant, scope, :, 1:].sum(axis=0)
    return int(count), float(total / count) if count else None


def recovery_evidence(rule: Rule, cells: Cells) -> Floats:
    """Evidence against the harm of each scope, (S,): that of the weakest tripped cell, or of the weakest cell."""
    evidence = rule.recovery.evidence(cells.recovery)
    required = cells.tripped | ~cells.tripped.any(axis=0)
    return np.asarray(np.where(required, evidence, np.inf).min(axis=0))


def start_trial(cells: Cells, mask: Bools) -> Cells:
    """Set the recovery of the masked cells, (S,) or (V, S), to a wealth of one."""
    return replace(cells, recovery=np.where(mask[..., None], 0.0, cells.recovery))


def reset_cells(cells: Cells, mask: Bools) -> Cells:
    """Reset the detectors and counts of the masked cells, (S,) or (V, S); ``tripped`` stays."""
    return replace(
        cells,
        log_mass=np.where(mask[..., None], LOG_ZERO, cells.log_mass),
        recovery=np.where(mask[..., None], LOG_ZERO, cells.recovery),
        count=np.where(mask, 0, cells.count),
        total=np.where(mask, 0.0, cells.total),
        path=np.where(mask[..., None, None], (LOG_ZERO, 0.0, 0.0), cells.path),
    )
