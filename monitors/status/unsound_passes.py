"""Passes that are withheld: rows of the scope are not kept or not counted, so that few rows would have shown harm."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tightrope.monitors.clear_rows.clear_margin import MARGIN_ROWS
from tightrope.monitors.definitions.clear_monitor import learns_margin
from tightrope.monitors.intake.repeats import MAX_INPUT_SHARE, Repeats
from tightrope.monitors.intake.sight_notes import missing_sight
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Outcome, Stream
from tightrope.monitors.verdict import Verdict

REPEATS_NOTE = (
    "{:.0%} of the latest rows repeat an input and are not counted; if the model has few possible inputs, set "
    "models.{}.repeats: retries"
)

MARGIN_NOTE = (
    "the margin of clear rows is not known yet: {:,} of the {:,} rows that fix it are compared; golden rows "
    "(models.{}.golden) fix it before"
)


def without_sight(state: State, found: Sequence[Verdict]) -> list[Verdict]:
    """Withhold a pass where gateways tell that rows of the scope are not kept, or do not arrive."""
    if not any(state.sight_notes.values()):
        return list(found)
    scopes = {verdict.scope for verdict in found}
    notes = {scope: missing_sight(state.sight_notes, scope, state.unanswered.answered) for scope in scopes}
    return _withhold(found, lambda verdict: notes[verdict.scope])


def without_margin(plan: Plan, state: State, found: Sequence[Verdict]) -> list[Verdict]:
    """Say why no row of a monitor counts while it waits for the margin of clear rows."""
    waiting = [rule.monitor.name for rule in plan.rules if learns_margin([rule.monitor])]
    if not waiting:
        return list(found)
    note = MARGIN_NOTE.format(len(state.margin.margins), MARGIN_ROWS, plan.model)
    return _withhold(found, lambda verdict: note if verdict.monitor in waiting else "")


def without_repeats(plan: Plan, state: State, found: Sequence[Verdict]) -> list[Verdict]:
    """Withhold a pass where most rows are not counted, because they repeat an input."""
    share = state.repeats.input_share if plan.repeats is Repeats.DISTINCT else 0.0
    if share <= MAX_INPUT_SHARE:
        return list(found)
    names = {rule.monitor.name for rule in plan.rules if rule.monitor.stream is Stream.COMPARISONS}
    note = REPEATS_NOTE.format(share, plan.model)
    return _withhold(found, lambda verdict: note if verdict.monitor in names else "")


def _withhold(found: Sequence[Verdict], note_of: Callable[[Verdict], str]) -> list[Verdict]:
    """Withhold the passes with a note; an earlier note stands."""
    return [
        _withheld(verdict, note)
        if verdict.outcome in {Outcome.PASS, Outcome.INSUFFICIENT} and (note := note_of(verdict))
        else verdict
        for verdict in found
    ]


def _withheld(verdict: Verdict, note: str) -> Verdict:
    added = verdict.note or note
    text = verdict.text if added in verdict.text else "; ".join(part for part in (verdict.text, added) if part)
    return replace(verdict, outcome=Outcome.INSUFFICIENT, note=added, text=text)
