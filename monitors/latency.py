"""Latency against an objective: which share of a block of event time was too slow. Seen, never switched by.

Neighbouring requests are slow together, so the unit is a block of ten seconds, one observation y in [0, 1] each, and
blocks go to several detectors in turn, each seeded by its own blocks (statistics: a bounded e-SR detector on block
means). The budget is in blocks. A fallback would not help a slow machine, so a breach is an event and a verdict only.
"""

from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.detector import BETS, LARGEST_BET, LN10, NOTHING, advance, logsumexp
from tightrope.monitors.records import Floats, Outcome, Verdict

LANES = 6
NEEDED = 60
"""Blocks before a pass: ten minutes."""


@dataclass(frozen=True, slots=True)
class Objective:
    """At most ``limit`` of the requests of a block (``block`` seconds) may take longer than ``seconds``.

    ``samples`` is the budget: at most one false alarm in so many blocks on average; the default is thirty years.
    """

    seconds: float
    limit: float = 0.01
    block: float = 10.0
    samples: float = 1e8

    def log_e(self, share: float) -> Floats:
        """Log e-values of one block, (K,): 1 + lambda (y - limit), lambda up to almost 1 / limit."""
        bets = LARGEST_BET / self.limit * np.asarray(BETS)
        return np.log1p(bets * (share - self.limit))


@dataclass(frozen=True, slots=True)
class Blocks:
    """How far it got: the open block with its rows, closed blocks, and the detectors (lanes, K)."""

    log_mass: Floats
    block: int = -1
    rows: int = 0
    slow: int = 0
    closed: int = 0
    total: float = 0.0
    breached: bool = False

    @classmethod
    def fresh(cls) -> "Blocks":
        """Nothing seen."""
        return cls(np.full((LANES, len(BETS)), NOTHING))


def take(objective: Objective, state: Blocks, times: Floats, seconds: Floats) -> Blocks:
    """Fold rows in the order of the log. A row of an earlier block joins the open one; rows whose duration is not known
    (NaN) are passed over.
    """
    known = np.isfinite(seconds)
    numbers = np.maximum.accumulate(np.maximum((times[known] / objective.block).astype(np.int64), state.block))
    slow = seconds[known] > objective.seconds
    for number in np.unique(numbers).tolist():
        here = numbers == number
        if number != state.block and state.rows:
            state = _closed(objective, state)
        state = replace(state, block=number, rows=state.rows + int(here.sum()), slow=state.slow + int(slow[here].sum()))
    return state


def _closed(objective: Objective, state: Blocks) -> Blocks:
    """The open block becomes one observation of its lane. A breach lasts as long as blocks are over the limit."""
    share, lane = state.slow / state.rows, state.closed % LANES
    log_mass = state.log_mass.copy()
    log_mass[lane] = advance(log_mass[lane], 1.0, objective.log_e(share))
    alarm = bool(_evidence(log_mass)[lane] >= np.log(objective.samples))
    if alarm:
        log_mass[lane] = NOTHING
    closed = replace(state, log_mass=log_mass, rows=0, slow=0, closed=state.closed + 1, total=state.total + share)
    return replace(closed, breached=alarm or (state.breached and share > objective.limit))


def _evidence(log_mass: Floats) -> Floats:
    return np.asarray(logsumexp(log_mass) - np.log(len(BETS)))


def verdict(objective: Objective, state: Blocks, scope: str) -> Verdict:
    """What is known now; counts are blocks."""
    enough = Outcome.PASS if state.closed >= NEEDED else Outcome.INSUFFICIENT
    return Verdict(
        scope=scope,
        monitor="latency",
        outcome=Outcome.BREACH if state.breached else enough,
        count=state.closed,
        needed=float(NEEDED),
        mean=state.total / state.closed if state.closed else None,
        recent=state.slow / state.rows if state.rows else None,
        limit=objective.limit,
        evidence=float(_evidence(state.log_mass).max()) / LN10,
        threshold=float(np.log10(objective.samples)),
        recovery=None,
        recovery_threshold=0.0,
        errors=0,
    )
