"""What becomes of a model that fails: counted, told in the audit trail now and then, and said to the caller if nobody
could answer.
"""

import uuid
from collections.abc import Callable

from tightrope.monitors.records import Event, Role
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.errors import CallerError, ServerError, UnavailableError
from tightrope.service.inference.decisions import UnreadableError
from tightrope.service.inference.model_pair import Pair
from tightrope.service.outbox import Outbox

NOTICE_EVERY = 60.0
"""Seconds between two events about the same failure; the counter counts every one."""

REASONS = ((UnreadableError, "unreadable_output"), (UnreachableError, "unreachable"))
"""What a failure is called where it is counted; every other is `run_failed`."""


class Failures:
    """Those of every model here. ``clock`` gives seconds since the epoch."""

    def __init__(self, outbox: Outbox, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._noticed: dict[tuple[str, Role, str], float] = {}

    def notice(self, pair: Pair, role: Role, failure: RunFailedError) -> None:
        """Count a failure, and put it into the audit trail, but not once a request."""
        reason = next((name for kind, name in REASONS if isinstance(failure, kind)), "run_failed")
        self._metrics.failures.labels(pair.name, role, reason).inc()
        now, key = self._clock(), (pair.name, role, reason)
        if now - self._noticed.get(key, -NOTICE_EVERY) < NOTICE_EVERY:
            return
        self._noticed[key] = now
        detail = {"role": str(role), "answered_by": str(role.other), "digest": pair.models[role].digest}
        text = f"{reason}: {failure}"
        self._outbox.note(Event(uuid.uuid4().hex, now, pair.name, "model-failed", "model", "gateway", text, detail))


def refusal(failure: RunFailedError) -> Exception:
    """What the caller is told when both models failed, the last one like this."""
    if isinstance(failure, UnreachableError):
        return UnavailableError(f"neither model could answer; the last is unreachable: {failure}")
    if isinstance(failure, UnreadableError):
        return ServerError(f"both models failed; the last said: {failure}")
    return CallerError(f"inputs: neither model can run on these values: {failure}")
