"""The inference engine, free of any transport: requests in, responses out.

Nothing here blocks: no lock is held across a model's run, and no broker, disk or monitor is called. If the model that a
request is routed to fails, does not answer in time, or gives what cannot be read as a decision, the other one answers.
Requests are answered in batches, and all work that can be shared is done once a batch. Sampling and counting happen
later: `record` takes answered batches once their responses are sent.
"""

import itertools
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from tightrope.monitors.records import Role
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.ports import EventLoopHeldError, RunDeadlineError, RunFailedError, UnreachableError
from tightrope.service.adapters.runs.watched_runs import has_stuck_run
from tightrope.service.errors import CallerError, UnknownModelError
from tightrope.service.inference.batch import BatchExecution, BatchItem, RequestBatch
from tightrope.service.inference.costs.measured_run import run_measured
from tightrope.service.inference.escalation.said_classes import requests_that_say, requests_to_escalate
from tightrope.service.inference.failures import Failures, error_for_caller, unreadable_error
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.rationing import FallbackRationing
from tightrope.service.inference.runs.model_run import UnsplittableError
from tightrope.service.outbox import Outbox
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.routing.router import Router

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
        self.add_event = outbox.add_event
        self._clock = clock
        self._prefix = uuid.uuid4().hex[:16]
        self._counter = itertools.count()
        self._failures = Failures(outbox, metrics, clock)
        self.rationing = FallbackRationing(router, outbox, metrics, clock)
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

    def caller_header(self, model: str) -> bytes | None:
        """The header that names a model's callers, in lower case; None if none is configured."""
        pair = self.pairs.get(model)
        return None if pair is None else pair.caller_header

    def infer(self, pair: ModelPair, request: InferRequest, arrived: float | None = None) -> InferResponse:
        """Answer and sample one request alone, received whole at ``arrived`` (`time.perf_counter`).

        Raises:
            CallerError: when the inputs differ in rows, or neither model can run on them.
            UnavailableError: when neither model can be reached.
        """
        result = self.answer(pair.name, [SingleRequest(request, row_count(request), arrived)])
        self.record(result)
        self.sample_answers()
        answer = result.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answer(self, model: str, items: Sequence[BatchItem], *, avoid_stuck: bool = False) -> BatchAnswers:
        """Answer requests to one model in a shared run; if that fails, re-run each alone to find the failing one. The
        caller passes the result to `record` once the answers are sent. ``avoid_stuck``: try no model with a stuck run.

        Raises:
            EventLoopHeldError: when the run held the event loop; the requests are to be answered in a thread.
        """
        pair = self.pairs[model]
        if len(items) == 1 or pair.can_share_run([item.request for item in items]):
            try:
                execution = self._execute(pair, items, avoid_stuck=avoid_stuck)
                responses = execution.responses()
                return BatchAnswers(pair.as_declared(responses) if pair.layout else responses, (execution,))
            except EventLoopHeldError:
                raise
            except Exception as error:  # noqa: BLE001 - no error of one request may reach the others
                if len(items) == 1:
                    return BatchAnswers((error,), ())
                if isinstance(error, UnsplittableError):
                    self._failures.keep_apart(pair, str(error))
        alone = [self.answer(model, [item], avoid_stuck=avoid_stuck) for item in items]
        executions = [execution for result in alone for execution in result.executions]
        return BatchAnswers([result.answers[0] for result in alone], executions)

    def keep_apart(self, pair: ModelPair, reason: str) -> None:
        """Keep the requests to a pair apart from now on, because of what was seen in service."""
        self._failures.keep_apart(pair, reason)

    def record(self, result: BatchAnswers) -> None:
        """Pass answered batches to the recorder."""
        for execution in result.executions:
            self._recorder.note(execution)

    def sample_answers(self) -> int:
        """Sample all recorded requests, off the request path; returns their number."""
        return self._recorder.sample()

    def _execute(self, pair: ModelPair, items: Sequence[BatchItem], *, avoid_stuck: bool) -> BatchExecution:
        """Route the requests of a batch, and run the models that they are routed to."""
        batch = RequestBatch.from_items(pair, items)
        ids = [request.id or f"{self._prefix}-{next(self._counter):x}" for request in batch.requests]
        roles, asked = self.router.route(pair.name, batch)
        execution = BatchExecution(pair, batch, ids, roles, avoids_stuck=avoid_stuck)
        owned = pair.states.route(execution, self.router.unqualified(pair.name)) if pair.states is not None else ()
        limited = self.rationing.limited(execution) if pair.fallback_seconds is not None else ()
        limited = [index for index in limited if index not in owned] if owned else limited
        if limited and self.rationing.is_short(pair):
            first = [Role.COMPRESSED if i in limited else role for i, role in enumerate(execution.routed)]
            self._run_roles(execution, first)
            if admitted := self.rationing.admitted(execution, limited):
                self._run_or_fall_back(execution, admitted, Role.BASELINE)
        else:
            self._run_roles(execution, execution.routed)
        if pair.action == "escalate" or asked:
            self._escalate(execution, [*limited, *owned], asked)
        for index in limited:
            if (arrived := items[index].arrived) is not None:
                self.rationing.observe(pair, time.perf_counter() - arrived)
        if pair.states is not None:
            pair.states.record(execution)
        execution.answered_at = self._clock()
        return execution

    def _run_roles(self, execution: BatchExecution, roles: Sequence[Role]) -> None:
        """Run each request on its role's model."""
        if roles.count(roles[0]) == len(roles):
            self._run_or_fall_back(execution, range(len(roles)), roles[0])
            return
        for role in set(roles):
            self._run_or_fall_back(execution, [index for index, own in enumerate(roles) if own is role], role)

    def _run_or_fall_back(self, execution: BatchExecution, indices: Sequence[int], role: Role) -> None:
        """Run these requests on a role's model, or on the other one where it fails, or where its decision output cannot
        be read. An answer that cannot be read is given, unmonitored, where the other model has none that can.
        """
        try:
            unreadable = self._run(execution, indices, role)
        except RunFailedError as failure:
            if len(indices) > 1 and not isinstance(failure, UnreachableError):
                raise  # `answer` re-runs each request alone to find the failing one
            try:
                unreadable = self._run(execution, indices, role.other)
            except RunFailedError as second:
                raise error_for_caller(failure, second) from second
            self._failures.report(execution.pair, role, failure)
            for index in indices:
                execution.annotate(index, fallback=str(role))
            if isinstance(failure, RunDeadlineError) and role is Role.BASELINE:
                self._failures.report_unguarded(execution, set(indices) - set(unreadable))
            self._failures.report_unmonitored(execution, unreadable)
            return
        if unreadable:
            error = unreadable_error(execution, unreadable)
            remaining = self._replace(execution, unreadable, role.other)
            self._failures.report(execution.pair, role, error, role if remaining else role.other)
            for index in set(unreadable) - set(remaining):
                execution.annotate(index, fallback=str(role))
            self._failures.report_unmonitored(execution, remaining)

    def _replace(self, execution: BatchExecution, indices: Sequence[int], role: Role) -> Sequence[int]:
        """Replace answers by those of another role's model; returns the requests for which it has none that can be
        read: they keep theirs.
        """
        before = {index: execution.slices[index] for index in indices}
        try:
            remaining = self._run(execution, indices, role)
        except RunFailedError as failure:
            if len(indices) > 1 and not isinstance(failure, UnreachableError):
                raise
            self._failures.report(execution.pair, role, failure)
            return indices
        if remaining:
            self._failures.report(execution.pair, role, unreadable_error(execution, remaining))
            execution.slices.update({index: before[index] for index in remaining})
        return remaining

    def _escalate(self, execution: BatchExecution, limited: Sequence[int], asked: frozenset[int]) -> None:
        """Re-run on the baseline the requests that are refused, or whose answer says one of the ``asked`` classes; if
        it fails, the compressed model's answer stays.
        """
        saying = requests_that_say(execution, asked) if asked else frozenset[int]()
        again = requests_to_escalate(execution, limited, saying)
        if not again:
            return
        for index in again:
            execution.annotate(index, escalated=True)
        for index in saying.intersection(self._replace(execution, again, Role.BASELINE)):
            execution.annotate(index, fallback=str(Role.BASELINE))

    def _run(self, execution: BatchExecution, indices: Sequence[int], role: Role) -> Sequence[int]:
        """Run a role's model on these requests and assign them its outputs; returns those whose answer cannot be read.

        Raises:
            RunFailedError: when the model fails, or its outputs cannot be cut by requests.
        """
        if role is not execution.routed[indices[0]]:
            self.router.require_qualified(execution.pair.name, role)
        batch = execution.batch if len(indices) == len(execution.ids) else execution.batch.select(indices)
        model, began = execution.pair.models[role], time.perf_counter()
        if execution.avoids_stuck and has_stuck_run(model):
            raise RunDeadlineError("a run of it is stuck")
        outputs = run_measured(execution, indices[0], role, batch, requested_outputs(execution.pair, batch))
        return execution.assign(indices, batch, role, outputs, time.perf_counter() - began)


def requested_outputs(pair: ModelPair, batch: RequestBatch) -> Sequence[str]:
    """Names of the outputs that any request of a batch wants, and of those that decide."""
    if not all(request.outputs for request in batch.requests):  # one wants all of them
        return pair.output_names
    names = [output.name for request in batch.requests for output in request.outputs]
    return list(dict.fromkeys([*names, *pair.deciding]))


def row_count(request: InferRequest) -> int:
    """The rows of a request: the first dimension, which its inputs have in common.

    Raises:
        CallerError: when the inputs differ in rows.
    """
    if len(request.inputs) == 1:
        return len(next(iter(request.inputs.values())))
    if len({len(tensor) for tensor in request.inputs.values()}) > 1:
        listed = [f"{name!r} has {len(tensor)}" for name, tensor in request.inputs.items()]
        raise CallerError(f"inputs: all must have the same number of rows, but {', '.join(listed)}")
    return len(next(iter(request.inputs.values())))


def is_large(response: InferResponse) -> bool:
    """Whether a response is encoded in a thread. Strings count as pointers, so responses of long strings are not."""
    size = 0
    for tensor in response.outputs.values():
        size += tensor.nbytes
    return size > LARGE_BYTES
