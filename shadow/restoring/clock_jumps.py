"""Times in the future: they count as now, and people are told that a clock is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np

from tightrope.monitors.elapsed import not_after
from tightrope.monitors.label_records import Label
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Event, Order, Traffic
from tightrope.service.adapters.ports import Record

CLOCK_TOLERANCE_SECONDS = 5.0
"""Difference between the clocks of two hosts that is no error."""

CLOCK_REPEAT_SECONDS = 3600.0
"""Time between two events about the same model."""

CLOCK_AHEAD = "clock-ahead"
"""The kind of the event."""

Timestamped = TypeVar("Timestamped", Label, Order, Traffic)
Timed = TypeVar("Timed", Comparisons, Label, Order, Traffic)


class Clock(Protocol):
    """A clock that only grows, such as `time.monotonic`."""

    def __call__(self) -> float:
        """The seconds since any moment."""


def at_most_now(item: Timed, now: float) -> tuple[Timed, float]:
    """The item with its times no later than ``now``, and the most seconds by which one was ahead; a difference within
    the tolerance is left.
    """
    if isinstance(item, Comparisons):
        ahead = float(item.time.max(initial=-np.inf)) - now
        if ahead <= CLOCK_TOLERANCE_SECONDS:
            return item, 0.0
        return replace(item, time=np.asarray(not_after(item.time, now))), ahead
    ahead = item.time - now
    if ahead <= CLOCK_TOLERANCE_SECONDS:
        return item, 0.0
    if isinstance(item, Traffic):
        return replace(item, time=now, since=item.since - ahead), ahead
    return replace(item, time=now), ahead


def with_log_time(item: Timestamped, record: Record) -> Timestamped:
    """Use the broker's timestamp if there is one; producers' clocks may be wrong."""
    return replace(item, time=record.time) if record.time else item


def note_with_log_time(note: Traffic, record: Record) -> Traffic:
    """Shift both times of a traffic note to the broker's clock."""
    return with_log_time(replace(note, since=note.since + record.time - note.time), record) if record.time else note


class ClockJumps:
    """Tells people about clocks that are ahead, once an hour for each model; ``clock`` is monotonic."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}

    def events(self, ahead: Mapping[str, float], now: float) -> list[Event]:
        """Return the events about these models; ``ahead`` has the most seconds, ``now`` is the wall clock."""
        events = []
        for model, seconds in ahead.items():
            if self._clock() - self._told.get(model, float("-inf")) >= CLOCK_REPEAT_SECONDS:
                self._told[model] = self._clock()
                reason = f"times up to {seconds:.0f} s in the future count as now: a clock is, or was, ahead"
                name = f"{model}/{CLOCK_AHEAD}/{now}"
                events.append(Event(name, now, model, CLOCK_AHEAD, MODEL_SCOPE, "judge", reason, {"seconds": seconds}))
        return events
