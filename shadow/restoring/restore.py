"""Restores the states of models from a store: what cannot be read begins in safe mode, what is new is told."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from tightrope.monitors.decide import Cause
from tightrope.monitors.migration import begin_again, with_estimates
from tightrope.monitors.plan import ARMED, Plan, State, initial_state
from tightrope.monitors.records import Event
from tightrope.monitors.watched_groups.plans import judged_plan
from tightrope.service.adapters.ports import LogReset, Store
from tightrope.service.adapters.sqlite.state_file import unreadable_name
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.migration import fresh_event, is_outdated, log_event, migration_event
from tightrope.shadow.plan_changes import OTHER_ORDER
from tightrope.shadow.restoring.snapshot_check import is_in_other_order, snapshot_fault

log = logging.getLogger(__name__)


class FirstRound(Protocol):
    """The round of a judge in which restored states are told and saved."""

    states: dict[str, State]
    events: list[Event]

    def enter_unreadable(self, plan: Plan, cause: Cause) -> None:
        """Move every scope to safe mode."""


class Rejudge(Protocol):
    """Judges again what was judged after a snapshot."""

    def __call__(self, plan: Plan, state: State) -> tuple[State, list[Event]]:
        """The state after it, and events that are new.

        Raises:
            WireError: when that cannot be judged.
        """


class Restorer:
    """Restores states, and remembers what it found until `forget`. ``fresh`` has the models without earlier state."""

    def __init__(self, store: Store, rejudge: Rejudge = lambda plan, state: (state, [])) -> None:  # noqa: ARG005 - a default
        self.fresh: set[str] = set()
        self._store = store
        self._rejudge = rejudge
        self._events: list[Event] = []
        self._unreadable: dict[str, str] = {}
        self._outdated: set[str] = set()
        self._resets: dict[str, Sequence[LogReset]] = {}

    @property
    def log_resets(self) -> list[LogReset]:
        """The logs that the restored snapshots did not fit, one for each model."""
        return [reset for resets in self._resets.values() for reset in resets]

    def forget(self) -> None:
        """Forget what was found: it is told and saved, or other models are assigned."""
        self.fresh.clear()
        self._events.clear()
        self._unreadable.clear()
        self._outdated.clear()
        self._resets.clear()

    def restore(self, plan: Plan, now: float) -> State:
        """Decode a model's snapshot. A state that is lost, cannot be read or does not fit the logs goes on with an
        epoch that exceeds every published one, so that gateways accept its modes as newer; a state that is older than
        the published modes, too.
        """
        name, state = plan.model, initial_state(plan)
        saved, lost = self._store.snapshot(name), self._store.lost(name)
        published = self._store.published_epoch(name)
        try:
            if saved is not None:
                state = _usable(plan, record_codec.decode_state(saved))
        except WireError as error:
            kept = unreadable_name(name, now)
            self._store.set_aside(name, kept)
            lost = f"its snapshot cannot be read: {error}; it is kept as {kept}"
        if not lost:
            state, lost = self._after_snapshot(plan, state)
        if resets := self._store.resets(name):
            self._resets[name] = resets
            state = begin_again(judged_plan(plan, state), state)
            lost = "; ".join(reset.reason for reset in resets) + (f"; {lost}" if lost else "")
        if lost:
            self._unreadable[name] = lost
            if plan.keeps_armed:  # it may have been armed
                state = replace(state, retained=replace(state.retained, settings={**plan.settings, "mode": ARMED}))
            unknown = published < 0 and not resets  # of a state that cannot be read, with no log to say
            return replace(state, epoch=max(state.epoch, int(now) if unknown else published) + 1)
        if published > state.epoch:
            state = replace(state, epoch=published + 1)
        if saved is None:
            self.fresh.add(name)
        elif is_outdated(saved):
            self._outdated.add(name)
        return state

    def _after_snapshot(self, plan: Plan, state: State) -> tuple[State, str]:
        """The state after what was judged since the snapshot, or the state of the snapshot and why that is unknown."""
        try:
            state, events = self._rejudge(plan, state)
        except WireError as error:
            return state, str(error)
        self._events += events
        return state, ""

    def add_events(self, judge_round: FirstRound, plans: Mapping[str, Plan], bus_log: str, now: float) -> None:
        """Add the events to a round. Every scope of a model whose state is lost goes to safe mode."""
        for name in self._outdated | self.fresh:
            state = judge_round.states[name] = replace(judge_round.states[name])  # another object, so it is saved
            fresh = fresh_event(plans[name], bus_log, now) if name in self.fresh else None
            judge_round.events.append(fresh or migration_event(plans[name], state, now))
        judge_round.events += self._events
        for name, resets in self._resets.items():
            judge_round.events += [log_event(name, reset, now) for reset in resets]
        for name, reason in self._unreadable.items():
            log.error("%s: %s", name, reason)
            judge_round.enter_unreadable(plans[name], Cause(now, reason=reason))


def _usable(base: Plan, state: State) -> State:
    """Return the state if its model can be judged on from it.

    Raises:
        WireError: when it cannot.
    """
    plan = judged_plan(base, state)
    if is_in_other_order(plan, state):  # what was counted by position is of another plan; modes are by name
        state = replace(state, digest=f"{OTHER_ORDER}{state.digest}")
    if fault := snapshot_fault(plan, state):
        raise WireError(fault)
    return with_estimates(plan, state) if state.digest == plan.digest else state
