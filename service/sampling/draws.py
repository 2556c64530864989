"""Draws of answered requests, and digests of their callers: computed after the answers were sent.

How it works. The draw covers the decoded inputs, so that two requests of one id differ if their inputs do, and a
secret, so that no caller can choose it. Nothing in a response, nor its time, depends on a draw.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from tightrope.monitors.intake.sampling import DrawKey, input_digest
from tightrope.monitors.records import Hashes
from tightrope.service.inference.batch import BatchExecution, ModelRun
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.rest import InferRequest


class DrawnRequests(Struct):
    """Requests of a batch whose draw may keep them, all answered by one run: their indices and draws."""

    execution: BatchExecution
    run: ModelRun
    indices: Sequence[int]
    draws: Sequence[float]


def draw_requests(key: DrawKey, execution: BatchExecution) -> Sequence[DrawnRequests]:
    """The requests of a batch that some subgroup's inclusion would keep, by the run that answered them."""
    pair, time, limit = execution.pair, execution.answered_at, execution.pair.sampler.max_inclusion
    if limit <= 0.0:
        return ()
    draws = [
        key.draw(pair.name, time, request_id, input_digest(request.inputs))
        for request_id, request in zip(execution.ids, execution.batch.requests, strict=True)
    ]
    kept, drawn = [index for index, number in enumerate(draws) if number < limit], []
    for _, run in execution.runs:
        own = [i for i in kept if execution.slices[i].run is run] if len(execution.runs) > 1 else kept
        if own:
            drawn.append(DrawnRequests(execution, run, own, [draws[index] for index in own]))
    return drawn


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
