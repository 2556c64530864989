"""The inference engine, free of any transport: requests in, responses out.

Nothing here blocks: no lock is held across a model's run, and no broker, disk or monitor is called. If the model that a
request is routed to fails, the other one answers. Requests are answered in batches, and all work that can be shared is
done once a batch. Sampling and counting happen later: `record` takes answered batches once their responses are sent.
"""

import itertools
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from tightrope.monitors.compare import Scale
from tightrope.monitors.records import MODEL_SCOPE, Event, Role
from tightrope.monitors.sampling import draw
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.errors import UnknownModelError
from tightrope.service.inference.batch import BatchExecution, BatchItem, RequestBatch, row_count
from tightrope.service.inference.failures import Failures, error_for_caller
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.outbox import Outbox
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.routing.fallback_limiter import FallbackLimiter
from tightrope.service.routing.router import Router

TIE_BREAK_WEIGHT = 1e-9
"""Weight of a request's own random number, which decides between answers that are equally uncertain."""

LARGE_BYTES = 64 * 1024
"""Bytes of a request or a response beyond which it is decoded or encoded in a thread, to keep the event loop free."""

Answer: TypeAlias = InferResponse | Exception
"""The response to a request, or the error of one that cannot be answered."""


class BatchAnswers(Struct):
    """The answers to a batch, in the order of its requests, and the executions that produced them."""

    answers: Sequence[Answer]
    executions: Sequence[BatchExecution]


class SingleRequest(Struct):
    """A request that does not queue."""

    request: InferRequest
    rows: int
    arrived: float | None


class Recorder(Protocol):
    """Samples and counts answered batches, off the request path."""

    def note(self, execution: BatchExecution) -> None:
        """Take an answered batch."""

    def sample(self) -> int:
        """Sample all requests of the batches noted since the last call, and return their number."""


class InferenceEngine:
    """Serves every pair. ``clock`` gives seconds since the epoch; ``recorder`` takes answered batches."""

    def __init__(
        self,
        pairs: Mapping[str, ModelPair],
        router: Router,
        outbox: Outbox,
        metrics: GatewayMetrics,
        recorder: Recorder,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.pairs = pairs
        self.router = router
        self.metrics = metrics
        self._outbox = outbox
        self._clock = clock
        self._prefix = uuid.uuid4().hex[:16]
        self._counter = itertools.count()
        self._failures = Failures(outbox, metrics, clock)
        self._capacities: dict[str, FallbackLimiter] = {}
        self._recorder = recorder

    def pair(self, model: str, version: str | None = None) -> ModelPair:
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

    def is_served(self, model: str, version: str | None = None) -> bool:
        """Whether a pair of that name, and of that version if one is given, is served."""
        pair = self.pairs.get(model)
        return pair is not None and version in {None, pair.version}

    def infer(self, pair: ModelPair, request: InferRequest, arrived: float | None = None) -> InferResponse:
        """Answer and sample one request alone, received whole at ``arrived`` (`time.perf_counter`).

        Raises:
            CallerError: when the inputs differ in rows, or neither model can run on them.
            ServerError: when both models give unreadable outputs.
        """
        result = self.answer(pair.name, [SingleRequest(request, row_count(request), arrived)])
        self.record(result)
        self.sample_answers()
        answer = result.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answer(self, model: str, items: Sequence[BatchItem]) -> BatchAnswers:
        """Answer requests to one model in a shared run; if that fails, re-run each alone to find the failing one. The
        caller passes the result to `record` once the answers are sent.
        """
        pair = self.pairs[model]
        if len(items) == 1 or can_share_run(pair, items):
            try:
                execution = self._execute(pair, items)
                return BatchAnswers(execution.responses(), (execution,))
            except Exception as error:  # noqa: BLE001 - no error of one request may reach the others
                if len(items) == 1:
                    return BatchAnswers((error,), ())
        alone = [self.answer(model, [item]) for item in items]
        executions = [execution for result in alone for execution in result.executions]
        return BatchAnswers([result.answers[0] for result in alone], executions)

    def record(self, result: BatchAnswers) -> None:
        """Pass answered batches to the recorder."""
        for execution in result.executions:
            self._recorder.note(execution)

    def sample_answers(self) -> int:
        """Sample all recorded requests, off the request path; returns their number."""
        return self._recorder.sample()

    def _execute(self, pair: ModelPair, items: Sequence[BatchItem]) -> BatchExecution:
        """Route the requests of a batch, and run the models that they are routed to."""
        batch = RequestBatch.from_items(pair, items)
        ids = [request.id or f"{self._prefix}-{next(self._counter):x}" for request in batch.requests]
        execution = BatchExecution(pair, batch, ids, self.router.roles(pair.name, batch))
        limited = self._limited(execution) if pair.fallback_seconds is not None else ()
        if limited and self._capacities[pair.name].share < 1.0:
            roles = [Role.COMPRESSED if i in limited else role for i, role in enumerate(execution.routed)]
            self._run_roles(execution, roles)
            self._admit_to_baseline(execution, limited)
        else:
            self._run_roles(execution, execution.routed)
        if pair.action == "escalate":
            self._escalate(execution, limited)
        for index in limited:
            if (arrived := items[index].arrived) is not None:
                self._observe_fallback(pair, self._capacities[pair.name], time.perf_counter() - arrived)
        execution.answered_at = self._clock()
        return execution

    def _limited(self, execution: BatchExecution) -> Sequence[int]:
        """Indices of the requests that fall back only because the whole model does: the fallback limiter may leave them
        to the compressed model.
        """
        pair, batch = execution.pair, execution.batch
        if pair.fallback_seconds is None or Role.BASELINE not in execution.routed:
            return ()
        self._capacities.setdefault(pair.name, FallbackLimiter(pair.fallback_seconds))
        spans = ((index, batch.member[batch.start(index) : end]) for index, end in enumerate(batch.ends))
        return [index for index, member in spans if self.router.falls_back_with_model(pair.name, member)]

    def _run_roles(self, execution: BatchExecution, roles: Sequence[Role]) -> None:
        """Run each request on its role's model."""
        if roles.count(roles[0]) == len(roles):
            self._run_or_fall_back(execution, range(len(roles)), roles[0])
            return
        for role in set(roles):
            self._run_or_fall_back(execution, [index for index, own in enumerate(roles) if own is role], role)

    def _run_or_fall_back(self, execution: BatchExecution, indices: Sequence[int], role: Role) -> None:
        """Run these requests on a role's model, or on the other one where it fails."""
        try:
            self._run(execution, indices, role)
        except RunFailedError as failure:
            if len(indices) > 1 and not isinstance(failure, UnreachableError):
                raise  # `answer` re-runs each request alone to find the failing one
            try:
                self._run(execution, indices, role.other)
            except RunFailedError as second:
                raise error_for_caller(second) from second
            self._failures.report(execution.pair, role, failure)
            for index in indices:
                execution.annotate(index, fallback=str(role))

    def _admit_to_baseline(self, execution: BatchExecution, limited: Sequence[int]) -> None:
        """Re-run on the baseline the least certain requests, as many as it has capacity for."""
        capacity, admitted = self._capacities[execution.pair.name], []
        is_regression = execution.pair.decision.scale is Scale.REGRESSION
        for index in limited:
            rows = execution.slices[index]
            if rows.run.role is Role.BASELINE:
                continue
            uncertainty = 0.0 if is_regression else rows.uncertainty
            if capacity.admits(uncertainty + TIE_BREAK_WEIGHT * draw(execution.ids[index], "capacity")):
                admitted.append(index)
            else:
                execution.annotate(index, over_capacity=True)
        if admitted:
            self._run_or_fall_back(execution, admitted, Role.BASELINE)

    def _escalate(self, execution: BatchExecution, limited: Sequence[int]) -> None:
        """Re-run refused requests on the baseline; if it fails, the compressed model's refused answer stays."""
        refused = [
            index
            for index, rows in sorted(execution.slices.items())
            if index not in limited and rows.run.role is Role.COMPRESSED and rows.is_refused
        ]
        if not refused:
            return
        for index in refused:
            execution.annotate(index, escalated=True)
        try:
            self._run(execution, refused, Role.BASELINE)
        except RunFailedError as failure:
            if len(execution.ids) > 1 and not isinstance(failure, UnreachableError):
                raise
            self._failures.report(execution.pair, Role.BASELINE, failure)

    def _run(self, execution: BatchExecution, indices: Sequence[int], role: Role) -> None:
        """Run a role's model on these requests and assign them its outputs.

        Raises:
            RunFailedError: when the model fails, or its outputs are unreadable.
        """
        whole = len(indices) == len(execution.ids)
        batch = execution.batch if whole else execution.batch.select(indices)
        names = requested_outputs(execution.pair, batch)
        began = time.perf_counter()
        outputs = execution.pair.models[role].run(batch.inputs, names)
        execution.assign(indices, batch, role, outputs, time.perf_counter() - began)

    def _observe_fallback(self, pair: ModelPair, capacity: FallbackLimiter, seconds: float) -> None:
        """Observe the latency of an answer of the fallback; publish when the limiter starts or stops."""
        window = capacity.observe(seconds, time.perf_counter())
        if window is None:
            return
        self.metrics.set_fallback_share(pair.name, window.after)
        if window.is_transition:
            kind = "fallback-rationed" if window.after < 1.0 else "fallback-whole"
            reason = f"{window.late} of {window.answers} answers took longer than {capacity.seconds:g} s"
            detail = {"share": window.after, "late": window.late, "answers": window.answers}
            self._outbox.add_event(
                Event(uuid.uuid4().hex, self._clock(), pair.name, kind, MODEL_SCOPE, "gateway", reason, detail)
            )


def requested_outputs(pair: ModelPair, batch: RequestBatch) -> Sequence[str]:
    """Names of the outputs that any request of a batch wants, and of the one that decides."""
    names: list[str] = []
    for request in batch.requests:
        if not request.outputs:  # all of them
            return pair.output_names
        names += [output.name for output in request.outputs]
    return list(dict.fromkeys([*names, pair.output]))


def can_share_run(pair: ModelPair, items: Sequence[BatchItem]) -> bool:
    """Whether requests may share a run: the first dimension is free, and their other dimensions are equal."""
    if not (pair.is_batchable and pair.has_free_width):
        return pair.is_batchable
    first = {name: tensor.shape[1:] for name, tensor in items[0].request.inputs.items()}
    return all(tensor.shape[1:] == first[name] for item in items[1:] for name, tensor in item.request.inputs.items())


def is_large(response: InferResponse) -> bool:
    """Whether a response is encoded in a thread. Strings count as pointers, so responses of long strings are not."""
    size = 0
    for tensor in response.outputs.values():
        size += tensor.nbytes
    return size > LARGE_BYTES
