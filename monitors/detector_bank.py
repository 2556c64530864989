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

from tightrope.monitors.definitions.definition import MonitorDefinition
from tightrope.monitors.dependence.cluster_sums import open_window
from tightrope.monitors.detector import LOG_ZERO
from tightrope.monitors.evidence import HypothesisTest, Tally, log_e_of_steps
from tightrope.monitors.records import Bools, Floats, Ints

PATH_TICKS, SHORT_PATH_TICKS = 16, 4
"""The number of ticks of evidence that an event reports; of a monitor of more than `MANY_CELLS` the smaller one."""

MANY_CELLS = 256


@dataclass(frozen=True, slots=True)
class Rule:
    """One monitor as a model uses it, with its tests for alarm and recovery.

    ``limits`` (S,); ``shares`` (S,) of the alarm budget per cell, 0 where the monitor does not reach, times ``weights``
    (V, S) or (V, 1), whose mean over variants is 1, 0 where a variant has no cell; ``bound`` the largest absolute value
    of an observation; ``variant_limits`` (variants, S) are the limits where variants differ. Variants times lanes make
    the axis V. S are the scopes of the model, or its first one alone if the monitor watches no subgroup.

    >>> from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> spec = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02, 0.04]))
    >>> (rule,) = build_rules([spec], recovery_ratio=0.75)
    >>> rule.watched.tolist()
    [True, True]
    """

    monitor: MonitorDefinition
    variants: tuple[str, ...]
    lanes: int
    limits: Floats
    shares: Floats
    alarm: HypothesisTest
    recovery: HypothesisTest
    weights: Floats
    bound: float = 1.0
    variant_limits: Floats | None = None

    @property
    def cell_limits(self) -> Floats:
        """The limit of every cell, (V, S)."""
        own = self.limits if self.variant_limits is None else np.repeat(self.variant_limits, self.lanes, axis=0)
        return np.broadcast_to(own, (len(self.variants) * self.lanes, len(self.limits)))

    @property
    def has_cell(self) -> Bools:
        """Whether a variant has a cell in a scope, (V, S)."""
        return np.broadcast_to(self.weights > 0, (len(self.weights), len(self.limits)))

    @property
    def watched(self) -> Bools:
        """The scopes that the monitor reaches, (S,)."""
        return np.asarray(self.shares > 0)

    def on_scopes(self, values: Bools) -> Bools:
        """Select, from values of all scopes of the model (..., S), those of the scopes that the rule has."""
        return values[..., : len(self.limits)]

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

    ``log_mass`` (V, S, K) and ``recovery`` (V, S, R) are the detectors; ``pending`` (V, S) the rows of the global clock
    since the cell's latest own rows, whose seed is due with the next ones; ``count`` and ``total`` (V, S) the rows
    since the last start and the sum of their observations; ``path`` (V, S, PATH_TICKS, 3) evidence, rows and sum of
    the latest ticks, newest last; ``tripped`` (V, S) the variants that sent the scope to safe mode;
    ``window`` (V, S, steps, 2) the rows of the open window by step, and the sum of their observations, without steps
    where there is no window.

    >>> from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> (rule,) = build_rules([MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02]))], 0.75)
    >>> Cells.fresh(rule).log_mass.shape
    (1, 1, 6)
    """

    log_mass: Floats
    recovery: Floats
    pending: Ints
    count: Ints
    total: Floats
    path: Floats
    tripped: Bools
    window: Floats

    def on_scopes(self, values: Bools) -> Bools:
        """Select, from values of all scopes of the model (..., S), those of the scopes that the cells have."""
        return values[..., : self.count.shape[1]]

    @classmethod
    def fresh(cls, rule: Rule, steps: int = 0) -> "Cells":
        """Build cells without observations; an open window has this number of steps."""
        shape = len(rule.variants) * rule.lanes, len(rule.limits)
        ticks = PATH_TICKS if shape[0] * shape[1] <= MANY_CELLS else SHORT_PATH_TICKS
        return cls(
            log_mass=np.full((*shape, rule.alarm.width), LOG_ZERO),
            recovery=np.full((*shape, rule.recovery.width), LOG_ZERO),
            pending=np.zeros(shape, dtype=np.int64),
            count=np.zeros(shape, dtype=np.int64),
            total=np.zeros(shape),
            path=np.full((*shape, ticks, 3), (LOG_ZERO, 0.0, 0.0)),
            tripped=np.zeros(shape, dtype=bool),
            window=open_window(shape, steps),
        )


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The detectors of one monitor after each of T ticks: ``log_mass`` and ``recovery`` (T, V, S, …), ``pending``
    (T, V, S).

    >>> from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> (rule,) = build_rules([MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02]))], 0.75)
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
    pending: Floats

    def cells_after(self, cells: Cells, rule: Rule, ticks: int) -> Cells:
        """Return the cells after the first ``ticks`` ticks."""
        count = np.where(self.on_duty, self.tally.count[:ticks], 0.0)
        total = np.where(self.on_duty, self.tally.total[:ticks], 0.0)
        shown = cells.path.shape[2]
        latest = rule.alarm.evidence(self.log_mass[max(ticks - shown, 0) : ticks])
        added = np.stack([latest, count[-shown:], total[-shown:]], axis=-1)
        return replace(
            cells,
            log_mass=self.log_mass[ticks - 1],
            recovery=self.recovery[ticks - 1],
            pending=self.pending[ticks - 1].astype(np.int64),
            count=cells.count + count.sum(axis=0).astype(np.int64),
            # in a fixed order, so that the sum does not depend on how ticks were batched
            total=np.asarray(np.cumsum(np.concatenate([cells.total[None], total]), axis=0)[-1]),
            path=np.concatenate([cells.path[:, :, len(added) :], np.moveaxis(added, 0, 2)], axis=2),
            window=self._window_after(cells, ticks),
        )

    def _window_after(self, cells: Cells, ticks: int) -> Floats:
        if self.tally.windows is None:
            return cells.window
        on_duty = np.broadcast_to(self.on_duty, cells.count.shape)[..., None, None]
        return np.where(on_duty, self.tally.windows.open_after(ticks), 0.0)


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

    @classmethod
    def on_duty(
        cls, rule: Rule, cells: Cells, tally: Tally, normal: Bools, free: Bools, trial: Bools, *, whole: bool
    ) -> "MonitorRun":
        """Put cells on duty by the modes of all scopes (S,): in normal mode, not apart, on trial.

        While the baseline answers the ``whole`` model, a subgroup in normal mode has no decision to make.
        """
        alarming = np.where(rule.on_scopes(free), not whole, ~cells.tripped)
        return cls(rule, cells, tally, alarming, cells.tripped & ~rule.on_scopes(normal), rule.on_scopes(trial))


def run_detectors(runs: Sequence[MonitorRun]) -> list[Trajectory]:
    """Run all detectors of several monitors through the same ticks."""
    seeds = [_due_seeds(run) for run in runs]
    alarms = [_alarm(run, due) for run, (due, _) in zip(runs, seeds, strict=True)]
    returns = [_return(run) for run in runs if run.recovering.any()]
    done = iter(_advanced([*alarms, *returns]))
    log_masses = [next(done) for _ in runs]
    return [
        Trajectory(
            run.tally,
            run.alarming | run.recovering,
            log_mass,
            next(done)
            if run.recovering.any()
            else np.broadcast_to(run.cells.recovery, (len(run.tally.seeds), *run.cells.recovery.shape)),
            pending,
        )
        for run, log_mass, (_, pending) in zip(runs, log_masses, seeds, strict=True)
    ]


DetectorBatch = tuple[Floats, Floats, Floats]
"""Log masses before the first tick (V, S, K), seeds (T, V, S, 1), and log e-values of every tick (T, V, S, K)."""


def _due_seeds(run: MonitorRun) -> tuple[Floats, Floats]:
    """The rows of the global clock that are due with the own rows, or evidence, of each tick, and those still pending
    after it, both (T, V, S): 0 where a cell has no own rows or is off duty.
    """
    clock = np.where(run.alarming & run.rule.watched, run.tally.seeds[:, :, None], 0.0)
    clock[0] += run.cells.pending
    clock = np.cumsum(clock, axis=0, out=clock)
    own = (run.tally.stepped > 0) & run.alarming
    seeded = np.maximum.accumulate(np.where(own, clock, 0.0), axis=0)
    due = np.where(own, clock, 0.0)
    due[1:] -= np.where(own[1:], seeded[:-1], 0.0)
    return due, clock - seeded


def _alarm(run: MonitorRun, due: Floats) -> DetectorBatch:
    seeds = run.rule.shares * run.rule.weights * due
    return run.cells.log_mass, seeds[..., None], _on_duty(log_e_of_steps(run.rule.alarm, run.tally), run.alarming)


def _return(run: MonitorRun) -> DetectorBatch:
    seeds = np.where(run.recovering & ~run.on_trial, run.tally.stepped, 0.0)
    return run.cells.recovery, seeds[..., None], _on_duty(log_e_of_steps(run.rule.recovery, run.tally), run.recovering)


def _on_duty(log_e: Floats, on_duty: Bools) -> Floats:
    """Zero the log e-values of cells off duty, so that their detectors do not move."""
    return log_e if on_duty.all() else np.where(on_duty[..., None], log_e, 0.0)


def _advanced(batches: Sequence[DetectorBatch]) -> list[Floats]:
    """Advance all batches tick by tick in one array (T, D); returns the log masses of each, (T, V, S, K)."""
    if not batches:
        return []
    moving = [(batch, _moving_cells(batch)) for batch in batches]
    with np.errstate(divide="ignore"):
        log_seeds = [np.log(_of_cells(seeds, on)[..., 0]) for (_, seeds, _), on in moving]
    starts = [start[on] for (start, _, _), on in moving]  # (C, K)
    widths = np.concatenate([np.full(len(start), start.shape[1]) for start in starts])
    paths = _recurse(
        np.concatenate([start.ravel() for start in starts]),
        np.concatenate(log_seeds, axis=1),
        np.repeat(np.arange(len(widths)), widths),
        np.concatenate([_of_cells(log_e, on).reshape(len(log_e), -1) for (_, _, log_e), on in moving], axis=1),
    )
    parts = np.split(paths, np.cumsum([start.size for start in starts])[:-1], axis=1)
    return [_scatter(path, on, start, log_e.shape) for path, ((start, _, log_e), on) in zip(parts, moving, strict=True)]


def _moving_cells(batch: DetectorBatch) -> Bools:
    """Mask the cells (V, S) that receive seed, or have mass and evidence; the mass of the others stays."""
    start, seeds, log_e = batch
    moving = np.asarray((seeds > 0).any(axis=(0, 3)))
    unseeded = ~moving & (start > LOG_ZERO).any(axis=2)
    moving[unseeded] = (log_e[:, unseeded] != 0).any(axis=(0, 2))
    return moving


def _of_cells(values: Floats, cells: Bools) -> Floats:
    """The values (T, V, S, K) of the masked cells, (T, C, K), without a copy if they are all."""
    return values.reshape(len(values), -1, values.shape[3]) if cells.all() else values[:, cells]


def _recurse(log_mass: Floats, log_seeds: Floats, cell: Ints, log_e: Floats) -> Floats:
    """Advance the log masses (D,) through all ticks, with the seeds (T, C) of the ``cell`` of each (D,); overwrites
    ``log_e`` (T, D) with the masses after each tick.
    """
    for seeds, after in zip(log_seeds, log_e, strict=True):
        log_mass = np.add(np.logaddexp(log_mass, seeds.take(cell)), after, out=after)
    return log_e


def _scatter(path: Floats, moving: Bools, start: Floats, shape: tuple[int, ...]) -> Floats:
    """Place the paths (T, D) of moving cells (V, S) among all cells (T, V, S, K), whose mass stays at the start."""
    if moving.all():
        return path.reshape(shape)
    masses = np.broadcast_to(start, shape).copy()
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
    mask = cells.on_scopes(mask)
    return replace(
        cells,
        log_mass=np.where(mask[..., None], LOG_ZERO, cells.log_mass),
        recovery=np.where(mask[..., None], LOG_ZERO, cells.recovery),
        pending=np.where(mask, 0, cells.pending),
        count=np.where(mask, 0, cells.count),
        total=np.where(mask, 0.0, cells.total),
        path=np.where(mask[..., None, None], (LOG_ZERO, 0.0, 0.0), cells.path),
        window=np.where(mask[..., None, None], 0.0, cells.window),
    )
