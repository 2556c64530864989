"""Failures of models: counted, published in the audit trail now and then, and turned into errors for callers."""

import uuid
from collections.abc import Callable

from tightrope.monitors.records import Event, Role
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.errors import CallerError, ServerError, UnavailableError
from tightrope.service.inference.batch import UnreadableError
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.outbox import Outbox

FAILURE_EVENT_SECONDS = 60.0
"""Seconds between two events about one kind of failure; the counter counts every failure."""

FAILURE_REASONS = ((UnreadableError, "unreadable_output"), (UnreachableError, "unreachable"))
"""The reason label of each error; every other one is `run_failed`."""


class Failures:
    """Failures of all models. ``clock`` gives seconds since the epoch."""

    def __init__(self, outbox: Outbox, metrics: GatewayMetrics, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._published_at: dict[tuple[str, Role, str], float] = {}

    def report(self, pair: ModelPair, role: Role, failure: RunFailedError) -> None:
        """Count a failure, and publish an event unless one like it is recent."""
        reason = next((name for kind, name in FAILURE_REASONS if isinstance(failure, kind)), "run_failed")
        self._metrics.record_failure(pair.name, role, reason)
        now, key = self._clock(), (pair.name, role, reason)
        if now - self._published_at.get(key, -FAILURE_EVENT_SECONDS) < FAILURE_EVENT_SECONDS:
            return
        self._published_at[key] = now
        detail = {"role": str(role), "answered_by": str(role.other), "digest": pair.models[role].digest}
        text = f"{reason}: {failure}"
        self._outbox.add_event(
            Event(uuid.uuid4().hex, now, pair.name, "model-failed", "model", "gateway", text, detail)
        )


def error_for_caller(failure: RunFailedError) -> Exception:
    """The error that a caller gets when both models failed, the second one with ``failure``."""
    if isinstance(failure, UnreachableError):
        return UnavailableError(f"neither model could answer; the last is unreachable: {failure}")
    if isinstance(failure, UnreadableError):
        return ServerError(f"both models failed; the last said: {failure}")
    return CallerError(f"inputs: neither model can run on these values: {failure}")
