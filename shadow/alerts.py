"""The active alerts of a model, with the facts of their scopes and the evidence in their annotations.

Names and labels equal those of dashboards/rules/alerts.yml, apart from the source. Prometheus raises the same alerts a
scrape later, without the evidence, and Alertmanager inhibits them. What an operator ordered is an alert of its own,
which pages no one. tightrope/wiring/alert_texts.py adds severities and the texts for people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tightrope.monitors.intervals.words import evidence_share
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Event, Routes
from tightrope.monitors.safemode import AUTOMATIC_CAUSES, Input, ModeState
from tightrope.monitors.verdict import NOT_WORSE
from tightrope.monitors.vetoes import veto_rules
from tightrope.service.adapters.ports import LABEL_ANNOTATION, Alert

SAFE_MODE_ALERT, HELD_SAFE_ALERT, LATCHED_ALERT, HELD_ALERT, ADVISED_ALERT = ALERT_NAMES = (
    "TightropeSafeMode", "TightropeHeldSafe", "TightropeLatched", "TightropeHeldNormalBreach", "TightropeAdvised",
)  # fmt: skip
"""The full model answers a scope: by evidence or blindness, by an order, and until a person decides; and harm that
reaches callers: while a person holds the small model, and while the fallback only advises.
"""

ORDER_CAUSES = frozenset((Input.FORCE_SAFE, Input.WITHHELD))
"""The event kinds by which people, or their statement of qualification, bring a scope to safe mode."""

SAFE_MODE_CAUSES = AUTOMATIC_CAUSES | ORDER_CAUSES
"""The event kinds that bring a scope to safe mode."""


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """Facts of a model's scopes for their alerts, by scope: whether it breached while it is held in normal mode, the
    text about its labels, and its share of the compared rows.
    """

    held: Mapping[str, bool] = field(default_factory=dict)
    labelled: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)


def row_shares(state: State) -> dict[str, float]:
    """The share of each scope in the compared rows of its model; none before the first row."""
    compared = state.compared.tolist()
    if not compared[0]:
        return {}
    return {scope: count / compared[0] for scope, count in zip(state.scopes, compared, strict=True)}


def label_texts(plan: Plan, state: State) -> dict[str, str]:
    """The words about the labelled disagreements of each scope; none where labels cannot show anything of them."""
    if veto_rules(plan) is None:
        return {}
    columns = plan.scopes, state.veto.counted.tolist(), state.veto.active.tolist()
    return {scope: _label_text(count, holds=holds) for scope, count, holds in zip(*columns, strict=True)}


def _label_text(count: int, *, holds: bool) -> str:
    labels = f"{count:,} labelled disagreement{'' if count == 1 else 's'}"
    if holds:
        return f"{NOT_WORSE}: {labels} show it"
    return f"{labels}: not enough to show that it is no harm" if count else "no disagreement is labelled yet"


def active_alerts(routes: Routes, events: Iterable[Event] = (), facts: AlertFacts | None = None) -> list[Alert]:
    """The alerts that these routes imply, and those of scopes that breached while they are held in normal mode; the
    first of ``events`` that moved a scope is the cause.
    """
    facts = facts or AlertFacts()
    causes: dict[tuple[str, bool], Event] = {}
    for event in events:
        after: Mapping[str, Any] = event.detail.get("after") or {}  # type: ignore[assignment]
        counts = event.detail.get("moved") or after.get("breached")
        if event.model == routes.model and event.kind in SAFE_MODE_CAUSES and counts:
            causes.setdefault((event.scope, event.kind in ORDER_CAUSES), event)
    return [
        _alert(name, routes.model, scope, causes.get((scope, name == HELD_SAFE_ALERT)), facts)
        for name, scope in _names(routes, facts)
    ]


def _names(routes: Routes, facts: AlertFacts) -> list[tuple[str, str]]:
    """The names of the active alerts, each with its scope."""
    safe = {*routes.safe}
    named = [(HELD_SAFE_ALERT if scope in routes.ordered else SAFE_MODE_ALERT, scope) for scope in routes.safe]
    for scope, state in routes.states.items():
        if scope in safe and state == ModeState.LATCHED:
            named.append((LATCHED_ALERT, scope))
        elif scope not in safe and state != ModeState.NORMAL and scope not in routes.ordered:
            named.append((ADVISED_ALERT, scope))
    return named + [(HELD_ALERT, scope) for scope, breached in facts.held.items() if breached]


def _alert(name: str, model: str, scope: str, cause: Event | None, facts: AlertFacts) -> Alert:
    labelled = facts.labelled.get(scope)
    annotations = (_evidence(cause) if cause else {}) | ({LABEL_ANNOTATION: labelled} if labelled else {})
    return Alert(name, model, scope, cause.time if cause else None, annotations, cause, facts.shares.get(scope))


def _evidence(event: Event) -> dict[str, str]:
    """Annotations that give the monitors' evidence and the artefacts."""
    cases: Iterable[Mapping[str, Any]] = event.detail.get("monitors") or ()  # type: ignore[assignment]
    shown = "; ".join(f"{case['monitor']}: {evidence_share(case['evidence'], case['threshold'])}" for case in cases)
    annotations = {
        "evidence": shown,
        "event": event.id,
        **{key: str(event.detail.get(key, "")) for key in ("request_digest", "baseline_digest", "compressed_digest")},
    }
    return {key: value for key, value in annotations.items() if value}
