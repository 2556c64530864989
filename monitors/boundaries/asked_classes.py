"""A breach that can be narrowed: classes that the compressed model says too often are asked again of the baseline.

How it works. A missed row is known only after the baseline was asked: a breach of `class_miss` moves the whole scope.
A gain shows in the compressed model's own answer: where nothing but gains of single classes is over the budget in the
model as a whole, only the answers that say one of these classes are asked again. Their rows leave every other cell, as
those of a safe subgroup do, because the caller gets the baseline's answer; the gain's own cells go on, to judge the
return. The answer of the compressed model is known before that of the baseline, so the guarantee of the detectors holds
for the rows that stay.
"""

from collections.abc import Collection

import numpy as np

from tightrope.monitors.plan import Plan, State, is_armed, over_budget
from tightrope.monitors.records import Bools, Comparisons
from tightrope.monitors.safemode import Mode, ModeState

GAIN_MONITOR = "class_gain"

MAX_ASKED = 64
"""The most classes that are asked again; of more, the whole model falls back."""

NARROWED_START = "; only answers that say one of these classes are asked again of the baseline: "
NARROWED_NOTE = NARROWED_START + "{}"
WIDENED_NOTE = "; the baseline answers all of it from now on, not only the classes that were asked again"
"""The additions to the reason of a breach that is narrowed to classes, and of an input that widens it."""

LATCH_NOTE = "; latched: too many breaches soon after a return, the baseline answers until an operator releases it"
"""The addition to the reason of a breach that latches its scope."""


def narrowed_classes(plan: Plan, state: State) -> tuple[int, ...]:
    """The numbers of the classes that a breach of the model as a whole can be narrowed to, ascending; empty if other
    evidence is over the budget too, or nothing is asked again.
    """
    classes: list[int] = []
    for rule, cells in zip(plan.rules, state.cells, strict=True):
        over = np.flatnonzero(over_budget(plan, state, rule, cells.log_mass)[:, 0]) // rule.lanes
        if len(over) and (rule.monitor.name != GAIN_MONITOR or over.max() >= len(plan.askable)):
            return ()
        classes += [plan.askable[variant] for variant in over.tolist()]
    asked = {*state.modes[0].asked, *classes}
    return tuple(sorted({*classes})) if len(asked) <= MAX_ASKED else ()


def asked_rows(mode: Mode, rows: Comparisons) -> Bools:
    """Mask the rows whose answer is asked again, from the mode of the model as a whole, (n,)."""
    if not mode.narrow:
        return np.zeros(len(rows), dtype=bool)
    return np.isin(rows.top_compressed, mode.asked)


def class_titles(plan: Plan, classes: Collection[int]) -> tuple[str, ...]:
    """The names of classes that are asked again, by their numbers, ascending; a number where none is known."""
    if not classes:
        return ()
    named = [rule.variants for rule in plan.rules if rule.monitor.name == GAIN_MONITOR]
    names = dict(zip(plan.askable, named[0], strict=False)) if named else {}
    return tuple(names.get(each, str(each)) for each in sorted(classes))


def extent_note(before: Mode, after: Mode) -> str:
    """The addition to a reason where a scope was narrowed to classes, widened again, or latched."""
    if after.state is ModeState.LATCHED and before.state is not after.state:
        return LATCH_NOTE
    if after.narrow and before.asked != after.asked:
        return NARROWED_NOTE.format(", ".join(map(str, after.asked)))
    return WIDENED_NOTE if before.narrow and after.whole else ""


def published_classes(plan: Plan, state: State) -> tuple[int, ...]:
    """The classes that gateways ask again: none where the model is safe besides, or evidence moves nothing."""
    orphaned = any(record.mode.safe for record in state.retained.orphans.values())
    return state.modes[0].asked if is_armed(plan, state) and state.modes[0].narrow and not orphaned else ()
