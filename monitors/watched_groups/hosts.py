"""The scopes of classes of hosts in the fold: they exist while two classes or more are seen.

A class is seen after `SEEN_ROWS` rows, and is gone when one block of `GONE_ROWS` rows has none of it, unless its
scope is in safe mode or held: a person, or its own rows, end that.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from tightrope.monitors.added_scopes.added_scope import HOST_ATTRIBUTE, AddedScope
from tightrope.monitors.added_scopes.host_scopes import MAX_HOST_SCOPES, OTHER_HOSTS_SCOPE, host_scope
from tightrope.monitors.intake.hosts import OTHER_HOSTS, compressed_hosts
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Ints, Stream
from tightrope.monitors.safemode import ModeState
from tightrope.monitors.ticks import BlockView
from tightrope.monitors.watched_groups.orders import with_scopes
from tightrope.monitors.watched_groups.plans import judged_plan

SEEN_ROWS = 16
"""Rows of the model from which a class is seen."""

GONE_ROWS = 32_768
"""Rows of the model without one of a class after which the class is gone."""


def host_change(plan: Plan, state: State, view: BlockView, stream: Stream) -> int | None:
    """The first tick of a block after which another class of hosts is seen, or one may be gone; None without any."""
    if stream is not Stream.COMPARISONS:
        return None
    hosts, ticks = compressed_hosts(view.rows), list[int]()
    for name in dict.fromkeys(hosts.tolist()):
        before = int(state.hosts[name][0, 0]) if name in state.hosts else 0
        if name and before < SEEN_ROWS:
            counts = before + np.add.reduceat(hosts == name, _starts(view)).cumsum()
            ticks += np.flatnonzero(counts >= SEEN_ROWS)[:1].tolist()
    if any(each.is_host for each in plan.added):
        blocks = (int(state.compared[0]) + np.cumsum((0, *view.block.sizes))) // GONE_ROWS
        ticks += [tick for tick, (one, other) in enumerate(pairwise(blocks.tolist())) if one != other][:1]
    return min(ticks, default=None)


def _starts(view: BlockView) -> Ints:
    return np.cumsum((0, *view.block.sizes[:-1]))


def with_host_scopes(plan: Plan, before: State, state: State, time: float) -> State:
    """Return the state with the scopes of the classes that are seen at the end of a tick, at event ``time``."""
    if int(before.compared[0]) // GONE_ROWS != int(state.compared[0]) // GONE_ROWS:
        state = _without_gone(plan, state)
        plan = judged_plan(plan, state)
    added = [*plan.added, *_missing(plan, state, time)]
    return with_scopes(plan, state, added) if len(added) > len(plan.added) else state


def _missing(plan: Plan, state: State, time: float) -> Iterator[AddedScope]:
    """The scopes of classes that are seen and have none; all further ones share one."""
    seen = [name for name, rows in state.hosts.items() if name not in {"", OTHER_HOSTS} and rows[0, 0] >= SEEN_ROWS]
    there = {each.scope for each in plan.added if each.is_host}
    own = len(there - {OTHER_HOSTS_SCOPE})
    if len(seen) <= 1:
        return
    for name in seen:
        scope = host_scope(name, time)
        if scope.scope not in {*there, *plan.scopes}:
            own += 1
            if own <= MAX_HOST_SCOPES:
                yield scope
            elif OTHER_HOSTS_SCOPE not in there:
                yield host_scope("other", time)
                return


def _without_gone(plan: Plan, state: State) -> State:
    """Return the state without the scopes of classes that are gone; a single one that is left tells nothing."""
    hosts = [each for each in plan.added if each.is_host]
    last = {each.scope: int(state.sighted[plan.scopes.index(each.scope)]) for each in hosts}
    gone = [each for each in hosts if last[each.scope] <= state.compared[0] - GONE_ROWS and _is_free(plan, state, each)]
    left = [each for each in hosts if each not in gone]
    ended = hosts if len(left) <= 1 and all(_is_free(plan, state, each) for each in left) else gone
    if not ended:
        return state
    state = with_scopes(plan, state, [each for each in plan.added if each not in ended])
    names = {each.scope.removeprefix(f"{HOST_ATTRIBUTE}=") for each in gone}
    return replace(state, hosts={name: rows for name, rows in state.hosts.items() if name not in names})


def _is_free(plan: Plan, state: State, added: AddedScope) -> bool:
    """Whether no mode of a scope would be lost with it."""
    mode = state.modes[plan.scopes.index(added.scope)]
    return mode.state is ModeState.NORMAL and not mode.held and not mode.apart
