"""Current verdicts of every monitor in every scope, for people, dashboards and the status API."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors import latency, safemode
from tightrope.monitors.detector import LN10, LOG_ZERO
from tightrope.monitors.detector_bank import Cells, Rule, recent_mean, recovery_evidence
from tightrope.monitors.intake.refusals import refusal_rate
from tightrope.monitors.intervals import words
from tightrope.monitors.intervals.estimates import CellStanding, is_rate, rows_to_pass
from tightrope.monitors.intervals.outlook import project
from tightrope.monitors.plan import Plan, State, is_blind
from tightrope.monitors.records import Bools, Floats, Ints, Outcome, Role, Stream
from tightrope.monitors.scopes import unseen_scopes
from tightrope.monitors.status.notes import noise_note, silence_note
from tightrope.monitors.status.progress import label_coverage
from tightrope.monitors.status.sights import disabled_verdicts, model_sight, scope_sights
from tightrope.monitors.status.unsound_passes import without_margin, without_repeats, without_sight
from tightrope.monitors.verdict import Interval, Outlook, Verdict, decide_outcome

PASS_MARGIN_NATS = float(np.log(100.0))
"""A monitor within a factor of a hundred of an alarm does not pass."""


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


@dataclass(frozen=True, slots=True)
class _Shown:
    """One monitor, with its ``limits`` and ``evidence`` (V, S) and the shown variant of each watched scope.

    Of each scope (S,): the evidence of ``recovery``, the ``rows`` that a pass takes, whether all variants that have to
    pass are ``within`` their bounds, the ``more`` rows that they need, whether one is ``beyond`` its bounds, whether
    all are ``quiet``, far from an alarm, and whether labels have ``vetoed`` that a difference is harm.
    """

    index: int
    rule: Rule
    cells: Cells
    limits: Floats
    evidence: Floats
    recovery: Floats
    rows: Floats
    variants: dict[int, int]
    within: Bools
    more: Floats
    beyond: Bools
    quiet: Bools
    vetoed: Bools
    worded: bool = True

    @classmethod
    def build(cls, plan: Plan, state: State, index: int, standing: CellStanding) -> "_Shown":
        """Compute for all scopes at once what their verdicts need."""
        rule, cells = plan.rules[index], state.cells[index]
        evidence, watched, scopes = rule.alarm.evidence(cells.log_mass), rule.watched, len(rule.limits)
        variants = _shown_variants(rule, cells, evidence)
        shown = {scope: int(variants[scope]) for scope in np.flatnonzero(watched).tolist()}
        enough = cells.count >= rule.monitor.least_share * cells.count.sum(axis=0)
        lacking = (rule.has_cell & enough)[:, watched] & ~standing.within
        within, more, beyond = np.ones(scopes, dtype=bool), np.zeros(scopes), np.zeros(scopes, dtype=bool)
        within[watched], more[watched] = ~lacking.any(axis=0), np.where(lacking, standing.more, 0.0).max(axis=0)
        beyond[watched] = (standing.beyond & rule.has_cell[:, watched]).any(axis=0)
        return cls(
            index,
            rule,
            cells,
            rule.cell_limits,
            evidence,
            recovery_evidence(rule, cells),
            rows_to_pass(rule, shown),
            shown,
            within,
            more,
            beyond,
            np.asarray((evidence < plan.budget.threshold - PASS_MARGIN_NATS).all(axis=0)),
            state.vetoed(rule),
        )


def _rule_verdicts(plan: Plan, state: State, complete: int | None) -> list[dict[int, Verdict]]:
    """The verdicts of every monitor by scope, all or those that lead. Intervals are computed at once, for the variants
    that are shown.
    """
    standings = state.estimates.standings(plan.rules)
    shown = [_Shown.build(plan, state, index, standing) for index, standing in enumerate(standings)]
    if complete is not None and shown:
        shown = _leading(state, shown, complete)
    indices = [(each.index, variant, scope) for each in shown for scope, variant in each.variants.items()]
    intervals = state.estimates.intervals(plan.rules, indices)
    lost = unseen_scopes(plan.scopes, state.compared, state.sighted) | is_blind(plan, state)
    return [
        {
            scope: _verdict(plan, state, each, scope, intervals[each.index, variant, scope], sighted=not lost[scope])
            for scope, variant in each.variants.items()
        }
        for each in shown
    ]


def _leading(state: State, shown: Sequence[_Shown], complete: int) -> list[_Shown]:
    """Keep the verdicts of `leading_verdicts`."""
    evidence = np.full((len(shown), len(state.scopes)), LOG_ZERO)
    tripped = np.zeros(evidence.shape, dtype=bool)
    for index, each in enumerate(shown):  # a rule may have the first scopes alone
        own = len(each.rule.limits)
        evidence[index, :own] = np.where(each.rule.watched, each.evidence.max(axis=0), LOG_ZERO)
        tripped[index, :own] = each.cells.tripped.any(axis=0)
    safe = np.array([mode.safe or mode.held for mode in state.modes]) | tripped.any(axis=0)
    rank = np.where(safe, np.inf, evidence.max(axis=0))
    rank[0] = np.inf
    keep = tripped.copy()
    keep[:, np.argsort(-rank, kind="stable")[:complete]] = True
    keep[evidence.argmax(axis=0), np.arange(len(rank))] = True
    for index, each in enumerate(shown):
        keep[index] |= each.rule.monitor.name == "disagreement"
    return [
        replace(each, worded=False, variants={scope: one for scope, one in each.variants.items() if kept[scope]})
        for each, kept in zip(shown, keep, strict=True)
    ]


def _shown_variants(rule: Rule, cells: Cells, evidence: Floats) -> Ints:
    """The variant that the verdict of each scope shows, (S,): the one that is furthest from a return, or that has the
    most evidence; the first one with a cell where none has any.
    """
    known = np.maximum(np.where(cells.count > 0, evidence, LOG_ZERO), np.finfo(np.float64).min)
    most = np.where(rule.has_cell, known, LOG_ZERO).argmax(axis=0)
    furthest = np.where(cells.tripped, rule.recovery.evidence(cells.recovery), np.inf).argmin(axis=0)
    return np.asarray(np.where(cells.tripped.any(axis=0), furthest, most))


def _verdict(plan: Plan, state: State, shown: _Shown, scope: int, now: Interval | None, *, sighted: bool) -> Verdict:
    """Report one variant; a pass has to be earned in every one, far from an alarm, and in sight."""
    rule, cells, variant = shown.rule, shown.cells, shown.variants[scope]
    count, tripped = int(cells.count[variant, scope]), bool(cells.tripped[:, scope].any())
    note = noise_note(rule, state, scope) or silence_note(plan, rule, cells, state, scope)
    evidence = float(shown.evidence[variant, scope])
    over = tripped or evidence >= plan.budget.threshold
    not_worse = over and bool(shown.vetoed[scope])
    outcome = decide_outcome(
        breached=over and not not_worse,
        faulty=bool(state.faulty[scope]) or bool(note),
        beyond=not_worse or bool(shown.beyond[scope]),
        earned=bool(shown.within[scope]) and bool(shown.quiet[scope]) and sighted,
    )
    verdict = Verdict(
        scope=plan.scopes[scope],
        monitor=rule.monitor.name,
        outcome=outcome,
        count=count,
        needed=float(shown.rows[scope]),
        mean=float(cells.total[variant, scope] / count) if count else None,
        recent=recent_mean(cells, variant, scope)[1],
        limit=float(shown.limits[variant, scope]),
        evidence=evidence / LN10,
        threshold=plan.budget.threshold / LN10,
        recovery=float(shown.recovery[scope]) / LN10 if tripped else None,
        recovery_threshold=float(np.log10(safemode.recovery_samples(state.modes[scope], plan.policy))),
        errors=int(state.errors[scope]),
        variant=rule.variant_name(variant),
        note=note,
        coverage=label_coverage(state) if rule.monitor.stream is Stream.LABELS else None,
        refused_baseline=_refusal_rate(state, rule, Role.BASELINE, scope),
        refused_compressed=_refusal_rate(state, rule, Role.COMPRESSED, scope),
        now=now,
        more=_rows_to_go(shown, scope) if outcome is Outcome.INSUFFICIENT and sighted else None,
        since=state.estimates.onsets.get(plan.scopes[scope], {}).get(rule.monitor.name) if tripped else None,
        outlook=_outlook(plan, state, shown, scope, now) if tripped and now and not not_worse else None,
        not_worse=not_worse,
    )
    if shown.worded:  # a copy would cost a quarter
        object.__setattr__(verdict, "text", words.describe(verdict, rate=is_rate(rule)))
    return verdict


def _rows_to_go(shown: _Shown, scope: int) -> float | None:
    """Own rows to a pass, of the variant that has to pass and lacks most; None where all are within their bounds."""
    return float(shown.more[scope]) if shown.more[scope] > 0 else None


def _outlook(plan: Plan, state: State, shown: _Shown, scope: int, now: Interval) -> Outlook | None:
    """The return of a scope in safe mode; None where it does not depend on evidence."""
    mode = state.modes[scope]
    if mode.state is not safemode.ModeState.SAFE or mode.held:
        return None
    cell = shown.index, shown.variants[scope], scope
    missing = float(np.log(safemode.recovery_samples(mode, plan.policy)) - shown.recovery[scope])
    growth = state.estimates.recovery_growth(plan.rules, cell, now, plan.policy.recovery_ratio)
    own = float(state.compared[scope] / max(state.compared[0], 1))
    return project(missing, growth, own * state.estimates.checkpoints.rows_per_second)


def _refusal_rate(state: State, rule: Rule, role: Role, scope: int) -> float | None:
    """The rate at which a model refuses, for a monitor of refusals."""
    return refusal_rate(state.refused, role, scope) if rule.monitor.needs_refusal else None
