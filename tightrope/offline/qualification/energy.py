"""The energy of a row: what the processors took while a model ran, less what they take idle."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import EnergyMeter, Model

ROUNDS = 2
"""Rounds of idle time, baseline and compressed model, so that another load that comes or goes falls on all of them."""

ROUND_SECONDS = 0.5
"""The time of each part of a round: many times the millisecond in which the counters advance."""


@dataclass(frozen=True, slots=True)
class HostClock:
    """The time of the host: seconds that only go on, and a pause."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


HOST_CLOCK = HostClock()


@dataclass(frozen=True, slots=True)
class _Interval:
    """One part of a round: the joules (None if the meter did not tell), the seconds, and the rows."""

    joules: float | None
    seconds: float
    rows: int


def joules_per_row(
    meter: EnergyMeter | None,
    models: Mapping[Role, Model],
    rows: Sequence[Tensors],
    outputs: Sequence[str],
    clock: HostClock = HOST_CLOCK,
) -> dict[str, float | None]:
    """Measure the energy of single rows by role. Empty without a meter; None where it stops telling, or tells no more
    than when idle.
    """
    if meter is None:
        return {}
    given, idle = cycle(rows), list[_Interval]()
    taken: dict[Role, list[_Interval]] = {role: [] for role in Role}

    def answer(role: Role) -> int:
        count, end = 0, clock.now() + ROUND_SECONDS
        while clock.now() < end:
            models[role].run(next(given), outputs)
            count += 1
        return count

    def stay_idle() -> int:
        clock.pause(ROUND_SECONDS)
        return 0

    for _ in range(ROUNDS):
        idle.append(_measure(meter, clock, stay_idle))
        for role in Role:
            taken[role].append(_measure(meter, clock, lambda role=role: answer(role)))  # type: ignore[misc]
    return {str(role): _net_joules(intervals, idle) for role, intervals in taken.items()}


def _measure(meter: EnergyMeter, clock: HostClock, work: Callable[[], int]) -> _Interval:
    """Do work that returns its rows."""
    before, begin = meter.joules(), clock.now()
    rows = work()
    seconds, after = clock.now() - begin, meter.joules()
    return _Interval(None if before is None or after is None else after - before, seconds, rows)


def _net_joules(taken: Sequence[_Interval], idle: Sequence[_Interval]) -> float | None:
    """The joules of a row beyond those of idle time."""
    joules = [each.joules for each in (*taken, *idle) if each.joules is not None]
    if len(joules) < len(taken) + len(idle):
        return None
    busy, resting = sum(joules[: len(taken)]), sum(joules[len(taken) :])
    watts = resting / sum(each.seconds for each in idle)
    net = busy - watts * sum(each.seconds for each in taken)
    return net / sum(each.rows for each in taken) if net > 0 else None
