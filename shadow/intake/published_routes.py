"""Modes that another process published: a judge passes their epoch, so that gateways take its own modes as newer."""

from dataclasses import replace

from tightrope.monitors.plan import State
from tightrope.monitors.records import MODEL_SCOPE, Event, Routes
from tightrope.service.adapters.wire.bounds import plausible_epoch
from tightrope.service.adapters.wire.envelope import WireError

FOREIGN_MODES = "foreign-modes"
"""The kind of the event."""


def pass_epoch(state: State, routes: Routes, now: float) -> tuple[State, Event | None]:
    """Pass the epoch of modes that this judge did not publish, with an event; its own are not newer than its state.

    Raises:
        WireError: when the epoch is not plausible, and gateways refuse the modes.
    """
    if routes.epoch <= state.epoch:
        return state, None
    if routes.epoch > plausible_epoch(state.epoch, now):
        raise WireError(f"routes.epoch: is {routes.epoch}, where {state.epoch} was the last one")
    reason = f"another process published modes with epoch {routes.epoch}: this judge's own replace them"
    detail = {"epoch": routes.epoch, "safe": list(routes.safe)}
    name = f"{routes.model}/{FOREIGN_MODES}/{routes.epoch}"
    event = Event(name, now, routes.model, FOREIGN_MODES, MODEL_SCOPE, "judge", reason, detail)
    return replace(state, epoch=routes.epoch + 1), event
