"""The state of a model whose plan gets, or loses, scopes while it runs: all that the other scopes have stays."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.detector_bank import Cells, Rule
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Ints
from tightrope.monitors.safemode import Mode
from tightrope.monitors.veto.wealth import Veto
from tightrope.monitors.watched_groups.plans import fitted_rows


def moved_state(before: Plan, after: Plan, state: State) -> State:
    """Return a state of the plan ``before`` as one of ``after``, which differs in its added scopes.

    New scopes begin in normal mode and without evidence, and rows of the open tick are not in them.
    """
    scopes = np.array([before.scopes.index(name) if name in before.scopes else -1 for name in after.scopes])
    names = "compared", "disagreed", "errors", "noise", "faulty"
    counts: dict[str, Any] = {name: _moved(getattr(state, name), scopes) for name in names}
    sighted = np.where(scopes < 0, state.compared[0], _moved(state.sighted, scopes))  # it is seen from now on
    rules = zip(before.rules, after.rules, state.cells, strict=True)
    return replace(
        state,
        **counts,
        scopes=after.scopes,
        added=after.added,
        epoch=state.epoch + 1,
        modes=tuple(state.modes[index] if index >= 0 else Mode() for index in scopes.tolist()),
        sighted=sighted,
        hosts=_moved_each(state.hosts, scopes),
        refused=_moved_each(state.refused, scopes),
        pending={stream: fitted_rows(after, rows, new=False) for stream, rows in state.pending.items()},
        cells=tuple(_moved_cells(*each, scopes) for each in rules),
        estimates=state.estimates.moved(before.rules, after.rules, scopes),
        veto=_moved_veto(state.veto, scopes),
        curves=state.curves if after.curves is None else state.curves.moved(after.curves, scopes),
    )


def _moved(values: NDArray[Any], scopes: Ints) -> NDArray[Any]:
    """Values (S, ...) of other scopes; zero for a new one."""
    moved = values[scopes]
    moved[scopes < 0] = 0
    return moved


def _moved_each(values: Mapping[Any, Ints], scopes: Ints) -> dict[Any, Ints]:
    return {name: _moved(each, scopes) for name, each in values.items()}


def _moved_cells(before: Rule, after: Rule, cells: Cells, scopes: Ints) -> Cells:
    """The cells of a monitor; those of the model alone stay as they are."""
    if len(before.limits) == len(after.limits) == 1:
        return cells
    fresh, own = Cells.fresh(after, cells.window.shape[2]), scopes >= 0
    for field in fields(Cells):
        values, old = getattr(fresh, field.name), getattr(cells, field.name)
        if field.name == "path":  # of many cells fewer ticks are kept
            ticks = min(values.shape[2], old.shape[2])
            values[:, own, values.shape[2] - ticks :] = old[:, scopes[own], old.shape[2] - ticks :]
        else:
            values[:, own] = old[:, scopes[own]]
    return fresh


def _moved_veto(veto: Veto, scopes: Ints) -> Veto:
    moved, own = Veto.fresh(len(scopes)), scopes >= 0
    for field in fields(Veto):
        if field.name != "cause":
            getattr(moved, field.name)[own] = getattr(veto, field.name)[scopes[own]]
    return replace(moved, cause=veto.cause)
