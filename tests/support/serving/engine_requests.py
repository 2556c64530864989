"""Batches of requests for an engine, without a queue in front of it."""

from collections.abc import Sequence

from tightrope.service.inference.engine import Answer, InferenceEngine, SingleRequest, row_count
from tightrope.service.protocol.rest import InferRequest


def answer_together(engine: InferenceEngine, model: str, requests: Sequence[InferRequest]) -> Sequence[Answer]:
    """Answer requests as one batch, and record it; it is not sampled yet."""
    result = engine.answer(model, [SingleRequest(request, row_count(request), None) for request in requests])
    engine.record(result)
    return result.answers
