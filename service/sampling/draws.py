"""Draws of answered requests, and digests of their callers: computed after the answers were sent.

How it works. The draw covers the decoded inputs, so that two requests of one id differ if their inputs do, and a
secret, so that no caller can choose it. Nothing in a response, nor its time, depends on a draw.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from msgspec import Struct

from tightrope.monitors.intake.sampling import DrawKey, input_digest, row_digests
from tightrope.monitors.records import Hashes
from tightrope.service.inference.batch import BatchExecution, RequestBatch
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.runs.model_run import ModelRun
from tightrope.service.protocol.rest import InferRequest

MAX_JOINED_SAMPLES, MAX_JOINED_BYTES = 256, 1 << 20
"""Samples, and bytes of their batches' inputs, that are joined from several batches."""


class DrawnRequests(Struct):
    """Requests of a batch whose draw may keep them, all answered by one run: their indices and draws."""

    execution: BatchExecution
    run: ModelRun
    indices: Sequence[int]
    draws: Sequence[float]


def draw_requests(key: DrawKey, executions: Sequence[BatchExecution]) -> Sequence[DrawnRequests]:
    """The requests of one pair's batches that some subgroup's inclusion would keep, by the run that answered them. The
    batches were answered a moment ago, so all are drawn in the era of the last one.
    """
    pair, drawn, start = executions[0].pair, [], 0
    limit = pair.sampler.max_inclusion
    if limit <= 0.0:
        return ()
    ids = [request_id for execution in executions for request_id in execution.ids]
    digests = chain.from_iterable([_digests(execution.batch) for execution in executions])
    draws = key.draws(pair.name, executions[-1].answered_at, ids, digests).tolist()
    for execution in executions:
        stop = start + len(execution.ids)
        kept: Sequence[int] = [index for index, number in enumerate(draws[start:stop]) if number < limit]
        if pair.states is not None:
            kept = pair.states.comparable(execution, kept)
        if kept:
            drawn += [
                DrawnRequests(execution, run, own, [draws[start + i] for i in own])
                for run, own in _by_run(execution, kept)
            ]
        start = stop
    return drawn


def _digests(batch: RequestBatch) -> Sequence[bytes]:
    """The digest of the inputs of each request. Inputs of another type, such as FP16 beside FP32, got that of the batch
    when they were joined.
    """
    if len(batch.inputs) == 1 and len(batch.ends) > 1 and [*batch.sizes].count(1) == len(batch.ends):
        ((name, rows),) = batch.inputs.items()
        types = [request.inputs[name].dtype is rows.dtype for request in batch.requests]
        if len(rows) == len(types) and all(types):
            return row_digests(name, rows)
    return [input_digest(request.inputs) for request in batch.requests]


def _by_run(execution: BatchExecution, indices: Sequence[int]) -> Sequence[tuple[ModelRun, Sequence[int]]]:
    """Requests of a batch, by the run that answered them."""
    if len(execution.runs) == 1:
        return [(execution.runs[0][1], indices)]
    own = ((run, [i for i in indices if execution.slices[i].run is run]) for _, run in execution.runs)
    return [(run, answered) for run, answered in own if answered]


def chunks(drawn: Sequence[DrawnRequests]) -> Iterator[Sequence[DrawnRequests]]:
    """Split requests into chunks that fit one record."""
    chunk: list[DrawnRequests] = []
    samples = size = 0
    for requests in drawn:
        nbytes = requests.execution.batch.nbytes
        if chunk and (samples + len(requests.indices) > MAX_JOINED_SAMPLES or size + nbytes > MAX_JOINED_BYTES):
            yield chunk
            chunk, samples, size = [], 0, 0
        chunk.append(requests)
        samples += len(requests.indices)
        size += nbytes
    yield chunk


def caller_digests(key: DrawKey, pair: ModelPair, requests: Sequence[InferRequest]) -> Hashes:
    """The keyed digest of each request's caller, (n,); 0 where the configuration or the request names none."""
    if pair.caller is None:
        return np.zeros(len(requests), np.uint64)
    return np.array([key.caller(pair.name, caller_name(pair, request)) for request in requests], np.uint64)


def caller_name(pair: ModelPair, request: InferRequest) -> str:
    """The name of a request's caller, from the header or the parameter that the configuration names; empty without."""
    if pair.caller is None:
        return ""
    if pair.caller.parameter is None:
        return request.caller
    value = request.parameters.get(pair.caller.parameter)
    return "" if value is None else str(value)
