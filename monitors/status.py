"""Current verdicts of every monitor in every scope, for people, dashboards and the status API."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np

from tightrope.monitors import latency, safemode
from tightrope.monitors.detector import LN10, divergence
from tightrope.monitors.detector_bank import Cells, Rule, recent_mean, recovery_evidence
from tightrope.monitors.intake.refusals import refusal_rate
from tightrope.monitors.intake.repeats import MAX_INPUT_SHARE, Repeats, warning_text
from tightrope.monitors.plan import Plan, State, is_blind
from tightrope.monitors.records import Floats, Outcome, Role, Stream
from tightrope.monitors.scopes import rows_to_be_unseen, unseen_scopes
from tightrope.monitors.verdict import Verdict, decide_outcome

UNSEEN_NOTE = (
    "none of the last {} compared rows is of it: do callers send this value, and can the column hold its codes?"
)

REPEATS_NOTE = (
    "{:.0%} of the latest rows repeat an input and are not counted; if the model has few possible inputs, set "
    "models.{}.repeats: retries"
)

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
    extra += _disabled_verdicts(plan, state)
    by_rule = [_rule_verdicts(plan, state, rule, cells) for rule, cells in zip(plan.rules, state.cells, strict=True)]
    by_rule.insert(0, _scope_sights(plan, state))
    found = [by_scope[scope] for scope in range(len(plan.scopes)) for by_scope in by_rule if scope in by_scope]
    return extra + _without_repeats(plan, state, found)


def _without_repeats(plan: Plan, state: State, found: Sequence[Verdict]) -> list[Verdict]:
    """Withhold a pass where most rows are not counted, because they repeat an input."""
    share = state.repeats.input_share
    if plan.repeats is not Repeats.DISTINCT or share <= MAX_INPUT_SHARE:
        return list(found)
    names = {rule.monitor.name for rule in plan.rules if rule.monitor.stream is Stream.COMPARISONS}
    note = REPEATS_NOTE.format(share, plan.model)
    return [
        replace(verdict, outcome=Outcome.INSUFFICIENT, note=verdict.note or note)
        if verdict.monitor in names and verdict.outcome in {Outcome.PASS, Outcome.INSUFFICIENT}
        else verdict
        for verdict in found
    ]


def _sight(plan: Plan, state: State) -> Verdict:
    """Report whether comparisons follow the traffic: the limit is in seconds of traffic without any."""
    waiting = state.unanswered.until - state.unanswered.since
    seen = state.seen[Stream.COMPARISONS]
    blind = is_blind(plan, state)
    repeats = "; ".join(warning_text(state.repeats, warning) for warning in state.repeats.warnings)
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
        note=f"{state.unanswered.kept} requests kept, none compared" if blind else repeats,
    )


def _scope_sights(plan: Plan, state: State) -> dict[int, Verdict]:
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


def _disabled_verdicts(plan: Plan, state: State) -> list[Verdict]:
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
        **_refusal_rates(state, rule, scope),
    )


def _refusal_rates(state: State, rule: Rule, scope: int) -> dict[str, float | None]:
    """The rates at which either model refuses, for a monitor of refusals."""
    if not rule.monitor.needs_refusal:
        return {}
    return {f"refused_{role}": refusal_rate(state.refused, role, scope) for role in Role}


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


class RowCounts(TypedDict):
    """Rows of one scope: compared, of other classes, that could not be compared, and refused by each role.

    >>> RowCounts(compared=8, disagreed=1, errors=0, refused={"baseline": 0, "compressed": 2})["disagreed"]
    1
    """

    compared: int
    disagreed: int
    errors: int
    refused: dict[str, int]


class NoiseCounts(TypedDict):
    """Rows on which the baseline was asked twice, and on which it contradicted itself.

    >>> NoiseCounts(asked_twice=8, contradictions=0)
    {'asked_twice': 8, 'contradictions': 0}
    """

    asked_twice: int
    contradictions: int


class JudgementProgress(TypedDict):
    """How far a model's judgement is: judged rows, rows of the open tick, stale rows, labels by what became of them and
    their coverage, the autocorrelation of neighbouring rows, and rows by scope.

    >>> sorted(JudgementProgress.__annotations__)[:3]
    ['autocorrelation', 'coverage', 'dependent']
    """

    seen: int
    pending: int
    stale: int
    labels: dict[str, int]
    coverage: float | None
    autocorrelation: float | None
    dependent: bool
    noise: NoiseCounts
    scopes: dict[str, RowCounts]
