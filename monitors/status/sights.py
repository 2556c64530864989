"""Verdicts on the sight of the judge: whether comparisons follow the traffic, and whether each subgroup has rows."""

from tightrope.monitors.dependence.warning import dependence_text
from tightrope.monitors.detector import LN10
from tightrope.monitors.intake.repeats import popular_text, warning_text
from tightrope.monitors.plan import Plan, State, is_blind
from tightrope.monitors.records import Outcome, Stream
from tightrope.monitors.scopes import rows_to_be_unseen, unseen_scopes
from tightrope.monitors.verdict import Verdict

UNSEEN_NOTE = (
    "none of the last {} compared rows is of it: do callers send this value, and can the column hold its codes?"
)


def model_sight(plan: Plan, state: State) -> Verdict:
    """Report whether comparisons follow the traffic: the limit is in seconds of traffic without any."""
    waiting = state.unanswered.until - state.unanswered.since
    seen = state.seen[Stream.COMPARISONS]
    blind = is_blind(plan, state)
    repeats = "; ".join(warning_text(state.repeats, warning) for warning in state.repeats.warnings)
    dependent = dependence_text(state.dependence, plan.unit, plan.model) if state.dependence.warned else ""
    warnings = "; ".join(text for text in (repeats, popular_text(state.repeats), dependent) if text)
    return Verdict(
        scope=plan.scopes[0],
        monitor="sight",
        outcome=Outcome.BREACH if blind else Outcome.PASS if seen and not repeats else Outcome.INSUFFICIENT,
        count=seen,
        needed=1.0,
        mean=None,
        recent=waiting,
        limit=plan.blind_seconds,
        evidence=0.0,
        threshold=1.0,
        recovery=None,
        recovery_threshold=0.0,
        errors=0,
        note=f"{state.unanswered.kept} requests kept, none compared" if blind else warnings,
    )


def scope_sights(plan: Plan, state: State) -> dict[int, Verdict]:
    """Report for each declared subgroup whether it has rows: the limit is in rows of the model without one of it."""
    unseen = unseen_scopes(plan.scopes, state.compared, state.sighted)
    limits = rows_to_be_unseen(state.compared, state.sighted)
    shown = {}
    for scope in range(1, len(plan.scopes)):
        count, waiting = int(state.compared[scope]), int(state.compared[0] - state.sighted[scope])
        shown[scope] = Verdict(
            scope=plan.scopes[scope],
            monitor="sight",
            outcome=Outcome.UNSEEN if unseen[scope] else Outcome.PASS if count else Outcome.INSUFFICIENT,
            count=count,
            needed=1.0,
            mean=None,
            recent=float(waiting),
            limit=float(limits[scope]),
            evidence=0.0,
            threshold=1.0,
            recovery=None,
            recovery_threshold=0.0,
            errors=0,
            note=UNSEEN_NOTE.format(waiting) if unseen[scope] else "",
        )
    return shown


def disabled_verdicts(plan: Plan, state: State) -> list[Verdict]:
    """Report monitors that sent a scope to safe mode and were switched off since: nothing can clear them."""
    return [
        Verdict(
            scope=scope,
            monitor=monitor,
            outcome=Outcome.BREACH,
            count=0,
            needed=1.0,
            mean=None,
            recent=None,
            limit=0.0,
            evidence=0.0,
            threshold=plan.budget.threshold / LN10,
            recovery=None,
            recovery_threshold=0.0,
            errors=0,
            note="switched off since it breached: the scope stays safe until it is on again, or an operator's release",
        )
        for scope, monitors in sorted(state.retained.disabled.items())
        for monitor in monitors
    ]
