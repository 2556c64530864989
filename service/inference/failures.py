"""Failures of models: counted, published in the audit trail now and then, and turned into errors for callers."""

import uuid
from collections.abc import Callable, Iterable, Sequence

from tightrope.monitors.records import Event, Role
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.ports import NotQualifiedError, RunDeadlineError, RunFailedError, UnreachableError
from tightrope.service.errors import CallerError, UnavailableError
from tightrope.service.inference.batch import BatchExecution
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.runs.model_run import UnreadableError
from tightrope.service.outbox import Outbox

FAILURE_EVENT_SECONDS = 60.0
"""Seconds between two events about one kind of failure; the counter counts every failure."""

FAILURE_REASONS = (
    (UnreadableError, "unreadable_output"),
    (RunDeadlineError, "deadline"),
    (UnreachableError, "unreachable"),
)
"""The reason label of each error; every other one is `run_failed`."""

NO_BASELINE = "no_baseline"
"""The fault of an answer of the compressed model that the baseline, which hangs, should have given."""


class Failures:
    """Failures of all models. ``clock`` gives seconds since the epoch."""

    def __init__(self, outbox: Outbox, metrics: GatewayMetrics, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._published_at: dict[tuple[str, Role, str], float] = {}
        self._unmonitored: set[tuple[str, str, str]] = set()

    def report(self, pair: ModelPair, role: Role, failure: RunFailedError, answered_by: Role | None = None) -> None:
        """Count a failure, and publish an event unless one like it is recent. ``answered_by`` is the role whose answer
        was given, the other one if left out.
        """
        reason = next((name for kind, name in FAILURE_REASONS if isinstance(failure, kind)), "run_failed")
        self._metrics.record_failure(pair.name, role, reason)
        now, key = self._clock(), (pair.name, role, reason)
        if now - self._published_at.get(key, -FAILURE_EVENT_SECONDS) < FAILURE_EVENT_SECONDS:
            return
        self._published_at[key] = now
        detail = {"role": str(role), "answered_by": str(answered_by or role.other), "digest": pair.models[role].digest}
        text = f"{reason}: {failure}"
        self._outbox.add_event(
            Event(uuid.uuid4().hex, now, pair.name, "model-failed", "model", "gateway", text, detail)
        )

    def report_unmonitored(self, execution: BatchExecution, indices: Sequence[int]) -> None:
        """Count answers that are given although they cannot be read; tell the first one of each kind and artefact."""
        pair = execution.pair
        for index in indices:
            rows = execution.slices[index]
            role, digest = rows.run.role, pair.models[rows.run.role].digest
            self._metrics.record_unmonitored(pair.name, role, rows.fault)
            if (key := (pair.name, rows.fault, digest)) in self._unmonitored:
                continue
            self._unmonitored.add(key)
            reason = (
                f"{unreadable_error(execution, [index])}: neither model's answer can be read; it is given unmonitored"
            )
            detail = {"role": str(role), "fault": rows.fault, "digest": digest}
            event = Event(uuid.uuid4().hex, self._clock(), pair.name, "unmonitored", "model", "gateway", reason, detail)
            self._outbox.add_event(event)

    def report_unguarded(self, execution: BatchExecution, indices: Iterable[int]) -> None:
        """Mark and count answers of the compressed model to requests that the baseline did not answer in time: it
        hangs, so nothing can compare them.
        """
        for index in indices:
            execution.annotate(index, monitored=False, fault=NO_BASELINE)
            self._metrics.record_unmonitored(execution.pair.name, Role.COMPRESSED, NO_BASELINE)

    def keep_apart(self, pair: ModelPair, reason: str) -> None:
        """Keep the requests to a pair apart from now on, because of what a run gave; an event says so."""
        if not pair.batchability.keep_apart(reason):
            return
        digests = {f"{role}_digest": model.digest for role, model in pair.models.items()}
        self._outbox.add_event(
            Event(uuid.uuid4().hex, self._clock(), pair.name, "kept-apart", "model", "gateway", reason, digests)
        )


def unreadable_error(execution: BatchExecution, indices: Sequence[int]) -> UnreadableError:
    """The error that describes the answers to these requests, which cannot be read."""
    rows = execution.slices[indices[0]]
    return UnreadableError(rows.run.misfit or f"{execution.pair.output}: {rows.fault}")


def error_for_caller(first: RunFailedError, failure: RunFailedError) -> Exception:
    """The error that a caller gets when both models failed, the second one with ``failure``. A compressed model that
    may not answer says nothing about the request: then the ``first`` failure decides.
    """
    if isinstance(failure, NotQualifiedError):
        failure = first
    if isinstance(failure, RunDeadlineError):
        return UnavailableError(f"neither model answered in time; the last: {failure}")
    if isinstance(failure, UnreachableError):
        return UnavailableError(f"neither model could answer; the last is unreachable: {failure}")
    return CallerError(f"inputs: neither model can run on these values: {failure}")
