"""Stored modes of scopes that the configuration no longer has: a person maps each to a scope, or drops it.

A stored mode says that the compressed model harms a group, or that a person decided so. Only a person knows whether the
group has another name now, so `tightrope run` refuses to start while such a mode is in safe mode.
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.history.retained import ScopeRecord
from tightrope.monitors.migration import mark_harmed, migrate_state, scope_records
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Event
from tightrope.monitors.safemode import Mode
from tightrope.monitors.watched_groups.plans import judged_plan
from tightrope.service.adapters.ports import Store
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.config.loader import ConfigError


@dataclass(frozen=True, slots=True)
class StoredMode:
    """The stored mode of one scope; ``configured`` tells whether the configuration has the scope."""

    model: str
    scope: str
    record: ScopeRecord
    configured: bool


def require_mapped(store: SqliteStore, plans: Mapping[str, Plan]) -> None:
    """Refuse stored modes in safe mode whose scope the configuration does not have.

    Raises:
        ConfigError: with a line for each, which names the commands that map it.
    """
    problems = []
    for plan in plans.values():
        try:
            state = read_state(store, plan.model)
        except ConfigError:
            continue  # the judge reports it, and every scope begins in safe mode
        unmapped = migrate_state(judged_plan(plan, state), state).retained.unmapped if state else {}
        for scope, record in unmapped.items():
            problems.append(
                f"models.{plan.model}.subgroups: {scope} is {record.mode.state} in the stored state and no longer in "
                f"the configuration; `tightrope modes move CONFIG {scope} NEW` gives its mode to another scope, "
                f"`tightrope modes drop CONFIG {scope} --reason WHY` forgets it"
            )
    if problems:
        raise ConfigError(problems)


def stored_modes(store: Store, plan: Plan) -> Iterator[StoredMode]:
    """Yield the stored mode of every scope of a model, and those of scopes that it no longer has."""
    state = read_state(store, plan.model)
    for scope, record in scope_records(state).items() if state else ():
        if scope in plan.scopes or record.relevant:
            yield StoredMode(plan.model, scope, record, scope in plan.scopes)


def move_mode(store: SqliteStore, plan: Plan, old: str, new: str, actor: str, reason: str) -> StoredMode:
    """Give the stored mode of a scope to another scope, which takes the stricter of both; returns the result.

    Raises:
        ConfigError: when there is no such mode, the configuration still has the old scope, or has no new scope.
    """
    state, record = _orphan(store, plan, old)
    if new not in plan.scopes[1:]:
        known = ", ".join(plan.scopes[1:]) or "no subgroups"
        raise ConfigError([f"NEW: model {plan.model} has no subgroup {new!r}; it has {known}"])
    joined = record.join(scope_records(state).get(new, ScopeRecord()))
    state = _renamed(_without(state, old), old, new)
    if new in state.scopes:
        index = state.scopes.index(new)
        state = mark_harmed(state, index, joined)
        state = replace(state, modes=(*state.modes[:index], joined.mode, *state.modes[index + 1 :]))
    else:
        orphans = {**state.retained.orphans, new: joined}
        state = replace(state, retained=replace(state.retained, orphans=orphans))
    event = _event(plan, "mode-moved", StoredMode(plan.model, old, record, configured=False), actor, reason)
    _save(store, state, replace(event, detail={**event.detail, "to": new}))
    return StoredMode(plan.model, new, joined, configured=True)


def drop_mode(store: SqliteStore, plan: Plan, scope: str, actor: str, reason: str) -> StoredMode:
    """Forget the stored mode of a scope that the configuration no longer has; returns it.

    Raises:
        ConfigError: when there is no such mode, or the configuration still has the scope.
    """
    state, record = _orphan(store, plan, scope)
    dropped = StoredMode(plan.model, scope, record, configured=False)
    _save(store, _renamed(_without(state, scope), scope, None), _event(plan, "mode-dropped", dropped, actor, reason))
    return dropped


def read_state(store: Store, model: str) -> State | None:
    """Return the stored state of a model, if there is one.

    Raises:
        ConfigError: when it cannot be read.
    """
    saved = store.snapshot(model)
    try:
        return record_codec.decode_state(saved) if saved is not None else None
    except WireError as error:
        raise ConfigError([f"state: the snapshot of model {model} cannot be read: {error}"]) from error


def _orphan(store: SqliteStore, plan: Plan, scope: str) -> tuple[State, ScopeRecord]:
    """Return the state of a model, and the record of a scope that only the state has."""
    state = read_state(store, plan.model)
    if scope in plan.scopes:
        raise ConfigError(
            [f"{scope} is in the configuration of model {plan.model}: start it, and change the mode by an order"]
        )
    record = scope_records(state).get(scope) if state else None
    if state is None or record is None:
        raise ConfigError([f"model {plan.model} has no stored mode of {scope!r}; `tightrope modes list` shows all"])
    return state, record


def _without(state: State, scope: str) -> State:
    """Return the state without what it has of a scope."""
    retained = replace(
        state.retained,
        orphans={name: record for name, record in state.retained.orphans.items() if name != scope},
        disabled={name: off for name, off in state.retained.disabled.items() if name != scope},
    )
    others = np.array([name != scope for name in state.scopes])
    return replace(
        state,
        epoch=state.epoch + 1,
        modes=tuple(Mode() if name == scope else mode for name, mode in zip(state.scopes, state.modes, strict=True)),
        cells=tuple(replace(cells, tripped=cells.tripped & others) for cells in state.cells),
        retained=retained,
    )


def _renamed(state: State, old: str, new: str | None) -> State:
    """Return the state with another name for a scope that pairs harmed, or without it."""
    pairs = []
    for pair in state.retained.pairs:
        harmed = {scope: record for scope, record in pair.harmed.items() if scope != old}
        if old in pair.harmed and new is not None:
            harmed[new] = pair.harmed[old].join(harmed.get(new, ScopeRecord()))
        pairs.append(replace(pair, harmed=harmed))
    return replace(state, retained=replace(state.retained, pairs=tuple(pairs)))


def _save(store: SqliteStore, state: State, event: Event) -> None:
    store.save(state.log, {}, {event.model: record_codec.encode_state(state)}, [event])


def _event(plan: Plan, kind: str, stored: StoredMode, actor: str, reason: str) -> Event:
    record = stored.record
    detail = {"state": str(record.mode.state), "held": record.mode.held, "monitors": list(record.monitors)}
    return Event(uuid.uuid4().hex, time.time(), plan.model, kind, stored.scope, actor, reason, detail)
