"""Current verdicts of every monitor in every scope, for people, dashboards and the status API."""

from collections.abc import Sequence

import numpy as np

from tightrope.monitors import latency, safemode
from tightrope.monitors.detector import LN10
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.intake.refusals import refusal_rate
from tightrope.monitors.intervals import words
from tightrope.monitors.intervals.estimates import is_rate
from tightrope.monitors.intervals.outlook import project
from tightrope.monitors.plan import Plan, State, is_blind
from tightrope.monitors.records import Outcome, Role, Stream
from tightrope.monitors.scopes import unseen_scopes
from tightrope.monitors.status.notes import noise_note, silence_note
from tightrope.monitors.status.progress import label_coverage
from tightrope.monitors.status.shown_rule import CellFigures, ShownRule, leading
from tightrope.monitors.status.sights import disabled_verdicts, model_sight, scope_sights
from tightrope.monitors.status.unsound_passes import without_margin, without_repeats, without_sight
from tightrope.monitors.verdict import Interval, Outlook, Verdict, decide_outcome


def verdicts(plan: Plan, state: State) -> list[Verdict]:
    """Return the verdict of every monitor in every scope that it watches, scope by scope, the model first.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
    >>> [verdict.monitor for verdict in verdicts(plan, initial_state(plan))]
    ['sight']
    """
    return _with_others(plan, state, _rule_verdicts(plan, state, None))


def leading_verdicts(plan: Plan, state: State, complete: int) -> list[Verdict]:
    """Return the verdicts of all monitors in the ``complete`` scopes that are in safe mode or have the most evidence,
    and of each other scope only those of disagreement, of the monitor with the most evidence and of tripped ones: of
    many scopes people look at few. They have no texts.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
    >>> [verdict.monitor for verdict in leading_verdicts(plan, initial_state(plan), complete=1)]
    ['sight']
    """
    return _with_others(plan, state, _rule_verdicts(plan, state, complete))


def _with_others(plan: Plan, state: State, rule_verdicts: Sequence[dict[int, Verdict]]) -> list[Verdict]:
    """Add what is no monitor's verdict, and withhold passes that are not sound."""
    extra = [model_sight(plan, state)]
    if plan.objective is not None:
        extra.append(latency.verdict(plan.objective, state.latency, plan.scopes[0]))
    extra += disabled_verdicts(plan, state)
    by_rule = [scope_sights(plan, state), *rule_verdicts]
    found = [by_scope[scope] for scope in range(len(plan.scopes)) for by_scope in by_rule if scope in by_scope]
    return without_sight(state, extra + without_repeats(plan, state, without_margin(plan, state, found)))


def _rule_verdicts(plan: Plan, state: State, complete: int | None) -> list[dict[int, Verdict]]:
    """The verdicts of every monitor by scope, all or those that lead. Intervals are computed at once, for the variants
    that are shown.
    """
    shown = [ShownRule.build(index, *each) for index, each in enumerate(zip(plan.rules, state.cells, strict=True))]
    if complete is not None and shown:
        shown = leading(state, shown, complete)
    standings = state.estimates.standings(plan.rules, [each.scopes for each in shown], ahead=complete is None)
    indices = [(each.index, variant, scope) for each in shown for scope, variant in each.variants.items()]
    intervals = state.estimates.intervals(plan.rules, indices)
    lost = (unseen_scopes(plan.scopes, state.compared, state.sighted) | is_blind(plan, state)).tolist()
    thresholds = [float(np.log10(safemode.recovery_samples(mode, plan.policy))) for mode in state.modes]
    found = []
    for each, standing in zip(shown, standings, strict=True):
        figures = each.figures(plan, state, standing)
        by_scope = {
            scope: _verdict(
                plan,
                state,
                each,
                scope,
                figures[scope],
                intervals[each.index, variant, scope],
                thresholds[scope],
                sighted=not lost[scope],
            )
            for scope, variant in each.variants.items()
        }
        found.append(by_scope if complete is not None else _worded(by_scope, each.rule))
    return found


def _worded(verdicts: dict[int, Verdict], rule: Rule) -> dict[int, Verdict]:
    """The verdicts with their texts, set in place: copies would cost a quarter."""
    for verdict in verdicts.values():
        object.__setattr__(verdict, "text", words.describe(verdict, rate=is_rate(rule)))
    return verdicts


def _verdict(
    plan: Plan,
    state: State,
    shown: ShownRule,
    scope: int,
    cell: CellFigures,
    now: Interval | None,
    recovery_threshold: float,
    *,
    sighted: bool,
) -> Verdict:
    """Report one variant; a pass has to be earned in every one, far from an alarm, and in sight."""
    rule = shown.rule
    note = noise_note(rule, state, scope) or silence_note(plan, rule, shown.cells, state, scope)
    over = cell.tripped or cell.evidence >= plan.budget.threshold
    not_worse = over and cell.vetoed
    faulty, earned = bool(state.faulty[scope]) or bool(note), cell.within and cell.quiet and sighted
    breached, beyond = over and not not_worse, not_worse or cell.beyond
    outcome = decide_outcome(breached=breached, faulty=faulty, beyond=beyond, earned=earned)
    return Verdict(
        scope=plan.scopes[scope],
        monitor=rule.monitor.name,
        outcome=outcome,
        count=cell.rows,
        needed=cell.needed,
        mean=cell.mean,
        recent=cell.recent,
        limit=cell.limit,
        evidence=cell.evidence / LN10,
        threshold=plan.budget.threshold / LN10,
        recovery=cell.recovery / LN10 if cell.tripped else None,
        recovery_threshold=recovery_threshold,
        errors=int(state.errors[scope]),
        variant=rule.variant_name(shown.variants[scope]),
        note=note,
        coverage=label_coverage(state) if rule.monitor.stream is Stream.LABELS else None,
        refused_baseline=_refusal_rate(state, rule, Role.BASELINE, scope),
        refused_compressed=_refusal_rate(state, rule, Role.COMPRESSED, scope),
        now=now,
        more=cell.more if cell.more > 0 and outcome is Outcome.INSUFFICIENT and sighted else None,
        since=state.estimates.onsets.get(plan.scopes[scope], {}).get(rule.monitor.name) if cell.tripped else None,
        outlook=_outlook(plan, state, shown, scope, cell.recovery, now)
        if cell.tripped and now and not not_worse
        else None,
        not_worse=not_worse,
    )


def _outlook(plan: Plan, state: State, shown: ShownRule, scope: int, recovery: float, now: Interval) -> Outlook | None:
    """The return of a scope in safe mode; None where it does not depend on evidence."""
    mode = state.modes[scope]
    if mode.state is not safemode.ModeState.SAFE or mode.held:
        return None
    cell = shown.index, shown.variants[scope], scope
    missing = float(np.log(safemode.recovery_samples(mode, plan.policy)) - recovery)
    growth = state.estimates.recovery_growth(plan.rules, cell, now, plan.policy.recovery_ratio)
    own = float(state.compared[scope] / max(state.compared[0], 1))
    return project(missing, growth, own * state.estimates.checkpoints.rows_per_second)


def _refusal_rate(state: State, rule: Rule, role: Role, scope: int) -> float | None:
    """The rate at which a model refuses, for a monitor of refusals."""
    return refusal_rate(state.refused, role, scope) if rule.monitor.needs_refusal else None
