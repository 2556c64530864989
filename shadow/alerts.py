"""Which alerts stand for a model, with the evidence in their words. Prometheus' rules raise the same ones, later.

Names and labels are those of dashboards/rules/alerts.yml, so that Alertmanager takes the two for one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tightrope.monitors.records import Event, Routes
from tightrope.monitors.safemode import Input, State
from tightrope.service.adapters.ports import Alert

SAFE_MODE, LATCHED = "TightropeSafeMode", "TightropeLatched"

SUMMARIES = {
    SAFE_MODE: "{model}: the baseline answers {scope}",
    LATCHED: "{model}: {scope} has latched in safe mode",
}

CAUSES = {Input.BREACH, Input.BLIND, Input.FORCE_SAFE}
"""What brings a scope to safe mode."""


def standing(routes: Routes, events: Iterable[Event] = ()) -> list[Alert]:
    """Every alert that stands by these routes; of the events the first that moved a scope says why."""
    causes: dict[str, Event] = {}
    for event in events:
        if event.model == routes.model and event.kind in CAUSES and event.detail.get("moved"):
            causes.setdefault(event.scope, event)
    latched = [scope for scope, state in routes.states.items() if state == State.LATCHED]
    named = [(SAFE_MODE, scope) for scope in routes.safe] + [(LATCHED, scope) for scope in latched]
    return [_alert(name, routes.model, scope, causes.get(scope)) for name, scope in named]


def _alert(name: str, model: str, scope: str, cause: Event | None) -> Alert:
    summary = SUMMARIES[name].format(model=model, scope=scope)
    told = {"summary": summary, "description": "The audit trail has the case: tightrope events, or /v1/events."}
    return Alert(name, model, scope, cause.time if cause else None, told | (_case(cause) if cause else {}))


def _case(event: Event) -> dict[str, str]:
    """Why, who, and on what evidence."""
    cases: Iterable[Mapping[str, Any]] = event.detail.get("monitors") or ()  # type: ignore[assignment]
    shown = "; ".join(
        f"{case['monitor']}: 10^{case['evidence'] or 0:.1f} of 10^{case['threshold']:.1f}" for case in cases
    )
    facts = {
        "description": f"{event.kind} by {event.actor}: {event.reason}",
        "evidence": shown,
        "event": event.id,
        **{key: str(event.detail.get(key, "")) for key in ("request_id", "baseline_digest", "compressed_digest")},
    }
    return {key: value for key, value in facts.items() if value}
