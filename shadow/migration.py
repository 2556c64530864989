"""Events about the state that a start found: none, or a snapshot of the version before that goes on under this one."""

from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import MODEL_SCOPE, Event
from tightrope.service.adapters.ports import LogReset
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WIRE_VERSION

MIGRATED = "state-migrated"
"""The kind of the event about a state of the version before."""

FRESH = "fresh-state"
"""The kind of the event about a model without an earlier state."""


LOG_WENT_BACK = "log-went-back"
"""The kind of the event about a log that a model's snapshot does not fit."""


def is_outdated(snapshot: bytes) -> bool:
    """Whether a readable snapshot was written by the version before."""
    return record_codec.version_of(snapshot) < WIRE_VERSION


def fresh_event(plan: Plan, log: str, time: float) -> Event:
    """The event of a model without an earlier state; ``log`` is the id of the bus's incarnation."""
    reason = "no earlier state was found: evidence, modes and orders begin anew"
    return Event(f"{plan.model}/fresh/{log}", time, plan.model, FRESH, MODEL_SCOPE, "judge", reason)


def migration_event(plan: Plan, state: State, time: float) -> Event:
    """The event of a state that was read from a snapshot of the version before; ``time`` in seconds since the epoch."""
    begins_anew = state.digest != plan.digest
    evidence = "evidence begins anew" if begins_anew else "evidence is kept"
    return Event(
        f"{plan.model}/migrated/{WIRE_VERSION}/{state.epoch}",
        time,
        plan.model,
        MIGRATED,
        MODEL_SCOPE,
        "judge",
        f"state of version {WIRE_VERSION - 1}: modes and orders are kept, {evidence}",
        {
            "from_version": WIRE_VERSION - 1,
            "to_version": WIRE_VERSION,
            "evidence": "anew" if begins_anew else "kept",
            "states": {scope: mode.state.value for scope, mode in zip(state.scopes, state.modes, strict=True)},
        },
    )


def log_event(model: str, reset: LogReset, time: float) -> Event:
    """The event about a log that a model's snapshot does not fit: it begins again in safe mode."""
    reason = f"{reset.reason}: every scope begins again in safe mode, with the first record of the log"
    detail = {"topic": reset.topic, "cause": reset.cause}
    name = f"{model}/{LOG_WENT_BACK}/{reset.topic}/{time}"
    return Event(name, time, model, LOG_WENT_BACK, MODEL_SCOPE, "judge", reason, detail)
