"""Latency against an objective: the share of slow requests in blocks of event time. Reported, never switched on.

How it works. Neighbouring requests are slow together, so the unit is a block of ten seconds with one observation y in
[0, 1]. Blocks go to several detectors in turn, each seeded by its own blocks (a bounded e-SR detector on block means).
The budget is in blocks. A fallback would not help a slow machine, so a breach is an event and a verdict only.
"""

from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.detector import BETS, LARGEST_BET, LN10, LOG_ZERO, advance, logsumexp
from tightrope.monitors.records import Floats, Outcome
from tightrope.monitors.verdict import Verdict

LANES = 6
"""The number of detectors that take blocks in turn."""

BLOCKS_TO_PASS = 60
"""The closed blocks that a pass takes: ten minutes at the default length."""


@dataclass(frozen=True, slots=True)
class LatencyObjective:
    """At most the share ``limit`` of the requests in a block (``block`` seconds) may take longer than ``seconds``.

    ``samples`` is the budget: at most one false alarm in that many blocks on average; the default is thirty years.

    >>> LatencyObjective(seconds=0.2).log_e(0.01).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
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
class LatencyState:
    """The open block with its rows, the closed blocks, and the detectors (lanes, K).

    >>> objective, times, seconds = LatencyObjective(seconds=0.2), np.array([0.0, 1.0, 12.0]), np.array([0.1, 0.5, 0.1])
    >>> state = fold_rows(objective, LatencyState.fresh(), times, seconds)
    >>> state.closed, state.total
    (1, 0.5)
    """

    log_mass: Floats
    block: int = -1
    rows: int = 0
    slow: int = 0
    closed: int = 0
    total: float = 0.0
    breached: bool = False

    @classmethod
    def fresh(cls) -> "LatencyState":
        """Build the state before the first row."""
        return cls(np.full((LANES, len(BETS)), LOG_ZERO))


def fold_rows(objective: LatencyObjective, state: LatencyState, times: Floats, seconds: Floats) -> LatencyState:
    """Fold rows in log order: rows of earlier blocks join the open one; unknown durations (NaN) are skipped."""
    measured = np.isfinite(seconds)
    blocks = np.maximum.accumulate(np.maximum((times[measured] / objective.block).astype(np.int64), state.block))
    slow = seconds[measured] > objective.seconds
    for block in np.unique(blocks).tolist():
        inside = blocks == block
        if block != state.block and state.rows:
            state = _closed(objective, state)
        state = replace(
            state, block=block, rows=state.rows + int(inside.sum()), slow=state.slow + int(slow[inside].sum())
        )
    return state


def _closed(objective: LatencyObjective, state: LatencyState) -> LatencyState:
    """Close the open block as one observation of its lane. A breach lasts while blocks stay over the limit."""
    share, lane = state.slow / state.rows, state.closed % LANES
    log_mass = state.log_mass.copy()
    log_mass[lane] = advance(log_mass[lane], 1.0, objective.log_e(share))
    alarm = bool(_evidence(log_mass)[lane] >= np.log(objective.samples))
    if alarm:
        log_mass[lane] = LOG_ZERO
    closed = replace(state, log_mass=log_mass, rows=0, slow=0, closed=state.closed + 1, total=state.total + share)
    return replace(closed, breached=alarm or (state.breached and share > objective.limit))


def _evidence(log_mass: Floats) -> Floats:
    return np.asarray(logsumexp(log_mass) - np.log(len(BETS)))


def verdict(objective: LatencyObjective, state: LatencyState, scope: str) -> Verdict:
    """Report the verdict so far; counts are blocks."""
    enough = Outcome.PASS if state.closed >= BLOCKS_TO_PASS else Outcome.INSUFFICIENT
    return Verdict(
        scope=scope,
        monitor="latency",
        outcome=Outcome.BREACH if state.breached else enough,
        count=state.closed,
        needed=float(BLOCKS_TO_PASS),
        mean=state.total / state.closed if state.closed else None,
        recent=state.slow / state.rows if state.rows else None,
        limit=objective.limit,
        evidence=float(_evidence(state.log_mass).max()) / LN10,
        threshold=float(np.log10(objective.samples)),
        recovery=None,
        recovery_threshold=0.0,
        errors=0,
    )
