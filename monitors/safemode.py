"""Safe mode as a table: everything that decides a scope's mode is in this file.

How it works. A scope (the whole model, or one subgroup) is in one of three states: NORMAL, the compressed model
answers; SAFE, the baseline answers and the shadow goes on measuring the compressed model; LATCHED, as SAFE, but the
scope flapped too often and only an operator can end it. Inputs come from the monitors (breach, recovered, blind), from
time (dwell elapsed), from a start that cannot read the state (unreadable), from deployment (new artefact, known harm),
from a statement of qualification that does not prove a scope (withheld) and from operators (force-safe, force-normal,
release).

An operator's force holds the scope: automatic inputs are recorded and move nothing until the operator releases it. A
scope that breached or was withheld while it was held in normal mode goes to safe mode with its release. A scope returns
on evidence, not on a timer, and not before its minimum dwell is over. A breach soon after a return by evidence is a
flap: the evidence required for the next return grows tenfold, and after too many flaps the scope latches.

A breach may be narrower than its scope: a class that the compressed model says too often is known as soon as it has
answered. Where the configuration asks for it, a safe scope is then ``narrow``: only the answers that say one of the
classes ``asked`` are asked again of the baseline. Every other cause, order or flap that latches widens it to the whole
scope.

A pair of state and input without a row raises and changes nothing.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from tightrope.monitors.elapsed import elapsed


class ModeState(StrEnum):
    """The role that answers a scope's requests, and the authority that can change it."""

    NORMAL = "normal"
    SAFE = "safe"
    LATCHED = "latched"


class Input(StrEnum):
    """The inputs of a scope."""

    BREACH = "breach"
    RECOVERED = "recovered"
    BLIND = "blind"
    UNREADABLE = "unreadable"
    DWELL_ELAPSED = "dwell-elapsed"
    NEW_ARTEFACT = "new-artefact"
    KNOWN_HARM = "known-harm"
    WITHHELD = "withheld"
    FORCE_SAFE = "force-safe"
    FORCE_NORMAL = "force-normal"
    RELEASE = "release"


ORDERS = (Input.FORCE_SAFE, Input.FORCE_NORMAL, Input.RELEASE)
"""The inputs that operators give."""

AUTOMATIC_CAUSES = frozenset((Input.BREACH, Input.BLIND, Input.UNREADABLE, Input.KNOWN_HARM))
"""The inputs that are a reason for safe mode by themselves."""

KEEPS_NARROW = frozenset((Input.DWELL_ELAPSED, Input.RELEASE))
"""The inputs that leave a narrow scope as it is; a breach of further classes alone adds these."""


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """One row of the table: the next state, and the conditions under which the scope keeps its state or goes elsewhere.

    >>> TABLE[ModeState.SAFE, Input.RECOVERED].after_dwell
    True
    """

    to: ModeState
    unless_held: bool = False
    after_dwell: bool = False
    or_latch: bool = False
    safe_if_objected: bool = False


TABLE: dict[tuple[ModeState, Input], TransitionRow] = {
    (ModeState.NORMAL, Input.BREACH): TransitionRow(ModeState.SAFE, unless_held=True, or_latch=True),
    (ModeState.NORMAL, Input.BLIND): TransitionRow(ModeState.SAFE, unless_held=True),
    (ModeState.NORMAL, Input.UNREADABLE): TransitionRow(ModeState.SAFE, unless_held=True),
    (ModeState.NORMAL, Input.NEW_ARTEFACT): TransitionRow(ModeState.NORMAL),
    (ModeState.NORMAL, Input.KNOWN_HARM): TransitionRow(ModeState.SAFE, unless_held=True),
    (ModeState.NORMAL, Input.WITHHELD): TransitionRow(ModeState.SAFE, unless_held=True),
    (ModeState.NORMAL, Input.FORCE_SAFE): TransitionRow(ModeState.SAFE),
    (ModeState.NORMAL, Input.FORCE_NORMAL): TransitionRow(ModeState.NORMAL),
    (ModeState.NORMAL, Input.RELEASE): TransitionRow(ModeState.NORMAL, safe_if_objected=True),
    (ModeState.SAFE, Input.BREACH): TransitionRow(ModeState.SAFE),
    (ModeState.SAFE, Input.BLIND): TransitionRow(ModeState.SAFE),
    (ModeState.SAFE, Input.UNREADABLE): TransitionRow(ModeState.SAFE),
    (ModeState.SAFE, Input.RECOVERED): TransitionRow(ModeState.NORMAL, unless_held=True, after_dwell=True),
    (ModeState.SAFE, Input.DWELL_ELAPSED): TransitionRow(ModeState.SAFE),
    (ModeState.SAFE, Input.NEW_ARTEFACT): TransitionRow(ModeState.SAFE),
    (ModeState.SAFE, Input.KNOWN_HARM): TransitionRow(ModeState.SAFE),
    (ModeState.SAFE, Input.WITHHELD): TransitionRow(ModeState.SAFE),
    (ModeState.SAFE, Input.FORCE_SAFE): TransitionRow(ModeState.SAFE),
    (ModeState.SAFE, Input.FORCE_NORMAL): TransitionRow(ModeState.NORMAL),
    (ModeState.SAFE, Input.RELEASE): TransitionRow(ModeState.SAFE),
    (ModeState.LATCHED, Input.BREACH): TransitionRow(ModeState.LATCHED),
    (ModeState.LATCHED, Input.BLIND): TransitionRow(ModeState.LATCHED),
    (ModeState.LATCHED, Input.UNREADABLE): TransitionRow(ModeState.LATCHED),
    (ModeState.LATCHED, Input.RECOVERED): TransitionRow(ModeState.LATCHED),
    (ModeState.LATCHED, Input.NEW_ARTEFACT): TransitionRow(ModeState.LATCHED),
    (ModeState.LATCHED, Input.KNOWN_HARM): TransitionRow(ModeState.LATCHED),
    (ModeState.LATCHED, Input.WITHHELD): TransitionRow(ModeState.LATCHED),
    (ModeState.LATCHED, Input.FORCE_SAFE): TransitionRow(ModeState.SAFE),
    (ModeState.LATCHED, Input.FORCE_NORMAL): TransitionRow(ModeState.NORMAL),
    (ModeState.LATCHED, Input.RELEASE): TransitionRow(ModeState.SAFE),
}


class IllegalTransitionError(ValueError):
    """The table has no row for this state and input; the scope keeps its mode."""


@dataclass(frozen=True, slots=True)
class Withholding:
    """The scopes that a statement of qualification does not prove, and why; ``statement`` is its digest.

    >>> Withholding().scopes
    ()
    """

    statement: str = ""
    scopes: tuple[str, ...] = ()
    reason: str = ""


NEVER = -1e18
"""The time of a return that has not happened."""

TRIAL_WEALTH = 100.0
"""The factor by which a new artefact has to multiply its wealth before it returns."""

MAX_RECOVERY_SAMPLES = 1e8
"""The cap on the tenfold growth of the recovery evidence; without it a flapping scope could never return."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Durations in seconds of event time; at most one false return in ``recovery_samples`` shadowed samples.

    >>> Policy().min_dwell
    300.0
    """

    min_dwell: float = 300.0
    flap_window: float = 86_400.0
    max_flaps: int = 3
    recovery_ratio: float = 0.75
    recovery_samples: float = 1e5


@dataclass(frozen=True, slots=True)
class Mode:
    """One scope's mode. ``since`` and ``returned`` are event times (s); ``flaps`` counts breaches soon after returns.

    ``trial`` marks a scope whose artefact was replaced while it was safe: it returns on evidence counted from zero.
    ``unread`` marks a scope whose earlier state could not be read: the baseline answers it under an advisory plan, too.
    ``breached`` marks a scope that breached while an operator held it in normal mode. ``ordered`` marks a scope that is
    safe on people's word alone, an operator's or that of a statement: no automatic input has given a reason since.
    ``returned`` is the time of the latest return by evidence: an order is no return, so a breach soon after it is no
    flap. ``withheld`` marks a scope that a statement does not prove: the baseline answers it under an advisory plan,
    too, until evidence or an operator brings it back. ``asked`` are the numbers of the classes to which a safe scope is
    narrowed; empty: the baseline answers all of it.

    >>> next_mode(Mode(), Input.BREACH, 60.0, Policy()).safe
    True
    """

    state: ModeState = ModeState.NORMAL
    held: bool = False
    dwelling: bool = False
    since: float = 0.0
    returned: float = NEVER
    flaps: int = 0
    trial: bool = False
    breached: bool = False
    unread: bool = False
    ordered: bool = False
    withheld: bool = False
    asked: tuple[int, ...] = ()

    @property
    def safe(self) -> bool:
        """Whether the baseline answers, all requests or, of a narrow scope, those on which the compressed model says a
        class that is asked again.
        """
        return self.state is not ModeState.NORMAL

    @property
    def narrow(self) -> bool:
        """Whether the compressed model answers all but the classes that are asked again."""
        return self.state is ModeState.SAFE and bool(self.asked)

    @property
    def whole(self) -> bool:
        """Whether the baseline answers every request."""
        return self.safe and not self.narrow

    @property
    def is_unproven(self) -> bool:
        """Whether the compressed model must not answer even under an advisory plan."""
        return self.unread or self.withheld

    @property
    def by_order(self) -> bool:
        """Whether the baseline answers because people said so: they need not be told of it."""
        return self.safe and (self.held or self.ordered)

    @property
    def apart(self) -> bool:
        """Whether decisions about other scopes leave this one's requests where they are: it is safe, or it is held in
        normal mode although it breached.
        """
        return self.safe or self.breached


def next_mode(mode: Mode, trigger: Input, time: float, policy: Policy, asked: tuple[int, ...] = ()) -> Mode:
    """Apply one input to a scope's mode. ``asked`` are the classes to which a breach is narrowed, if it is.

    Raises:
        IllegalTransitionError: when the table has no row for the state and the input.
    """
    row = TABLE.get((mode.state, trigger))
    if row is None:
        raise IllegalTransitionError(f"a scope in state {mode.state} cannot take {trigger}")
    to = ModeState.SAFE if row.safe_if_objected and (mode.breached or mode.withheld) else row.to
    before, asked = mode, asked if trigger is Input.BREACH else ()
    mode = _update_counters(mode, trigger, time, policy)
    stays = (row.unless_held and mode.held) or (row.after_dwell and mode.dwelling)
    to = mode.state if stays else to
    if to is ModeState.SAFE and row.or_latch and mode.flaps >= policy.max_flaps:
        to = ModeState.LATCHED
    after = _enter(mode, to, time, trigger)
    return replace(after, asked=_asked(before, after, trigger, asked))


def _asked(before: Mode, after: Mode, trigger: Input, asked: tuple[int, ...]) -> tuple[int, ...]:
    """The classes to which the scope is narrowed after an input: those of a breach, with the ones before. Any other
    cause widens it, and so does anything that has to be disproved besides.
    """
    if after.state is not ModeState.SAFE or after.held or after.trial or after.is_unproven:
        return ()
    if trigger in KEEPS_NARROW:
        return before.asked
    return tuple(sorted({*before.asked, *asked})) if asked and not before.whole else ()


def _update_counters(mode: Mode, trigger: Input, time: float, policy: Policy) -> Mode:
    """Apply the effects of an input besides the state: hold, end of the dwell, trial, breach on hold, flaps."""
    if trigger in ORDERS:
        return _order(mode, trigger)
    if trigger in AUTOMATIC_CAUSES:
        mode = replace(mode, ordered=False)
    if trigger is Input.DWELL_ELAPSED:
        return replace(mode, dwelling=False)
    if trigger is Input.NEW_ARTEFACT:
        return replace(mode, trial=mode.safe, breached=False)
    if trigger is Input.WITHHELD:
        enters = not mode.safe and not mode.held
        mode = replace(mode, withheld=True, trial=mode.trial or enters, ordered=mode.ordered or enters)
    if trigger is Input.UNREADABLE:
        mode = replace(mode, unread=mode.safe or not mode.held)
    if trigger is Input.KNOWN_HARM:
        mode = replace(mode, trial=False)
    if trigger in {Input.BREACH, Input.KNOWN_HARM} and mode.held and not mode.safe:
        return replace(mode, breached=True)
    if trigger is Input.BREACH and not mode.safe:
        flapped = elapsed(mode.returned, time) <= policy.flap_window
        return replace(mode, flaps=mode.flaps + 1 if flapped else 0)
    return mode


def _order(mode: Mode, order: Input) -> Mode:
    held, flaps = order is not Input.RELEASE, 0 if mode.state is ModeState.LATCHED else mode.flaps
    ordered = mode.ordered or (order is Input.FORCE_SAFE and not mode.safe)
    withheld = mode.withheld and order is not Input.FORCE_NORMAL
    return replace(mode, held=held, breached=False, unread=False, flaps=flaps, ordered=ordered, withheld=withheld)


def _enter(mode: Mode, to: ModeState, time: float, trigger: Input) -> Mode:
    if to is mode.state:
        return mode
    if to is ModeState.NORMAL:
        returned = time if trigger is Input.RECOVERED else NEVER
        mode = replace(mode, trial=False, unread=False, ordered=False, withheld=False)
        return replace(mode, state=to, since=time, dwelling=False, returned=returned)
    return replace(mode, state=to, since=time, dwelling=to is ModeState.SAFE)


def recovery_samples(mode: Mode, policy: Policy) -> float:
    """Return the evidence that a return needs: tenfold after every flap, up to the cap, never less than configured.

    A new artefact is on trial once: its wealth starts at one and is never seeded, so a hundredfold wealth is one wrong
    return in a hundred deployments.
    """
    base = TRIAL_WEALTH if mode.trial else policy.recovery_samples
    grown = base * 10.0 ** min(mode.flaps, 10)  # ten flaps reach the cap, and more would overflow
    return max(base, min(grown, MAX_RECOVERY_SAMPLES))
