"""Safe mode, as a table. Everything that decides what a scope's mode becomes is in this file.

Theory. A scope (the whole model, or one subgroup) is in one of three states: NORMAL, the compressed model answers;
SAFE, the baseline answers and the compressed model goes on being measured as the shadow; LATCHED, as SAFE, but it
flapped too often and only a person can end it. Inputs come from the monitors (breach, recovered, blind), from time
(dwell elapsed), from deployment (new artefact) and from operators (force-safe, force-normal, release).

An operator's force holds the scope: automatic inputs are recorded and move nothing until the operator releases it. A
scope returns by evidence, not by a timer, and not before its minimum dwell is over. A breach soon after a return is a
flap: the evidence asked for the next return grows tenfold, and after too many flaps the scope latches.

A pair of state and input that has no row raises and changes nothing.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    """Who answers a scope's requests, and who may change that."""

    NORMAL = "normal"
    SAFE = "safe"
    LATCHED = "latched"


class Input(StrEnum):
    """What can happen to a scope."""

    BREACH = "breach"
    RECOVERED = "recovered"
    BLIND = "blind"
    DWELL_ELAPSED = "dwell-elapsed"
    NEW_ARTEFACT = "new-artefact"
    FORCE_SAFE = "force-safe"
    FORCE_NORMAL = "force-normal"
    RELEASE = "release"


ORDERS = (Input.FORCE_SAFE, Input.FORCE_NORMAL, Input.RELEASE)
"""The inputs that are an operator's to give."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: the next state, and the conditions under which the scope stays where it is instead."""

    to: State
    unless_held: bool = False
    after_dwell: bool = False
    or_latch: bool = False


TABLE: dict[tuple[State, Input], Row] = {
    (State.NORMAL, Input.BREACH): Row(State.SAFE, unless_held=True, or_latch=True),
    (State.NORMAL, Input.BLIND): Row(State.SAFE, unless_held=True),
    (State.NORMAL, Input.NEW_ARTEFACT): Row(State.NORMAL),
    (State.NORMAL, Input.FORCE_SAFE): Row(State.SAFE),
    (State.NORMAL, Input.FORCE_NORMAL): Row(State.NORMAL),
    (State.NORMAL, Input.RELEASE): Row(State.NORMAL),
    (State.SAFE, Input.BREACH): Row(State.SAFE),
    (State.SAFE, Input.BLIND): Row(State.SAFE),
    (State.SAFE, Input.RECOVERED): Row(State.NORMAL, unless_held=True, after_dwell=True),
    (State.SAFE, Input.DWELL_ELAPSED): Row(State.SAFE),
    (State.SAFE, Input.NEW_ARTEFACT): Row(State.SAFE),
    (State.SAFE, Input.FORCE_SAFE): Row(State.SAFE),
    (State.SAFE, Input.FORCE_NORMAL): Row(State.NORMAL),
    (State.SAFE, Input.RELEASE): Row(State.SAFE),
    (State.LATCHED, Input.BREACH): Row(State.LATCHED),
    (State.LATCHED, Input.BLIND): Row(State.LATCHED),
    (State.LATCHED, Input.RECOVERED): Row(State.LATCHED),
    (State.LATCHED, Input.NEW_ARTEFACT): Row(State.LATCHED),
    (State.LATCHED, Input.FORCE_SAFE): Row(State.SAFE),
    (State.LATCHED, Input.FORCE_NORMAL): Row(State.NORMAL),
    (State.LATCHED, Input.RELEASE): Row(State.SAFE),
}


class IllegalTransitionError(ValueError):
    """The table has no row for this state and input; the scope stays as it was."""


MOST_RECOVERY_SAMPLES = 1e8
"""Tenfold growth of the recovery evidence stops here, or a scope that flapped could never return."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds of event time. ``recovery_samples``: at most one false return in so many shadowed samples."""

    min_dwell: float = 300.0
    flap_window: float = 86_400.0
    max_flaps: int = 3
    recovery_ratio: float = 0.75
    recovery_samples: float = 1e5


@dataclass(frozen=True, slots=True)
class Mode:
    """One scope's mode. ``since`` and ``returned`` are event times (seconds); ``flaps`` counts breaches soon after
    returns.
    """

    state: State = State.NORMAL
    held: bool = False
    dwelling: bool = False
    since: float = 0.0
    returned: float = -1e18
    flaps: int = 0

    @property
    def safe(self) -> bool:
        """Whether the baseline answers."""
        return self.state is not State.NORMAL


def apply(mode: Mode, what: Input, time: float, policy: Policy) -> Mode:
    """The scope's next mode.

    Raises:
        IllegalTransitionError: when the table has no row for the pair; nothing has changed then.
    """
    row = TABLE.get((mode.state, what))
    if row is None:
        raise IllegalTransitionError(f"a scope in state {mode.state} cannot take {what}")
    mode = _noted(mode, what, time, policy)
    stays = (row.unless_held and mode.held) or (row.after_dwell and mode.dwelling)
    to = mode.state if stays else row.to
    if to is State.SAFE and row.or_latch and mode.flaps >= policy.max_flaps:
        to = State.LATCHED
    return _entered(mode, to, time)


def _noted(mode: Mode, what: Input, time: float, policy: Policy) -> Mode:
    """What an input changes besides the state: holds, the end of the dwell, the count of flaps."""
    if what in ORDERS:
        latched = mode.state is State.LATCHED
        return replace(mode, held=what is not Input.RELEASE, flaps=0 if latched else mode.flaps)
    if what is Input.DWELL_ELAPSED:
        return replace(mode, dwelling=False)
    if what is Input.BREACH and mode.state is State.NORMAL and not mode.held:
        flapped = time - mode.returned <= policy.flap_window
        return replace(mode, flaps=mode.flaps + 1 if flapped else 0)
    return mode


def _entered(mode: Mode, to: State, time: float) -> Mode:
    if to is mode.state:
        return mode
    if to is State.NORMAL:
        return replace(mode, state=to, since=time, dwelling=False, returned=time)
    return replace(mode, state=to, since=time, dwelling=to is State.SAFE)


def recovery_samples(mode: Mode, policy: Policy) -> float:
    """The evidence that a return needs: tenfold after every flap, up to the cap, and never less than configured."""
    grown = policy.recovery_samples * 10.0 ** min(mode.flaps, 10)  # beyond the cap by then, and no overflow
    return max(policy.recovery_samples, min(grown, MOST_RECOVERY_SAMPLES))
