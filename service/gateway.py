"""The data plane, free of any transport: a request in, an answer out, and perhaps a sample for the shadow.

Nothing here waits: no lock is held across a model's run, no broker, disk or monitor is asked. If the model that should
answer fails, the other one does.
"""

import itertools
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from monitors.compare import Reading, Scale, confidence, entropy, refused
from monitors.records import MODEL_SCOPE, Bools, Event, Fault, Role, Tensors
from monitors.sampling import draw
from service.adapters.metrics import Metrics
from service.adapters.ports import RunFailedError, UnreachableError
from service.capacity import Capacity
from service.errors import CallerError, ServerError, UnavailableError, UnknownModelError
from service.outbox import Outbox
from service.pair import Pair
from service.protocol import InferRequest, InferResponse, Scalar
from service.router import Router
from service.sampling import UnreadableError, reading_of, sample_of

TIE = 1e-9
"""Weight of a request's own random number: it decides between answers that are equally uncertain."""

NOTICE_EVERY = 60.0
"""Seconds between two events about the same failure; the counter counts every one."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a role said, how it reads, and how long it took."""

    role: Role
    outputs: Tensors
    reading: Reading
    seconds: float


class Gateway:
    """Serves every pair. ``clock`` gives seconds since the epoch."""

    def __init__(
        self,
        pairs: Mapping[str, Pair],
        router: Router,
        outbox: Outbox,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.pairs = pairs
        self.router = router
        self.metrics = metrics
        self._outbox = outbox
        self._clock = clock
        self._prefix = uuid.uuid4().hex[:16]
        self._counter = itertools.count()
        self._noticed: dict[tuple[str, Role, str], float] = {}
        self._capacities: dict[str, Capacity] = {}

    def pair(self, model: str, version: str | None = None) -> Pair:
        """The pair of that name.

        Raises:
            UnknownModelError: when it, or that version of it, is not served here.
        """
        pair = self.pairs.get(model)
        if pair is None:
            raise UnknownModelError(f"model {model[:80]!r} is not served here; there are {', '.join(self.pairs)}")
        if version is not None and version != pair.version:
            raise UnknownModelError(f"model {model!r} has no version {version[:80]!r}; it has {pair.version!r}")
        return pair

    def is_guarded(self, model: str) -> bool:
        """Whether all of a model falls back now, and how long its answers take decides how many the baseline gives."""
        return self.pairs[model].fallback_seconds is not None and MODEL_SCOPE in self.router.routes(model).safe

    def infer(self, pair: Pair, request: InferRequest, arrived: float | None = None) -> InferResponse:
        """Answer a request, which was there whole at ``arrived`` (of `time.perf_counter`).

        Raises:
            CallerError: when the inputs differ in rows, or neither model can run on them.
            ServerError: when both models give what cannot be an answer.
        """
        rows = _rows(request)
        member = pair.subgroups.members(request.inputs, request.parameters, rows)
        role = self.router.role(pair.name, member)
        request_id = request.id or f"{self._prefix}-{next(self._counter):x}"
        capacity = self._capacity(pair, member) if role is Role.BASELINE else None
        if capacity is not None and capacity.share < 1.0:
            answer, parameters = self._ration(pair, request, request_id, capacity)
        else:
            answer, parameters = self._answer(pair, request, role)
        parameters["safe_mode"] = role is Role.BASELINE
        unsure = refused(answer.reading, pair.decision, answer.role)
        if pair.action == "escalate" and answer.role is Role.COMPRESSED and capacity is None and unsure.any():
            answer, unsure = self._escalate(pair, request, answer, unsure)
            parameters["escalated"] = True
        self._sample(pair, request, request_id, answer, member)
        parameters |= self._account(pair, answer, unsure, rows)
        if capacity is not None and arrived is not None:
            self._learn(pair, capacity, time.perf_counter() - arrived)
        withheld = pair.action == "abstain" and bool(unsure.any())
        outputs = {} if withheld else {o.name: answer.outputs[o.name] for o in request.outputs} or answer.outputs
        return InferResponse(pair.name, pair.version, request_id, parameters, dict(outputs))

    def _answer(self, pair: Pair, request: InferRequest, role: Role) -> tuple[_Answer, dict[str, Scalar]]:
        """The answer of ``role``, or of the other one where it fails."""
        try:
            return self._run(pair, request, role), {}
        except RunFailedError as failure:
            try:
                answer = self._run(pair, request, role.other)
            except RunFailedError as second:
                return self._refuse_input(second)
            self._notice(pair, role, failure)
            return answer, {"fallback": str(role)}

    def _capacity(self, pair: Pair, member: Bools) -> Capacity | None:
        """What the baseline bears of this request's kind; None where it is asked whatever it takes."""
        if pair.fallback_seconds is None or not self.router.spared(pair.name, member):
            return None
        return self._capacities.setdefault(pair.name, Capacity(pair.fallback_seconds))

    def _ration(
        self, pair: Pair, request: InferRequest, request_id: str, capacity: Capacity
    ) -> tuple[_Answer, dict[str, Scalar]]:
        """The compressed model's answer, and the baseline's instead where that one is among the least certain."""
        answer, parameters = self._answer(pair, request, Role.COMPRESSED)
        if answer.role is Role.BASELINE:
            return answer, parameters
        values = None if pair.decision.scale is Scale.REGRESSION else answer.reading.values
        uncertainty = 0.0 if values is None else float(entropy(values).max() / np.log(values.shape[1]))
        if not capacity.takes(uncertainty + TIE * draw(request_id, "capacity")):
            return answer, {"over_capacity": True}
        return self._answer(pair, request, Role.BASELINE)

    def _learn(self, pair: Pair, capacity: Capacity, seconds: float) -> None:
        """See how long answers of the fallback take; tell when the baseline is not enough, and when it is again."""
        window = capacity.took(seconds, time.perf_counter())
        if window is None:
            return
        self.metrics.bearable.labels(pair.name).set(window.after)
        if window.turns:
            kind = "fallback-rationed" if window.after < 1.0 else "fallback-whole"
            reason = f"{window.late} of {window.answers} answers took longer than {capacity.seconds:g} s"
            detail = {"share": window.after, "late": window.late, "answers": window.answers}
            self._outbox.note(
                Event(uuid.uuid4().hex, self._clock(), pair.name, kind, MODEL_SCOPE, "gateway", reason, detail)
            )

    def _run(self, pair: Pair, request: InferRequest, role: Role) -> _Answer:
        names = [output.name for output in request.outputs] or [spec.name for spec in pair.outputs]
        names += [] if pair.output in names else [pair.output]
        began = time.perf_counter()
        outputs = pair.models[role].run(request.inputs, names)
        seconds = time.perf_counter() - began
        reading = reading_of(pair, outputs, len(next(iter(request.inputs.values()))))
        if reading.fault.any():
            raise UnreadableError(f"{pair.output}: {Fault(int(reading.fault.max())).name.lower()}")
        return _Answer(role, outputs, reading, seconds)

    @staticmethod
    def _refuse_input(failure: RunFailedError) -> tuple[_Answer, dict[str, Scalar]]:
        if isinstance(failure, UnreachableError):
            raise UnavailableError(f"neither model could answer; the last is unreachable: {failure}") from failure
        if isinstance(failure, UnreadableError):
            raise ServerError(f"both models failed; the last said: {failure}") from failure
        raise CallerError(f"inputs: neither model can run on these values: {failure}") from failure

    def _escalate(self, pair: Pair, request: InferRequest, first: _Answer, unsure: Bools) -> tuple[_Answer, Bools]:
        """Ask the baseline; if it fails, the compressed model's unsure answer stands, refused."""
        try:
            second = self._run(pair, request, Role.BASELINE)
        except RunFailedError as failure:
            self._notice(pair, Role.BASELINE, failure)
            return first, unsure
        return second, refused(second.reading, pair.decision, Role.BASELINE)

    def _notice(self, pair: Pair, role: Role, failure: RunFailedError) -> None:
        """Count a failure, and put it into the audit trail, but not once a request."""
        reason = next((name for kind, name in REASONS if isinstance(failure, kind)), "run_failed")
        self.metrics.failures.labels(pair.name, role, reason).inc()
        now, key = self._clock(), (pair.name, role, reason)
        if now - self._noticed.get(key, -NOTICE_EVERY) < NOTICE_EVERY:
            return
        self._noticed[key] = now
        detail = {"role": str(role), "answered_by": str(role.other), "digest": pair.models[role].digest}
        event = Event(
            uuid.uuid4().hex, now, pair.name, "model-failed", "model", "gateway", f"{reason}: {failure}", detail
        )
        self._outbox.note(event)

    def _sample(self, pair: Pair, request: InferRequest, request_id: str, answer: _Answer, member: Bools) -> None:
        role, seconds = answer.role, answer.seconds
        sample = sample_of(pair, request_id, role, request.inputs, answer.outputs, member, seconds, self._clock())
        if sample is not None and self._outbox.offer(sample):
            self.metrics.samples.labels(pair.name).inc()

    def _account(self, pair: Pair, answer: _Answer, unsure: Bools, rows: int) -> dict[str, Scalar]:
        """The parameters of the answer, flat as the protocol wants them, and the counters.

        Of several rows the least certain speaks: lowest confidence, highest uncertainty (entropy over its maximum).
        """
        name, role = pair.name, str(answer.role)
        parameters: dict[str, Scalar] = {
            "served_by": role,
            "refused": bool(unsure.any()),
            "model_digest": pair.models[answer.role].digest,
        }
        if pair.decision.scale is not Scale.REGRESSION:
            values = answer.reading.values
            parameters["confidence"] = float(confidence(values).min())
            parameters["uncertainty"] = float(entropy(values).max() / np.log(values.shape[1]))
        if rows > 1 and unsure.any():
            parameters["refused_rows"] = ",".join(map(str, np.flatnonzero(unsure)))
        self.metrics.rows.labels(name, role).inc(rows)
        self.metrics.answering.labels(name, role).observe(answer.seconds)
        if unsure.any():
            self.metrics.refusals.labels(name, role, pair.action).inc(int(unsure.sum()))
        return parameters


def _rows(request: InferRequest) -> int:
    """The first dimension, which every input must have in common: it is the row that is sampled, compared and
    counted.
    """
    counts = {name: len(tensor) for name, tensor in request.inputs.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name!r} has {count}" for name, count in counts.items())
        raise CallerError(f"inputs: all must have the same number of rows, but {told}")
    return next(iter(counts.values()))


REASONS = ((UnreadableError, "unreadable_output"), (UnreachableError, "unreachable"))
"""What a failure is called where it is counted; every other is `run_failed`."""
