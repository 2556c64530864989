"""Late labels over HTTP: the true classes of requests that were answered before."""

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from tightrope.monitors.label_records import Label
from tightrope.service.adapters.ports import Bus, BusFullError
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import encode_labels
from tightrope.service.api.answers import Accepted, Error, json_response
from tightrope.service.api.openapi import answers
from tightrope.service.api.request_body import RequestBody
from tightrope.service.inference.engine import InferenceEngine

MAX_LABELS = 10_000
"""Labels in one request."""


def _refuse_conversion(value: object) -> object:
    """Refuse what pydantic would convert to a number."""
    if isinstance(value, bool | str):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic's way to refuse a value
    return value


WholeNumber = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(_refuse_conversion)]
"""A number from 0 as JSON has it: neither text nor a boolean."""


class OneLabel(RequestBody):
    """The true class of one row of a request."""

    id: Annotated[str, Field(min_length=1, max_length=256, description="The request's id, as its answer gave it")]
    label: Annotated[WholeNumber, Field(description="The true class, from 0")]
    row: Annotated[WholeNumber, Field(description="The row of the request, from 0")] = 0


class Labels(RequestBody):
    """A batch of labels."""

    labels: Annotated[list[OneLabel], Field(min_length=1, max_length=MAX_LABELS)]


def create_router(engine: InferenceEngine, bus: Bus, authorised: Callable[..., None]) -> APIRouter:
    """``POST /v1/models/{model}/labels``, single or in batches."""
    router = APIRouter(prefix="/v1", tags=["labels"], dependencies=[Depends(authorised)])

    @router.post("/models/{model}/labels", **answers(Accepted, 401, 404, 503, status=202))
    def labels(model: str, body: OneLabel | Labels) -> Response:
        """Accept labels. Labels of requests that were not sampled are counted as unknown after the horizon."""
        pair = engine.pair(model)
        if not pair.plan.label_horizon:
            unwanted: Error = {"error": f"model {pair.name} takes no labels: set models.{pair.name}.labels"}
            return json_response(unwanted, 404)
        now = time.time()
        entries = body.labels if isinstance(body, Labels) else [body]
        records = [Label(pair.name, one.id, one.row, one.label, now) for one in entries]
        try:
            bus.publish(topic(LABELS), encode_labels(records), pair.name)
        except BusFullError as error:
            full: Error = {"error": f"labels cannot be taken just now: {error}"}
            return json_response(full, 503, {"Retry-After": "5"})
        accepted: Accepted = {"accepted": len(records)}
        return json_response(accepted, 202)

    return router
