"""The active alerts of a model, with the evidence in their annotations.

Names and labels equal those of dashboards/rules/alerts.yml, apart from the source. Prometheus raises the same alerts a
scrape later, without the evidence, and Alertmanager inhibits them. What an operator ordered is marked, and pages no
one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tightrope.monitors.intervals.words import evidence_share
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Event, Routes
from tightrope.monitors.safemode import Input, ModeState
from tightrope.monitors.verdict import NOT_WORSE
from tightrope.monitors.vetoes import veto_rules
from tightrope.service.adapters.ports import LABEL_ANNOTATION, Alert

SAFE_MODE_ALERT, LATCHED_ALERT = "TightropeSafeMode", "TightropeLatched"
HELD_ALERT = "TightropeHeldNormalBreach"

SUMMARIES = {
    SAFE_MODE_ALERT: "{model}: the baseline answers {scope}",
    LATCHED_ALERT: "{model}: {scope} has latched in safe mode",
    HELD_ALERT: "{model}: {scope} breaches, and an operator holds it in normal mode",
}

SAFE_MODE_CAUSES = {
    Input.BREACH, Input.BLIND, Input.UNREADABLE, Input.KNOWN_HARM, Input.WITHHELD, Input.FORCE_SAFE,
}  # fmt: skip
"""The event kinds that bring a scope to safe mode."""


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


def active_alerts(
    routes: Routes,
    events: Iterable[Event] = (),
    held: Mapping[str, bool] | None = None,
    labelled: Mapping[str, str] | None = None,
) -> list[Alert]:
    """The alerts that these routes imply, and those of scopes that breached while ``held`` in normal mode; the first of
    ``events`` that moved a scope is given as the cause, and what labels show of it, by scope, as ``labelled``.
    """
    causes: dict[str, Event] = {}
    for event in events:
        after: Mapping[str, Any] = event.detail.get("after") or {}  # type: ignore[assignment]
        counts = event.detail.get("moved") or after.get("breached")
        if event.model == routes.model and event.kind in SAFE_MODE_CAUSES and counts:
            causes.setdefault(event.scope, event)
    latched = [scope for scope, state in routes.states.items() if state == ModeState.LATCHED]
    named = [(SAFE_MODE_ALERT, scope) for scope in routes.safe] + [(LATCHED_ALERT, scope) for scope in latched]
    named += [(HELD_ALERT, scope) for scope, breached in (held or {}).items() if breached]
    ordered = {(SAFE_MODE_ALERT, scope) for scope in routes.ordered}
    return [
        _alert(
            name,
            routes.model,
            scope,
            causes.get(scope),
            (labelled or {}).get(scope),
            pages=(name, scope) not in ordered,
        )
        for name, scope in named
    ]


def _alert(name: str, model: str, scope: str, cause: Event | None, labelled: str | None, *, pages: bool) -> Alert:
    annotations = {
        "summary": SUMMARIES[name].format(model=model, scope=scope),
        "description": "The audit trail has the evidence: tightrope events, or /v1/events.",
    }
    texts = annotations | (_evidence(cause) if cause else {}) | ({LABEL_ANNOTATION: labelled} if labelled else {})
    return Alert(name, model, scope, cause.time if cause else None, texts, pages=pages)


def _evidence(event: Event) -> dict[str, str]:
    """Annotations that give the reason, the actor, the monitors' evidence and the artefacts."""
    cases: Iterable[Mapping[str, Any]] = event.detail.get("monitors") or ()  # type: ignore[assignment]
    shown = "; ".join(f"{case['monitor']}: {evidence_share(case['evidence'], case['threshold'])}" for case in cases)
    annotations = {
        "description": f"{event.kind} by {event.actor}: {event.reason}",
        "evidence": shown,
        "event": event.id,
        **{key: str(event.detail.get(key, "")) for key in ("request_id", "baseline_digest", "compressed_digest")},
    }
    return {key: value for key, value in annotations.items() if value}
