"""Judging many ticks at once equals judging them one by one with the bare detectors."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons, make_plan
from tests.support.judgement.ticks import seeded_evidence
from tightrope.monitors import watch
from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_SHARE
from tightrope.monitors.detector import LOG_ZERO, Bernoulli, Signed, advance
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Bools, Comparisons, Floats, Stream

ROWS, TICK = 1500, 16
SCOPES = ("group=a", "group=b")
MONITORS = {"disagreement": "rate", "refusal_rate": "ternary", "confidence": "continuous", "accuracy": "one side"}


def rows() -> Comparisons:
    """Build ticks of many lengths, from gaps in event time; harm below every alarm; rows without observations."""
    rng = np.random.default_rng(5)
    return make_comparisons(
        ROWS,
        scopes=SCOPES,
        time=np.cumsum(rng.choice([0.1, 30.0], ROWS, p=[0.99, 0.01])),
        member=rng.random((ROWS, 2)) < (0.4, 0.1),
        disagree=rng.random(ROWS) < 0.01,
        refused_baseline=rng.random(ROWS) < 0.05,
        refused_compressed=rng.random(ROWS) < 0.05,
        confidence_baseline=rng.uniform(0.5, 1, ROWS),
        confidence_compressed=rng.uniform(0.5, 1, ROWS),
        correct_baseline=rng.choice([0.0, 1.0], ROWS),
        correct_compressed=rng.choice([0.0, 1.0], ROWS),
        fault=rng.random(ROWS) < 0.02,
    )


def observed(batch: Comparisons, monitor: str) -> Floats:
    """Compute the observations independently of the product."""
    if monitor == "disagreement":
        return batch.disagree.astype(float)
    if monitor == "refusal_rate":
        return batch.refused_compressed.astype(float) - batch.refused_baseline
    if monitor == "confidence":
        return batch.confidence_compressed - batch.confidence_baseline
    return batch.correct_baseline - batch.correct_compressed


def ticks(batch: Comparisons, seconds: float) -> Iterator[slice]:
    """Yield sixteen rows, or fewer when event time has moved on."""
    first = 0
    for row in range(len(batch)):
        if row > first and batch.time[row] - batch.time[first] >= seconds:
            yield slice(first, row)
            first = row
        if row - first + 1 == TICK:
            yield slice(first, row + 1)
            first = row + 1


class SingleDetector:
    """One detector of one scope."""

    def __init__(self, monitor: str, limit: float, share: float) -> None:
        self.rate = Bernoulli.above(limit) if monitor == "disagreement" else None
        self.signed = Signed.outside(limit, 1.0, 1 if monitor == "accuracy" else 2)
        self.share = share
        width = 6 if self.rate else 7 * self.signed.sides
        self.log_mass = np.full(width, LOG_ZERO)

    def observe(self, y: Floats, seed: int) -> None:
        """Advance by one tick: this scope's rows, and the size of the tick as seed."""
        log_e = self.rate.log_e(np.array(len(y)), y.sum()) if self.rate else self.signed.log_e(y).sum(axis=0)
        self.log_mass = advance(self.log_mass, self.share * seed, log_e)

    def evidence(self) -> float:
        """Return log M."""
        return float((self.rate or self.signed).evidence(self.log_mass))


def expected(batch: Comparisons, monitor: str, lane: Bools) -> list[float]:
    """Return the evidence of every scope after all complete ticks, for the rows of one lane."""
    question = CATALOGUE[monitor]
    y, member = observed(batch, monitor), np.concatenate([np.ones((ROWS, 1), dtype=bool), batch.member], axis=1)
    shares = [question.share] + [SUBGROUP_SHARE / 2] * 2
    detectors = [
        SingleDetector(monitor, question.limit * (1 + (scope > 0)), share) for scope, share in enumerate(shares)
    ]
    for tick in ticks(batch, 20.0):
        for scope, detector in enumerate(detectors):
            mask = lane[tick] & member[tick, scope] & (batch.fault[tick] == 0)
            detector.observe(y[tick][mask], int(lane[tick].sum()))
    return [detector.evidence() for detector in detectors]


def watched(monitor: str, lanes: int) -> Plan:
    """Build a plan with ticks of sixteen rows or twenty seconds, and no alarm within reach."""
    return make_plan(monitor, scopes=SCOPES, lanes=lanes, tick_rows=TICK, tick_seconds=20.0, samples=1e30)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("monitor", MONITORS)
def test_many_ticks_at_once_equal_one_tick_at_a_time(monitor: str, lanes: int) -> None:
    """Rate, ternary mean, continuous mean, and one side only; each lane has its own rows and seed."""
    plan, batch = watched(monitor, lanes), rows()
    stream = CATALOGUE[monitor].stream
    state, transitions = watch.step(plan, initial_state(plan), batch, stream)
    assert transitions == []
    assert len({len(range(*tick.indices(ROWS))) for tick in ticks(batch, 20.0)}) > 5
    scopes = 1 if stream is Stream.LABELS else 3
    evidence = seeded_evidence(plan.rules[0], state.cells[0])
    for lane in range(lanes):
        wanted = expected(batch, monitor, np.arange(ROWS) % lanes == lane)[:scopes]
        assert evidence[lane, :scopes] == pytest.approx(wanted, abs=1e-9)
