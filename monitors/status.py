"""Current verdicts of every monitor in every scope, for people, dashboards and the status API."""

import numpy as np

from tightrope.monitors import latency, safemode
from tightrope.monitors.detector import LN10, divergence
from tightrope.monitors.detector_bank import Cells, Rule, recent_mean, recovery_evidence
from tightrope.monitors.plan import Plan, State, is_blind
from tightrope.monitors.records import Floats, Outcome, Stream, Verdict
from tightrope.monitors.verdict import decide_outcome

NOISE_EVIDENCE_NATS = float(np.log(1000.0))
"""The evidence (nats) that the baseline contradicts itself too often: an error rate of one in a thousand."""


def verdicts(plan: Plan, state: State) -> list[Verdict]:
    """Return the verdict of every monitor in every scope that it watches, scope by scope, the model first.

    >>> from tightrope.monitors.plan import initial_state
    >>> plan = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
    >>> [verdict.monitor for verdict in verdicts(plan, initial_state(plan))]
    ['sight']
    """
    extra = [_sight(plan, state)]
    if plan.objective is not None:
        extra.append(latency.verdict(plan.objective, state.latency, plan.scopes[0]))
    by_rule = [_rule_verdicts(plan, state, rule, cells) for rule, cells in zip(plan.rules, state.cells, strict=True)]
    return extra + [by_scope[scope] for scope in range(len(plan.scopes)) for by_scope in by_rule if scope in by_scope]


def _sight(plan: Plan, state: State) -> Verdict:
    """Report whether comparisons follow the traffic: the limit is in seconds of traffic without any."""
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
        note=f"{state.unanswered.kept} requests kept, none compared" if blind else "",
    )


def _rule_verdicts(plan: Plan, state: State, rule: Rule, cells: Cells) -> dict[int, Verdict]:
    evidence, recovery = rule.alarm.evidence(cells.log_mass), recovery_evidence(rule, cells)
    return {
        scope: _verdict(plan, state, rule, cells, scope, evidence[:, scope], float(recovery[scope]))
        for scope in np.flatnonzero(rule.watched).tolist()
    }


def _verdict(
    plan: Plan, state: State, rule: Rule, cells: Cells, scope: int, evidence: Floats, recovery: float
) -> Verdict:
    """Report the variant with rows that has the most evidence; a pass needs enough rows in every variant."""
    worst = int(np.where(cells.count[:, scope] > 0, evidence, -np.inf).argmax())
    count, tripped, note = (
        int(cells.count[worst, scope]),
        bool(cells.tripped[:, scope].any()),
        _note(rule, state, scope),
    )
    return Verdict(
        scope=plan.scopes[scope],
        monitor=rule.monitor.name,
        outcome=decide_outcome(
            breached=tripped or float(evidence[worst]) >= plan.budget.threshold,
            faulty=bool(state.faulty[scope]) or bool(note),
            count=int(cells.count[:, scope].min()),
            needed=float(rule.needed[scope]),
        ),
        count=count,
        needed=float(rule.needed[scope]),
        mean=float(cells.total[worst, scope] / count) if count else None,
        recent=recent_mean(cells, worst, scope)[1],
        limit=float(rule.limits[scope]),
        evidence=float(evidence[worst]) / LN10,
        threshold=plan.budget.threshold / LN10,
        recovery=recovery / LN10 if tripped else None,
        recovery_threshold=float(np.log10(safemode.recovery_samples(state.modes[scope], plan.policy))),
        errors=int(state.errors[scope]),
        variant=rule.variant_name(worst),
        note=note,
        coverage=label_coverage(state) if rule.monitor.stream is Stream.LABELS else None,
    )


def _note(rule: Rule, state: State, scope: int) -> str:
    """Explain why a verdict is unreliable: the baseline contradicts itself more often than the limit tolerates.

    By the Chernoff bound: n KL(k/n || limit) exceeds the logarithm of a thousand.
    """
    repeats, contradicted = (int(value) for value in state.noise[scope])
    limit = float(rule.limits[scope])
    if rule.monitor.name != "disagreement" or not repeats or contradicted / repeats <= limit:
        return ""
    rate = min(contradicted / repeats, 1 - 1e-12)
    if repeats * float(divergence(rate, limit)) < NOISE_EVIDENCE_NATS:
        return ""
    return f"the baseline contradicts itself on {rate:.2%} of {repeats} rows: a limit of {limit:g} is below its noise"


def label_coverage(state: State) -> float | None:
    """Compute the labelled share of the rows that have their label or can no longer get one; None without any."""
    joined, expired = state.labels.get("joined", 0), state.labels.get("expired", 0)
    return joined / (joined + expired) if joined + expired else None


AUTOCORRELATION_LIMIT = 0.05
"""The lag-1 autocorrelation above which the budget of false alarms does not hold near the limit."""


def is_autocorrelated(state: State) -> bool:
    """Tell whether neighbouring rows depend on each other beyond chance."""
    correlation = state.lag.correlation
    return correlation is not None and correlation > AUTOCORRELATION_LIMIT + 2 / float(np.sqrt(state.lag.pairs))
