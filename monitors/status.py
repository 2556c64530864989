"""What every monitor says of every scope now, for people, dashboards and the status API."""

import numpy as np

from tightrope.monitors import latency, safemode
from tightrope.monitors.detector import LN10, divergence
from tightrope.monitors.detector_bank import Cells, Rule, disproved, recent
from tightrope.monitors.plan import Plan, State, is_blind
from tightrope.monitors.records import Floats, Outcome, Stream, Verdict
from tightrope.monitors.verdict import outcome

SURE = float(np.log(1000.0))
"""How sure it must be that the baseline contradicts itself more often than the limit allows: one in a thousand."""


def verdicts(plan: Plan, state: State) -> list[Verdict]:
    """What every monitor says of every scope that it watches now, scope by scope, the model first."""
    extra = [_sight(plan, state)]
    if plan.objective is not None:
        extra.append(latency.verdict(plan.objective, state.latency, plan.scopes[0]))
    by_rule = [_of_rule(plan, state, rule, cells) for rule, cells in zip(plan.rules, state.cells, strict=True)]
    return extra + [said[scope] for scope in range(len(plan.scopes)) for said in by_rule if scope in said]


def _sight(plan: Plan, state: State) -> Verdict:
    """Whether comparisons follow the traffic: the limit is in seconds of traffic without any."""
    waiting = state.unanswered.until - state.unanswered.since
    seen = state.seen[Stream.COMPARISONS]
    blind = is_blind(plan, state)
    return Verdict(
        scope=plan.scopes[0],
        monitor="sight",
        outcome=Outcome.BREACH if blind else Outcome.PASS if seen else Outcome.INSUFFICIENT,
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
        note=f"{state.unanswered.kept} requests kept, and no comparison of any" if blind else "",
    )


def _of_rule(plan: Plan, state: State, rule: Rule, cells: Cells) -> dict[int, Verdict]:
    evidence, recovery = rule.alarm.evidence(cells.log_mass), disproved(rule, cells)
    return {
        scope: _verdict(plan, state, rule, cells, scope, evidence[:, scope], float(recovery[scope]))
        for scope in np.flatnonzero(rule.watched).tolist()
    }


def _verdict(
    plan: Plan, state: State, rule: Rule, cells: Cells, scope: int, evidence: Floats, recovery: float
) -> Verdict:
    """Of the variants that have rows the one with the most evidence speaks; a pass needs enough rows in every one."""
    worst = int(np.where(cells.count[:, scope] > 0, evidence, -np.inf).argmax())
    count, tripped, note = (
        int(cells.count[worst, scope]),
        bool(cells.tripped[:, scope].any()),
        _note(rule, state, scope),
    )
    return Verdict(
        scope=plan.scopes[scope],
        monitor=rule.question.name,
        outcome=outcome(
            breached=tripped or float(evidence[worst]) >= plan.budget.threshold,
            faulty=bool(state.faulty[scope]) or bool(note),
            count=int(cells.count[:, scope].min()),
            needed=float(rule.needed[scope]),
        ),
        count=count,
        needed=float(rule.needed[scope]),
        mean=float(cells.total[worst, scope] / count) if count else None,
        recent=recent(cells, worst, scope)[1],
        limit=float(rule.limits[scope]),
        evidence=float(evidence[worst]) / LN10,
        threshold=plan.budget.threshold / LN10,
        recovery=recovery / LN10 if tripped else None,
        recovery_threshold=float(np.log10(safemode.recovery_samples(state.modes[scope], plan.policy))),
        errors=int(state.errors[scope]),
        variant=rule.name_of(worst),
        note=note,
        coverage=coverage(state) if rule.question.stream is Stream.LABELS else None,
    )


def _note(rule: Rule, state: State, scope: int) -> str:
    """Why this monitor cannot be believed: a baseline that contradicts itself more often than the limit tolerates.

    By the Chernoff bound: n KL(k/n || limit) exceeds the logarithm of a thousand.
    """
    asked, contradicted = (int(value) for value in state.noise[scope])
    limit = float(rule.limits[scope])
    if rule.question.name != "disagreement" or not asked or contradicted / asked <= limit:
        return ""
    rate = min(contradicted / asked, 1 - 1e-12)
    if asked * float(divergence(rate, limit)) < SURE:
        return ""
    return f"the baseline contradicts itself on {rate:.2%} of {asked} rows: a limit of {limit:g} is below its noise"


def coverage(state: State) -> float | None:
    """The share of rows that have got their label, of those that have got it or will not any more; None without any."""
    joined, expired = state.labels.get("joined", 0), state.labels.get("expired", 0)
    return joined / (joined + expired) if joined + expired else None


DEPENDENCE = 0.05
"""A lag-1 autocorrelation from which on the promise of false alarms does not hold near the limit."""


def dependent(state: State) -> bool:
    """Whether neighbouring rows depend on each other, beyond what chance would show in so many pairs."""
    correlation = state.lag.correlation
    return correlation is not None and correlation > DEPENDENCE + 2 / float(np.sqrt(state.lag.pairs))
