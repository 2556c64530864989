"""Late labels over HTTP: the true classes of requests that were answered before."""

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from tightrope.monitors.label_records import Label
from tightrope.service.adapters.ports import Bus, BusFullError
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import encode_labels
from tightrope.service.inference.engine import InferenceEngine

MAX_LABELS = 10_000
"""Labels in one request."""


class OneLabel(BaseModel):
    """The true class of one row of a request."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=256, description="The request's id, as its answer gave it")]
    label: Annotated[int, Field(ge=0, lt=2**31, description="The true class, from 0")]
    row: Annotated[int, Field(ge=0, lt=2**31, description="The row of the request, from 0")] = 0


class Labels(BaseModel):
    """A batch of labels."""

    model_config = ConfigDict(extra="forbid")

    labels: Annotated[list[OneLabel], Field(min_length=1, max_length=MAX_LABELS)]


def create_router(engine: InferenceEngine, bus: Bus, authorised: Callable[..., None]) -> APIRouter:
    """``POST /v1/models/{model}/labels``, single or in batches."""
    router = APIRouter(prefix="/v1", tags=["labels"], dependencies=[Depends(authorised)])

    @router.post("/models/{model}/labels", status_code=202)
    def labels(model: str, body: OneLabel | Labels) -> JSONResponse:
        """Accept labels. Labels of requests that were not sampled are counted as unknown after the horizon."""
        pair = engine.pair(model)
        if not pair.plan.label_horizon:
            return JSONResponse({"error": f"model {pair.name} takes no labels: set models.{pair.name}.labels"}, 404)
        now = time.time()
        entries = body.labels if isinstance(body, Labels) else [body]
        records = [Label(pair.name, one.id, one.row, one.label, now) for one in entries]
        try:
            bus.publish(topic(LABELS), encode_labels(records), pair.name)
        except BusFullError as error:
            return JSONResponse({"error": f"labels cannot be taken just now: {error}"}, 503, {"Retry-After": "5"})
        return JSONResponse({"accepted": len(records)}, 202)

    return router
