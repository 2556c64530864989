"""A monitor's cells: one e-detector for every scope, held as arrays, with one more per scope to judge recovery.

The rules say what is tested (from the configuration, fixed); the cells say how far it got (the state, replaced at
every tick). Row 0 of every array is the model as a whole, the others are its subgroups.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from monitors import detector, verdict
from monitors.catalogue import SUBGROUP_SHARE, Kind, Question
from monitors.detector import NOTHING, BadObservationError, Bernoulli, Signed
from monitors.records import Bools, Floats, Ints

PATH = 16
"""How many ticks of evidence an event can show."""


class Test(Protocol):
    """What a kind of question does with counted rows: S scopes, n rows, K alternatives."""

    def check(self, y: Floats) -> None:
        """Raise `BadObservationError` for numbers that cannot be counted."""

    def log_e(self, counted: Bools, y: Floats) -> Floats:
        """Log e-values of a tick, shape (S, K), from ``counted`` (n, S) and ``y`` (n,)."""

    def evidence(self, log_mass: Floats) -> Floats:
        """log M of every scope, shape (S,)."""

    @property
    def width(self) -> int:
        """K."""


@dataclass(frozen=True, slots=True)
class RateTest:
    """A Bernoulli detector for every scope."""

    bernoulli: Bernoulli

    def check(self, y: Floats) -> None:
        """Zeros and ones."""
        if not np.all((y == 0) | (y == 1)):
            raise BadObservationError("observations of a rate must be zeros and ones")

    def log_e(self, counted: Bools, y: Floats) -> Floats:
        """From integer counts, so the sum does not depend on the order of rows."""
        ones = counted & (y[:, None] > 0)
        return self.bernoulli.log_e(counted.sum(axis=0), ones.sum(axis=0))

    def evidence(self, log_mass: Floats) -> Floats:
        """The mixture over alternatives, (S,)."""
        return self.bernoulli.evidence(log_mass)

    @property
    def width(self) -> int:
        """Alternatives."""
        return int(self.bernoulli.up.shape[-1])


@dataclass(frozen=True, slots=True)
class MeanTest:
    """Signed detectors; scopes with the same tolerance share one. ``of`` gives each scope's place in ``signed``."""

    signed: tuple[Signed, ...]
    of: Ints
    both_sides: bool

    def check(self, y: Floats) -> None:
        """Numbers within the bound, which all tolerances share."""
        self.signed[0].check(y)

    def log_e(self, counted: Bools, y: Floats) -> Floats:
        """One product of matrices for all scopes that share a tolerance."""
        y = np.where(counted.any(axis=1), y, 0.0)  # rows that nobody counts may hold NaN
        sums = np.zeros((counted.shape[1], self.width))
        for place, signed in enumerate(self.signed):
            scopes = self.of == place
            sums[scopes] = counted[:, scopes].T.astype(np.float64) @ signed.log_e(y)
        return sums

    def evidence(self, log_mass: Floats) -> Floats:
        """Both sides averaged; or, for a return, the weaker side, (S,)."""
        one = self.signed[0]
        return one.recovered(log_mass) if self.both_sides else one.evidence(log_mass)

    @property
    def width(self) -> int:
        """Bets upward, then bets downward."""
        return 2 * len(detector.BETS)


@dataclass(frozen=True, slots=True)
class Rule:
    """One question with its limits (S,), alarm-budget shares (S,), and what has to be seen before a scope may pass
    (S,).
    """

    question: Question
    limits: Floats
    shares: Floats
    needed: Floats
    alarm: Test
    recovery: Test


@dataclass(frozen=True, slots=True)
class Budget:
    """At most one false alarm in ``samples`` samples on average, over every cell of a model together."""

    samples: float = 3.15e8

    @property
    def threshold(self) -> float:
        """ln A: what the evidence of any cell is held against."""
        return float(np.log(self.samples))


def rules(
    questions: Sequence[Question], limits: Sequence[Floats], budget: Budget, recovery_ratio: float, bound: float = 1.0
) -> tuple[Rule, ...]:
    """The rules of one model; ``limits`` holds (S,) for each question, the model first, then its subgroups."""
    subgroup_cells = sum(len(row) - 1 for row in limits)
    made = []
    for question, limit in zip(questions, limits, strict=True):
        shares = np.full(len(limit), SUBGROUP_SHARE / max(subgroup_cells, 1))
        shares[0] = question.share
        log_budget = budget.threshold - np.log(shares)
        if question.kind is Kind.RATE:
            needed = verdict.rows_to_see_rate(limit, log_budget)
            alarm: Test = RateTest(Bernoulli.above(limit))
            back: Test = RateTest(Bernoulli.below(recovery_ratio * limit))
        else:
            needed = verdict.rows_to_see_mean(limit, bound, log_budget)
            values, of = np.unique(limit, return_inverse=True)
            alarm = MeanTest(tuple(Signed.outside(float(v), bound) for v in values), of, both_sides=False)
            inside = tuple(Signed.inside(float(recovery_ratio * v), bound) for v in values)
            back = MeanTest(inside, of, both_sides=True)
        made.append(Rule(question, limit, shares, needed, alarm, back))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Cells:
    """State of one monitor over S scopes.

    ``log_mass`` (S, K) and ``recovery`` (S, R) are the detectors; ``count`` and ``total`` (S,) the rows since the last
    start and the sum of what they said; ``path`` (S, PATH, 3) evidence, rows and their sum at each of the latest ticks,
    newest last; ``tripped`` the scopes that this monitor has sent to safe mode.
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
        scopes = len(rule.limits)
        return cls(
            log_mass=np.full((scopes, rule.alarm.width), NOTHING),
            recovery=np.full((scopes, rule.recovery.width), NOTHING),
            count=np.zeros(scopes, dtype=np.int64),
            total=np.zeros(scopes),
            path=np.full((scopes, PATH, 3), (NOTHING, 0.0, 0.0)),
            tripped=np.zeros(scopes, dtype=bool),
        )


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick's rows as a monitor sees them: ``member`` (n, S) the rows each scope counts, and who is on duty (S,)."""

    member: Bools
    valid: Bools
    y: Floats
    alarming: Bools
    recovering: Bools

    @property
    def seed(self) -> int:
        """The global clock: all samples of the tick, whichever cell they belong to."""
        return len(self.valid)


def advance(rule: Rule, cells: Cells, tick: Tick) -> Cells:
    """One tick for every scope of one monitor. Scopes that are not on duty keep their detectors as they are."""
    counted = tick.member & tick.valid[:, None]
    own = counted.sum(axis=0)
    stepped = detector.advance(cells.log_mass, tick.seed * rule.shares[:, None], rule.alarm.log_e(counted, tick.y))
    log_mass = np.where(tick.alarming[:, None], stepped, cells.log_mass)
    recovery = cells.recovery
    if tick.recovering.any():
        stepped = detector.advance(recovery, own[:, None].astype(np.float64), rule.recovery.log_e(counted, tick.y))
        recovery = np.where(tick.recovering[:, None], stepped, recovery)
    on_duty = tick.alarming | tick.recovering
    count = np.where(on_duty, own, 0)
    total = np.where(on_duty, np.where(tick.valid, tick.y, 0.0) @ counted, 0.0)
    latest = np.stack([rule.alarm.evidence(log_mass), count, total], axis=1)
    return replace(
        cells,
        log_mass=log_mass,
        recovery=recovery,
        count=cells.count + count,
        total=cells.total + total,
        path=np.concatenate([cells.path[:, 1:], latest[:, None]], axis=1),
    )


def recent(cells: Cells, scope: int) -> tuple[int, float | None]:
    """Rows of the latest PATH ticks and their mean: for people to look at, never the switch."""
    count, total = cells.path[scope, :, 1:].sum(axis=0)
    return int(count), float(total / count) if count else None


def restart(cells: Cells, scopes: Bools) -> Cells:
    """The same cells with the detectors and counts of some scopes at nothing."""
    return replace(
        cells,
        log_mass=np.where(scopes[:, None], NOTHING, cells.log_mass),
        recovery=np.where(scopes[:, None], NOTHING, cells.recovery),
        count=np.where(scopes, 0, cells.count),
        total=np.where(scopes, 0.0, cells.total),
        path=np.where(scopes[:, None, None], (NOTHING, 0.0, 0.0), cells.path),
    )
