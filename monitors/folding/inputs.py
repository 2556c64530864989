"""The inputs of the fold: each change of the state of a model's judgement is one of these.

A state and the inputs after it give the next states, each equal to the byte, in any process of the same versions. So a
record of inputs is a record of the judgement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tightrope.monitors.decide import Cause
from tightrope.monitors.plan import Plan, State, Transition
from tightrope.monitors.records import Comparisons, Event, Order, Traffic


class StateChange:
    """The base of the inputs: one change of a state."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ComparedRows(StateChange):
    """Compared rows; ``time`` is the log's, seconds since the epoch (0: the log has none)."""

    rows: Comparisons
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class LabelledRows(StateChange):
    """Rows that were joined with their labels."""

    rows: Comparisons


@dataclass(frozen=True, slots=True)
class LabelCounts(StateChange):
    """Labels by outcome, more than before."""

    more: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class KeptRequests(StateChange):
    """A gateway's notice of requests that it kept."""

    notice: Traffic


@dataclass(frozen=True, slots=True)
class GivenOrder(StateChange):
    """An operator's order that was carried out."""

    order: Order


@dataclass(frozen=True, slots=True)
class GatewayEvent(StateChange):
    """A gateway's event about rows that are missing, and the time at which it was read."""

    event: Event
    time: float


@dataclass(frozen=True, slots=True)
class PassedEpoch(StateChange):
    """Modes of another process, whose epoch is passed."""

    epoch: int


@dataclass(frozen=True, slots=True)
class ClockReading(StateChange):
    """A reading of the clock that lies before times of the state."""

    time: float


@dataclass(frozen=True, slots=True)
class NewPlan(StateChange):
    """The model is judged by another plan from here on."""

    plan: Plan
    cause: Cause


@dataclass(frozen=True, slots=True)
class UnreadableState(StateChange):
    """The state before could not be read."""

    cause: Cause


FoldInput: TypeAlias = (
    ComparedRows
    | LabelledRows
    | LabelCounts
    | KeptRequests
    | GivenOrder
    | GatewayEvent
    | PassedEpoch
    | ClockReading
    | NewPlan
    | UnreadableState
)


@dataclass(frozen=True, slots=True)
class FoldStep:
    """One input of a model's fold, the state after it, and the transitions that it led to."""

    model: str
    item: FoldInput
    after: State
    transitions: tuple[Transition, ...] = field(default=())

    @property
    def moves(self) -> tuple[Transition, ...]:
        """The transitions that changed a mode."""
        return tuple(each for each in self.transitions if each.moved)
